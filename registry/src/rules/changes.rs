//! What an update may change, and what stays as it was recorded (registry contract, 2.5 and 8.5).

use muniment_model::registry::{GenericFile, IntellectualObject, RecordState, WorkItem};

use super::RuleError;

/// What makes a work item this upload's cannot change. Stage and status can, in any way: the workers
/// know the order, and an operator must be able to put an item anywhere.
pub(crate) fn item(stored: &WorkItem, wanted: &WorkItem) -> Result<(), RuleError> {
    if wanted.institution_id != stored.institution_id {
        return Err(RuleError::Mismatch);
    }
    let fixed = [
        ("name", wanted.name == stored.name),
        ("etag", wanted.etag == stored.etag),
        ("action", wanted.action == stored.action),
        ("bucket", wanted.bucket == stored.bucket),
        ("bag_date", wanted.bag_date == stored.bag_date),
        (
            "aptrust_approver",
            wanted.aptrust_approver == stored.aptrust_approver,
        ),
        (
            "inst_approver",
            wanted.inst_approver == stored.inst_approver,
        ),
        (
            "deletion_request_id",
            wanted.deletion_request_id == stored.deletion_request_id,
        ),
        (
            "intellectual_object_id",
            may_become(stored.intellectual_object_id, wanted.intellectual_object_id),
        ),
        (
            "generic_file_id",
            may_become(stored.generic_file_id, wanted.generic_file_id),
        ),
    ];
    first_change(&fixed)
}

/// The version that a client saw must be the one that is stored. A client that names none takes its
/// chance, as with the original.
pub(crate) fn version(stored: i64, expected: Option<i64>) -> Result<(), RuleError> {
    match expected {
        Some(sent) if sent != stored => Err(RuleError::VersionDiffers { sent, stored }),
        Some(_) | None => Ok(()),
    }
}

/// The object as it will be stored: what stays is put back.
pub(crate) fn object(
    stored: &IntellectualObject,
    wanted: &IntellectualObject,
) -> Result<IntellectualObject, RuleError> {
    if wanted.id != stored.id || wanted.institution_id != stored.institution_id {
        return Err(RuleError::Mismatch);
    }
    first_change(&[("identifier", wanted.identifier == stored.identifier)])?;
    let mut next = wanted.clone();
    next.created_at = stored.created_at;
    // Files already stored keep the option they were stored under. Only deleting them all frees it.
    if stored.state == RecordState::Active {
        next.storage_option = stored.storage_option;
    }
    // A client that does not know the member leaves the last recording ingest as it is.
    if wanted.work_item_id.0 == 0 {
        next.work_item_id = stored.work_item_id;
    }
    Ok(next)
}

/// Whether a file that is recorded may take the values of `wanted`: its place does not change.
pub(crate) fn file(
    stored_object: i64,
    stored_identifier: &str,
    wanted: &GenericFile,
) -> Result<(), RuleError> {
    first_change(&[
        ("identifier", wanted.identifier == stored_identifier),
        (
            "intellectual_object_id",
            wanted.intellectual_object_id == stored_object,
        ),
    ])
}

/// A reference may be filled in once, and repeated.
fn may_become(stored: i64, wanted: i64) -> bool {
    stored == 0 || stored == wanted
}

fn first_change(fixed: &[(&'static str, bool)]) -> Result<(), RuleError> {
    match fixed.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(RuleError::Immutable { field }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
