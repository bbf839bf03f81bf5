//! What the registry allows. Pure: nothing here reads a row, a clock or a header, so every rule is
//! tested as a table.

use muniment_model::WorkItemId;

pub(crate) mod access;
pub(crate) mod changes;
pub(crate) mod checks;
pub(crate) mod file_plan;
pub(crate) mod lock;
pub(crate) mod orders;

/// Why a request that was understood is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    /// A value breaks a rule of the contract.
    #[error("{0}")]
    Invalid(String),
    /// The body names another record or institution than the address.
    #[error("resource or institution id mismatch")]
    Mismatch,
    /// Checksums, storage records and events are written once.
    #[error("operation not supported")]
    WrittenOnce,
    #[error("{field} cannot be changed")]
    Immutable { field: &'static str },
    /// The wording is the one that clients of the contract look for.
    #[error("{what} has already been taken")]
    Taken { what: String },
    /// What a work item sends after its lock was released must not overwrite what the next one records.
    #[error("work item {item} does not hold the lock of {object}")]
    WithoutLock { item: WorkItemId, object: String },
    /// What an item did before its ending may be another's to do by now.
    #[error(
        "work item {item} has to wait for work item {holder}, which works on {object}; put it back to \
         Reingest Check, where it waits"
    )]
    LockedBy {
        item: WorkItemId,
        object: String,
        holder: WorkItemId,
    },
    /// An operator's order that the item, as it is, cannot follow.
    #[error("{0}")]
    NotNow(String),
    #[error("the work item is at version {stored}, not {sent}")]
    VersionDiffers { sent: i64, stored: i64 },
    /// The element of a batch that made the whole batch fail.
    #[error("file {index} ({identifier}): {source}")]
    InBatch {
        index: usize,
        identifier: String,
        source: Box<RuleError>,
    },
}

impl RuleError {
    pub(crate) fn taken(what: impl Into<String>) -> Self {
        Self::Taken { what: what.into() }
    }

    /// Names the element of the batch that is refused.
    pub(crate) fn at(self, index: usize, identifier: &str) -> Self {
        Self::InBatch {
            index,
            identifier: identifier.to_owned(),
            source: Box::new(self),
        }
    }
}
