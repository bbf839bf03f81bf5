//! What a lease covers and a batch holds, whatever keeps them. Looked at before anything is asked.

use muniment_model::{BatchNumber, FileRecord, ObjectRecord, WorkItemId};

use crate::{BATCH_FILES_MAX, Lease, Subject, WorkError};

/// The item that the lease is about.
pub(crate) fn item_of(lease: &Lease) -> Result<WorkItemId, WorkError> {
    match lease.identity.subject {
        Subject::Item(item) => Ok(item),
        Subject::File(_) => Err(WorkError::NoItem {
            identity: lease.identity,
        }),
    }
}

/// The lease on a batch covers that batch only; the planner's covers the whole item.
pub(crate) fn check_batch(lease: &Lease, batch: BatchNumber) -> Result<(), WorkError> {
    if lease.identity.batch.is_none_or(|own| own == batch) {
        Ok(())
    } else {
        Err(WorkError::OtherBatch {
            identity: lease.identity,
            batch,
        })
    }
}

pub(crate) fn check_count(
    item: WorkItemId,
    batch: BatchNumber,
    count: usize,
) -> Result<(), WorkError> {
    if count > BATCH_FILES_MAX {
        return Err(WorkError::BatchTooLarge { item, batch, count });
    }
    Ok(())
}

/// The record has to be that of the lease's item.
pub(crate) fn check_object(lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
    if record.item == item_of(lease)? {
        return Ok(());
    }
    Err(WorkError::OtherItem {
        identity: lease.identity,
        item: record.item,
    })
}

/// The bytes of the files.
pub(crate) fn size_of(records: &[FileRecord]) -> u64 {
    records
        .iter()
        .fold(0, |sum, record| sum.saturating_add(record.size))
}
