//! The upload that a work item is about: whether it is still the one in the receiving bucket.
//!
//! Asked before the tar is read, again before the first copy is stored, and a last time before the
//! tar is deleted. A replaced upload is a work item of its own, so the old one only ends.

use chrono::{DateTime, SecondsFormat, Utc};
use muniment_model::registry::WorkItem;
use muniment_model::{BucketName, ObjectKey};
use muniment_objects::{Head, ReceivingBuckets, StagingBucket, StorageError};
use muniment_runtime::JobError;

use crate::index;

/// What is in the receiving bucket under the item's key.
pub(crate) enum Upload {
    Same(Head),
    Replaced(Head),
    Gone,
}

/// Where the item's tar is.
pub(crate) fn place_of(item: &WorkItem) -> Result<(BucketName, ObjectKey), JobError> {
    let bucket = BucketName::new(item.bucket.as_str());
    let key = ObjectKey::new(item.name.as_str());
    match (bucket, key) {
        (Ok(bucket), Ok(key)) => Ok((bucket, key)),
        (Err(fault), _) | (_, Err(fault)) => Err(JobError::halt(format!(
            "the work item does not name an upload: {fault}"
        ))),
    }
}

/// Compares the receiving bucket with the item. The same bytes put again are another upload, so
/// the time counts as well as the etag; S3 gives it in whole seconds.
pub(crate) async fn look(
    receiving: &ReceivingBuckets,
    item: &WorkItem,
) -> Result<Upload, JobError> {
    let (bucket, key) = place_of(item)?;
    match receiving.bucket(bucket).head(&key).await {
        Ok(head) if head.etag == item.etag && same_second(item.bag_date, head.last_modified) => {
            Ok(Upload::Same(head))
        }
        Ok(head) => Ok(Upload::Replaced(head)),
        Err(StorageError::NotFound { .. }) => Ok(Upload::Gone),
        Err(error) => Err(error.into()),
    }
}

fn same_second(ours: Option<DateTime<Utc>>, theirs: DateTime<Utc>) -> bool {
    ours.is_some_and(|ours| ours.timestamp() == theirs.timestamp())
}

/// Ends the item unless its upload is still the one in the bucket. Only before anything is stored.
pub(crate) async fn require_same(
    receiving: &ReceivingBuckets,
    item: &WorkItem,
) -> Result<Head, JobError> {
    match look(receiving, item).await? {
        Upload::Same(head) => Ok(head),
        Upload::Replaced(newer) => Err(JobError::Cancel {
            note: replaced_note(item, Some(&newer)),
        }),
        Upload::Gone => Err(JobError::Cancel {
            note: gone_note(item),
        }),
    }
}

/// `newer` is `None` when a read was refused and the newer upload has not been looked at.
pub(crate) fn replaced_note(item: &WorkItem, newer: Option<&Head>) -> String {
    match newer {
        Some(newer) => format!(
            "{} was replaced by the upload of {} (etag {}), which is ingested instead",
            item.name,
            newer
                .last_modified
                .to_rfc3339_opts(SecondsFormat::Secs, true),
            newer.etag
        ),
        None => format!(
            "{} was replaced by a newer upload, which is ingested instead",
            item.name
        ),
    }
}

/// What it means that the tar could not be read.
pub(crate) fn explain_read(item: &WorkItem, error: StorageError) -> JobError {
    if matches!(error, StorageError::NotFound { .. }) {
        return JobError::Cancel {
            note: gone_note(item),
        };
    }
    if matches!(error, StorageError::Superseded { .. }) {
        return JobError::Cancel {
            note: replaced_note(item, None),
        };
    }
    error.into()
}

/// Past the point of no return nothing ends but in Success: what would end otherwise goes to an
/// operator, whichever worker finds it.
pub(crate) async fn unless_storing(
    staging: &StagingBucket,
    item: &WorkItem,
    error: JobError,
) -> JobError {
    let note = match &error {
        JobError::Cancel { note } => note.clone(),
        JobError::Reject(findings) => findings.note(),
        JobError::Retry { .. }
        | JobError::RecordsLost
        | JobError::GoBack { .. }
        | JobError::Halt { .. }
        | JobError::Stopped
        | JobError::Outage { .. }
        | JobError::Wait { .. }
        | JobError::LeaseLost => return error,
    };
    match index::has_begun_storing(staging, item.id).await {
        Ok(false) => error,
        Ok(true) => JobError::halt(format!(
            "{note}. But copies of its files are in preservation storage already, and what is left \
             cannot be read. Upload the same bag again; it is taken up as a new item once this one \
             is cancelled."
        )),
        Err(unknown) => unknown,
    }
}

pub(crate) fn gone_note(item: &WorkItem) -> String {
    format!(
        "{} is no longer in {}; upload it again to have it ingested",
        item.name, item.bucket
    )
}

#[cfg(test)]
mod tests;
