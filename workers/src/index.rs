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

const END: &str = "end";
const STORING: &str = "storing";

fn batch_key(item: WorkItemId, batch: BatchNumber) -> ObjectKey {
    KeyPrefix::index_of(item).key(&batch.to_string())
}

fn end_key(item: WorkItemId) -> ObjectKey {
    KeyPrefix::index_of(item).key(END)
}

fn storing_key(item: WorkItemId) -> ObjectKey {
    KeyPrefix::index_of(item).key(STORING)
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

/// What the index of an item holds: for an operator who looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexView {
    /// Which batches it has, in their order.
    pub batches: Vec<BatchNumber>,
    /// Whether pass one has seen the whole tar.
    pub has_end: bool,
    /// Whether storing has begun: the item ends in Success or stays with an operator.
    pub is_storing: bool,
    /// How often the item has come back to Validate, because its records were lost.
    pub returns: u32,
    /// How often it has come back to Copy To Staging, because staged files had changed.
    pub restagings: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the staging bucket does not answer as it should")]
    Storage(#[from] StorageError),
    #[error("{key} is not readable")]
    Unreadable {
        key: ObjectKey,
        source: serde_json::Error,
    },
}

/// Looks at the index and changes nothing. An item without one has an empty view.
pub async fn look(staging: &StagingBucket, item: WorkItemId) -> Result<IndexView, IndexError> {
    let prefix = KeyPrefix::index_of(item);
    let mut view = IndexView::default();
    let mut listing = staging.list(&prefix);
    while let Some(page) = listing.next_page().await? {
        let names = page
            .iter()
            .filter_map(|one| one.key.strip_prefix(prefix.as_str()));
        for name in names {
            match name.parse() {
                Ok(number) => view.batches.push(BatchNumber(number)),
                Err(_no_number) => {
                    view.has_end |= name == END;
                    view.is_storing |= name == STORING;
                }
            }
        }
    }
    view.batches.sort_unstable();
    let count = async |to: Return| read::<u32>(staging, &to.key(item)).await;
    view.returns = count(Return::ToValidate).await?.unwrap_or_default();
    view.restagings = count(Return::ToCopyToStaging).await?.unwrap_or_default();
    Ok(view)
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
    read(staging, key).await.map_err(|error| match error {
        IndexError::Storage(error) => error.into(),
        IndexError::Unreadable { source, .. } => {
            JobError::halt(format!("{key} is not readable: {source}"))
        }
    })
}

async fn read<T: DeserializeOwned>(
    staging: &StagingBucket,
    key: &ObjectKey,
) -> Result<Option<T>, IndexError> {
    let json = match staging.get(key, INDEX_BYTES_MAX).await {
        Ok(json) => json,
        Err(StorageError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|source| IndexError::Unreadable {
            key: key.clone(),
            source,
        })
}
