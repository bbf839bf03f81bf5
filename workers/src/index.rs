//! The index: an item's work records as staged objects, one per sealed batch and one at the end.
//!
//! It makes the loss of the work store harmless. Index objects hold what pass one wrote and are
//! never changed by a later stage, so an item that is rebuilt from them goes on at Validate.
//! Writing one twice writes the same bytes.

use bytes::Bytes;
use muniment_model::{
    BatchNumber, Crc64Nvme, FileRecord, KeyPrefix, ObjectKey, ObjectRecord, WorkItemId,
};
use muniment_objects::{StagingBucket, StorageError};
use muniment_runtime::JobError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A batch holds at most 500 records of about 1 KB; names and headers may make them longer.
const INDEX_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn batch_key(item: WorkItemId, batch: BatchNumber) -> ObjectKey {
    KeyPrefix::index_of(item).key(&batch.to_string())
}

fn end_key(item: WorkItemId) -> ObjectKey {
    KeyPrefix::index_of(item).key("end")
}

fn storing_key(item: WorkItemId) -> ObjectKey {
    KeyPrefix::index_of(item).key("storing")
}

/// Where an item has come back to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Return {
    /// To Validate, because its records were lost.
    ToValidate,
    /// From Store to Copy To Staging, because staged files had changed.
    ToCopyToStaging,
}

impl Return {
    fn key(self, item: WorkItemId) -> ObjectKey {
        KeyPrefix::index_of(item).key(match self {
            Self::ToValidate => "returns",
            Self::ToCopyToStaging => "restagings",
        })
    }
}

/// Counts that the item comes back, and answers how often it has. Kept here and not in the work store,
/// which may lose its records each time. Batches that count at a time may count as one.
pub(crate) async fn count_return(
    staging: &StagingBucket,
    item: WorkItemId,
    to: Return,
) -> Result<u32, JobError> {
    let key = to.key(item);
    let before: u32 = get(staging, &key).await?.unwrap_or_default();
    let returns = before.saturating_add(1);
    put(staging, &key, &returns).await?;
    Ok(returns)
}

/// An operator who says that it is resolved is owed as many returns again.
pub(crate) async fn forget_returns(
    staging: &StagingBucket,
    item: WorkItemId,
    to: Return,
) -> Result<(), JobError> {
    put(staging, &to.key(item), &0).await
}

pub(crate) async fn put_batch(
    staging: &StagingBucket,
    item: WorkItemId,
    batch: BatchNumber,
    files: &[FileRecord],
) -> Result<(), JobError> {
    put(staging, &batch_key(item, batch), &files).await
}

/// The end marker: without it, pass one did not see the whole tar.
pub(crate) async fn put_end(
    staging: &StagingBucket,
    object: &ObjectRecord,
) -> Result<(), JobError> {
    put(staging, &end_key(object.item), object).await
}

pub(crate) async fn batch(
    staging: &StagingBucket,
    item: WorkItemId,
    batch: BatchNumber,
) -> Result<Option<Vec<FileRecord>>, JobError> {
    get(staging, &batch_key(item, batch)).await
}

pub(crate) async fn end(
    staging: &StagingBucket,
    item: WorkItemId,
) -> Result<Option<ObjectRecord>, JobError> {
    get(staging, &end_key(item)).await
}

/// Marks that copies are about to be made: from here on the item cannot be cancelled, also not by a
/// worker that finds its records lost.
pub(crate) async fn begin_storing(
    staging: &StagingBucket,
    item: WorkItemId,
) -> Result<(), JobError> {
    put(staging, &storing_key(item), &item).await
}

pub(crate) async fn has_begun_storing(
    staging: &StagingBucket,
    item: WorkItemId,
) -> Result<bool, JobError> {
    match staging.head(&storing_key(item)).await {
        Ok(_) => Ok(true),
        Err(StorageError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn put<T: Serialize + ?Sized>(
    staging: &StagingBucket,
    key: &ObjectKey,
    value: &T,
) -> Result<(), JobError> {
    let json = serde_json::to_vec(value)
        .map_err(|error| JobError::halt(format!("cannot write {key}: {error}")))?;
    let crc = checksum(&json);
    staging.put(key, Bytes::from(json), crc).await?;
    Ok(())
}

fn checksum(bytes: &[u8]) -> Crc64Nvme {
    let mut crc = muniment_digest::Crc64::new();
    crc.update(bytes);
    crc.value()
}

async fn get<T: DeserializeOwned>(
    staging: &StagingBucket,
    key: &ObjectKey,
) -> Result<Option<T>, JobError> {
    let json = match staging.get(key, INDEX_BYTES_MAX).await {
        Ok(json) => json,
        Err(StorageError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|error| JobError::halt(format!("{key} is not readable: {error}")))
}
