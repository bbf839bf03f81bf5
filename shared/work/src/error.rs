//! What can go wrong with the shared work, and whether trying again can help.

use std::error::Error;

use muniment_model::{BatchNumber, Class, Classify, Dependency, SCHEMA_VERSION, WorkItemId};

use crate::{BATCH_FILES_MAX, Identity};

/// A cause from the library below.
pub type Cause = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Another worker holds the work, or none does any more. Nothing was written.
    #[error("the lease on {identity} is lost")]
    LeaseLost { identity: Identity },
    #[error("the lease on {identity} does not cover batch {batch}")]
    OtherBatch {
        identity: Identity,
        batch: BatchNumber,
    },
    #[error("the lease on {identity} does not cover item {item}")]
    OtherItem {
        identity: Identity,
        item: WorkItemId,
    },
    /// Only work items have records.
    #[error("{identity} is not about a work item")]
    NoItem { identity: Identity },
    #[error("{what} has schema version {found}, this program knows {SCHEMA_VERSION}")]
    UnknownSchema { what: String, found: u16 },
    #[error("could not read {what}")]
    Unreadable {
        what: String,
        source: serde_json::Error,
    },
    #[error("could not write {what} as JSON")]
    Unwritable {
        what: String,
        source: serde_json::Error,
    },
    /// Writing there would leave records missing in between.
    #[error("batch {batch} of item {item} holds {held} records, cannot go on at {from_index}")]
    Gap {
        item: WorkItemId,
        batch: BatchNumber,
        held: usize,
        from_index: usize,
    },
    #[error("batch {batch} of item {item} would hold {count} records, at most {BATCH_FILES_MAX}")]
    BatchTooLarge {
        item: WorkItemId,
        batch: BatchNumber,
        count: usize,
    },
    #[error("the work store has layout {found}, this program knows up to {known}")]
    NewerLayout { found: i64, known: usize },
    /// Only to look at: who opens it to work brings it to the present layout.
    #[error(
        "the work store has layout {found} of an older version, this program reads {known}; its next \
         start brings it to that"
    )]
    OlderLayout { found: i64, known: usize },
    #[error("the work store holds {what}, which no version of this program writes")]
    Foreign { what: String },
    #[error(
        "the Redis server has version {version:?}, at least 7 is needed (Valkey answers as 7.2)"
    )]
    ServerTooOld { version: String },
    /// What it evicts would be taken for what never was.
    #[error(
        "the Redis server evicts keys when it is full (maxmemory-policy {policy:?}): set it to noeviction"
    )]
    Evicts { policy: String },
    /// Others use it for longer than a write takes.
    #[error("the work store is busy")]
    Busy { source: Cause },
    /// No answer within the time limit of a call.
    #[error("the work store does not answer")]
    Silent,
    /// Full, failing, or gone.
    #[error("the work store cannot be used")]
    Unusable { source: Cause },
    #[error("the work store refused a request")]
    Refused { source: Cause },
}

impl Classify for WorkError {
    fn class(&self) -> Class {
        match self {
            Self::Busy { .. } | Self::Silent | Self::Unusable { .. } => {
                Class::Outage(Dependency::WorkStore)
            }
            Self::LeaseLost { .. }
            | Self::OtherBatch { .. }
            | Self::OtherItem { .. }
            | Self::NoItem { .. }
            | Self::UnknownSchema { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Gap { .. }
            | Self::BatchTooLarge { .. }
            | Self::NewerLayout { .. }
            | Self::OlderLayout { .. }
            | Self::ServerTooOld { .. }
            | Self::Evicts { .. }
            | Self::Foreign { .. }
            | Self::Refused { .. } => Class::Permanent,
        }
    }
}
