//! Whether the copies of files that a bag holds unchanged are there.
//!
//! The registry says what was recorded; only the buckets know what is left. A file is passed over as
//! unchanged only when each copy of it answers, so that a depositor's second upload repairs what was
//! lost, and no bag is deleted on the word of a record.
//!
//! It only asks.

use futures::FutureExt;
use muniment_model::{Algorithm, FileRecord, ObjectKey, ObjectRecord, StorageTarget};
use muniment_objects::{Head, PreservationBuckets, StorageError};
use muniment_runtime::{Job, JobError};
use tracing::warn;

use crate::side_by_side;

/// Questions to the preservation buckets at a time, as of the verifier.
const AT_A_TIME: usize = 32;

/// Takes the mark "unchanged" from each file of which a copy is missing or differs. It is stored
/// and recorded anew, as a changed file is.
pub(super) async fn require_copies(
    preservation: &PreservationBuckets,
    job: &Job,
    object: &ObjectRecord,
    files: &mut [FileRecord],
) -> Result<(), JobError> {
    let targets = object.storage_option().targets();
    let files = files
        .iter_mut()
        .map(|file| require_copies_of(preservation, job, targets, file).boxed());
    side_by_side(files.collect(), AT_A_TIME).await
}

async fn require_copies_of(
    preservation: &PreservationBuckets,
    job: &Job,
    targets: &[StorageTarget],
    file: &mut FileRecord,
) -> Result<(), JobError> {
    let Some(uuid) = file
        .registered
        .as_ref()
        .filter(|known| known.unchanged)
        .map(|known| known.uuid)
    else {
        return Ok(());
    };
    let key = ObjectKey::from(uuid);
    for target in targets {
        job.may_stop()?;
        if !is_there(preservation, *target, &key, file).await? {
            warn!(work_item = %job.item_id(), path = file.path, %target, copy = %key,
                "a copy of an unchanged file is missing or differs; the file is stored anew");
            if let Some(known) = &mut file.registered {
                known.unchanged = false;
            }
            return Ok(());
        }
    }
    Ok(())
}

async fn is_there(
    preservation: &PreservationBuckets,
    target: StorageTarget,
    key: &ObjectKey,
    file: &FileRecord,
) -> Result<bool, StorageError> {
    match preservation.head(target, key).await {
        Ok(head) => Ok(is_copy_of(&head, file)),
        Err(StorageError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// By the store's own checksum; where it keeps none, by the digest that was stored with the copy.
fn is_copy_of(head: &Head, file: &FileRecord) -> bool {
    let Some(digests) = &file.digests else {
        return false;
    };
    let has_digest = || head.metadata.get("sha256") == Some(&digests.hex(Algorithm::Sha256));
    head.size == file.size
        && head
            .crc64nvme
            .map_or_else(has_digest, |crc| crc == digests.crc64nvme)
}

#[cfg(test)]
mod tests;
