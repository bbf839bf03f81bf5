//! Whether a record that a client sends is complete and well formed, and may be made by a client at all.
//!
//! The shape of a record is `muniment_model`'s, so that the workers can ask the same before they store.

use muniment_model::Action;
use muniment_model::registry::checks::{self, BatchFault, Faults};
use muniment_model::registry::{
    GenericFile, IntellectualObject, PremisEvent, StorageRecord, WorkItem,
};

use super::RuleError;

impl From<Faults> for RuleError {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults.to_string())
    }
}

impl From<BatchFault> for RuleError {
    fn from(fault: BatchFault) -> Self {
        let invalid = Self::Invalid(fault.to_string());
        match fault {
            BatchFault::TooLong(_) => invalid,
            BatchFault::Twice { index, identifier } => invalid.at(index, &identifier),
        }
    }
}

pub(crate) fn item(item: &WorkItem) -> Result<(), RuleError> {
    Ok(checks::item(item)?)
}

/// An item that a client makes. A deletion is made by the approval of its request alone: otherwise one key
/// could do what takes two persons.
pub(crate) fn new_item(item: &WorkItem) -> Result<(), RuleError> {
    let is_unapproved = item.aptrust_approver.is_empty()
        && item.inst_approver.is_empty()
        && item.deletion_request_id == 0;
    let mut faults = Vec::new();
    if item.action == Action::Delete {
        faults.push("Action: a Delete item is made by the approval of a deletion request");
    }
    if !is_unapproved {
        faults.push(
            "Approver: approvers and deletion request are set by the approval of the request",
        );
    }
    if !faults.is_empty() {
        return Err(RuleError::Invalid(faults.join("\n")));
    }
    self::item(item)
}

pub(crate) fn object(object: &IntellectualObject) -> Result<(), RuleError> {
    Ok(checks::object(object)?)
}

/// Whether a batch is small enough and names each file once.
pub(crate) fn batch(files: &[GenericFile]) -> Result<(), RuleError> {
    Ok(checks::batch(files)?)
}

/// A file and its new children; those with an id are only an echo.
pub(crate) fn file(file: &GenericFile, object_identifier: &str) -> Result<(), RuleError> {
    Ok(checks::file(file, object_identifier)?)
}

/// An event whose institution and object are known, whether sent or filled in.
pub(crate) fn event(event: &PremisEvent) -> Result<(), RuleError> {
    if event.id != 0 {
        return Err(RuleError::WrittenOnce);
    }
    Ok(checks::event(event)?)
}

pub(crate) fn storage_record(record: &StorageRecord) -> Result<(), RuleError> {
    if record.id != 0 {
        return Err(RuleError::WrittenOnce);
    }
    Ok(checks::storage_record(record)?)
}

#[cfg(test)]
mod tests;
