//! A look from outside at what is kept of one item: for operators, while the workers work or when none does.
//!
//! It reads only, waits for no writer and holds up none. Nothing in it gives a right to anything: tokens of
//! leases are left out.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};

use crate::decide::{Entry, Phase};
use crate::{BatchSize, Message, WorkError};

/// What is kept of an item, at one moment.
#[derive(Debug)]
pub struct ItemView {
    /// A record that cannot be read hides nothing else.
    pub object: Result<Option<ObjectRecord>, WorkError>,
    /// As the object's record.
    pub checkpoint: Result<Option<Checkpoint>, WorkError>,
    /// Those without records left out.
    pub batches: BTreeMap<BatchNumber, BatchSize>,
    /// Which batches are done in the step of each queue; queues without any left out.
    pub done: BTreeMap<QueueName, BTreeSet<BatchNumber>>,
    /// In the order of the queues, the planner of each first.
    pub messages: Vec<QueuedMessage>,
}

impl ItemView {
    /// Whether nothing at all is kept of the item.
    pub fn is_empty(&self) -> bool {
        matches!(self.object, Ok(None))
            && matches!(self.checkpoint, Ok(None))
            && self.batches.is_empty()
            && self.done.is_empty()
            && self.messages.is_empty()
    }
}

/// A message and what the queue knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMessage {
    pub message: Message,
    /// Claims since the last progress that count, the present one included.
    pub attempts: u32,
    /// How often a holder has vanished since the last progress, and how many of those ran alone.
    pub vanished: u32,
    pub vanished_alone: u32,
    pub state: MessageState,
}

/// Whether a message waits, is worked on, or is put off. Times are by the clock of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    Ready,
    Due {
        at: DateTime<Utc>,
    },
    Leased {
        /// When the lease runs out, unless it is renewed before.
        deadline: DateTime<Utc>,
        /// It was published while leased: once acknowledged, it becomes ready anew.
        again: bool,
        /// Nothing else runs in the holder's process.
        alone: bool,
    },
}

impl From<Entry> for QueuedMessage {
    fn from(entry: Entry) -> Self {
        let state = match entry.phase {
            Phase::Ready => MessageState::Ready,
            Phase::Due { at } => MessageState::Due { at },
            Phase::Leased {
                token: _,
                deadline,
                again,
                alone,
            } => MessageState::Leased {
                deadline,
                again,
                alone,
            },
        };
        Self {
            message: entry.message,
            attempts: entry.attempts,
            vanished: entry.vanished,
            vanished_alone: entry.vanished_alone,
            state,
        }
    }
}

/// What an operator's tools see of a work store. Each call is one question, answered as of one moment; two
/// calls may be answered as of two.
#[async_trait]
pub trait WorkView: Send + Sync {
    async fn item(&self, item: WorkItemId) -> Result<ItemView, WorkError>;

    /// As [`crate::Records::files`].
    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError>;

    /// As [`crate::Records::items_after`].
    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError>;
}
