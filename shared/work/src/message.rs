//! What the queue carries: messages, claims and leases. Values only, no I/O.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, InstitutionId, Queue, WorkItemId};

use crate::BATCH_BYTES_MAX;

/// What a message is about. There is at most one message of an identity at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub item: WorkItemId,
    pub queue: Queue,
    /// `None` is the planner of that stage.
    pub batch: Option<BatchNumber>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.batch {
            Some(batch) => write!(f, "{}/{}/{batch}", self.item, self.queue),
            None => write!(f, "{}/{}", self.item, self.queue),
        }
    }
}

/// A hint that there is work: whoever claims it looks at the work item to see what is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub item: WorkItemId,
    pub queue: Queue,
    /// `None` is the planner of that stage, which publishes the batches that are not yet done.
    pub batch: Option<BatchNumber>,
    /// Institutions take turns.
    pub institution: InstitutionId,
    /// How many bytes of the bag this work is about.
    pub size_bytes: u64,
}

impl Message {
    pub const fn identity(&self) -> Identity {
        Identity {
            item: self.item,
            queue: self.queue,
            batch: self.batch,
        }
    }

    /// Whether it is kept from taking more than half of the workers: anything above one batch.
    pub const fn is_big(&self) -> bool {
        self.size_bytes > BATCH_BYTES_MAX
    }
}

/// Tells one claim of a message from every other claim of it, for ever: drawn at random, 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u128);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The right to do a piece of work and to write its records, for as long as the store holds the
/// same token for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub item: WorkItemId,
    pub queue: Queue,
    pub batch: Option<BatchNumber>,
    pub token: Token,
}

impl Lease {
    pub const fn identity(&self) -> Identity {
        Identity {
            item: self.item,
            queue: self.queue,
            batch: self.batch,
        }
    }
}

/// A message that is ours for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub message: Message,
    pub lease: Lease,
    /// Counts from 1, this claim included; starts again after [`crate::WorkStore::progress`].
    pub attempt: u32,
    /// By the store's clock. A holder that wants to know how much is left measures from before
    /// the claim, with a monotonic clock.
    pub deadline: DateTime<Utc>,
}

/// What becomes of a claimed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It vanishes, unless it was published again meanwhile: then it is ready anew.
    Done,
    /// Due again after this time; the attempt counts.
    RetryAfter(Duration),
    /// Due again after this time; the attempt does not count. For waiting for another item, and
    /// for outages.
    Wait(Duration),
    /// Ready at once; the attempt does not count. For a worker that was told to stop.
    HandBack,
}
