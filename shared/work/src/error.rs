//! What can go wrong with the shared work, and whether trying again can help.

use muniment_model::{BatchNumber, Class, Classify, SCHEMA_VERSION, WorkItemId};

use crate::{BATCH_FILES_MAX, Identity};

#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Somebody else holds the work, or nobody does any more. Nothing was written.
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
    #[error("the work file has layout {found}, this program knows up to {known}")]
    NewerLayout { found: i64, known: i64 },
    #[error("the work file holds {what}, which no version of this program writes")]
    Foreign { what: String },
    /// Another process holds the file for longer than a write takes.
    #[error("the work file is busy")]
    Busy { source: sqlx::Error },
    /// The disk is full, failing or gone.
    #[error("the work file cannot be used")]
    Unusable { source: sqlx::Error },
    #[error("the work file refused a statement")]
    Refused { source: sqlx::Error },
}

impl Classify for WorkError {
    fn class(&self) -> Class {
        match self {
            Self::Busy { .. } => Class::Transient { after: None },
            Self::Unusable { .. } => Class::Outage,
            Self::LeaseLost { .. }
            | Self::OtherBatch { .. }
            | Self::OtherItem { .. }
            | Self::UnknownSchema { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Gap { .. }
            | Self::BatchTooLarge { .. }
            | Self::NewerLayout { .. }
            | Self::Foreign { .. }
            | Self::Refused { .. } => Class::Permanent,
        }
    }
}

// The primary result codes of SQLite ("Result and Error Codes"), in the low byte of an extended one.
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_NOMEM: u32 = 7;
const SQLITE_READONLY: u32 = 8;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;

impl From<sqlx::Error> for WorkError {
    fn from(source: sqlx::Error) -> Self {
        let code = source
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<u32>().ok());
        let Some(code) = code else {
            // Not an answer of SQLite: the thread that talks to it is gone, or a row is not ours.
            let gone = matches!(source, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed);
            return if gone {
                Self::Unusable { source }
            } else {
                Self::Refused { source }
            };
        };
        match code & 0xff {
            SQLITE_BUSY | SQLITE_LOCKED => Self::Busy { source },
            SQLITE_NOMEM | SQLITE_READONLY | SQLITE_IOERR | SQLITE_FULL | SQLITE_CANTOPEN => {
                Self::Unusable { source }
            }
            _ => Self::Refused { source },
        }
    }
}
