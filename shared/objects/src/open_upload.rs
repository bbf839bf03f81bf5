//! Multipart uploads that nobody ended: they cost money, and never become an object.
//!
//! Where a prefix belongs to one holder, as in staging, they are found by it. Elsewhere there is one
//! key to a file: before an upload to it begins, those that a killed worker left open are aborted. An
//! upload whose future is dropped is remembered, and aborted when its job ends. An upload is
//! named by its id, so to abort it again does nothing, and never harms another.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use muniment_model::{BucketName, Chain, Crc64Nvme, ObjectKey};

use crate::answer::Condition;
use crate::bucket::{Attributes, Bucket, LeftOpen};
use crate::connection::Limit;
use crate::error::StorageError;
use crate::multipart::{Part, Upload};

/// How long the uploads that a job left open may take to be aborted. While a store is away they
/// stay, and are found before the next upload to the same key.
const ABORTS_LIMIT: Duration = Duration::from_secs(10);

/// How many dropped uploads are remembered. A job has some tens of copies under way at most.
pub(crate) const LEFT_OPEN_MAX: usize = 1_000;

/// An upload that was dropped before its end.
#[derive(Debug)]
pub(crate) struct LeftOpenUpload {
    pub(crate) bucket: BucketName,
    key: ObjectKey,
    id: String,
}

/// An upload, held by the one who ends it.
#[derive(Debug)]
pub(crate) struct OpenUpload {
    upload: Upload,
    left_open: LeftOpen,
    ended: bool,
}

impl OpenUpload {
    pub(crate) async fn begin(
        bucket: &Bucket,
        key: &ObjectKey,
        attributes: &Attributes,
    ) -> Result<Self, StorageError> {
        let left_open = attributes.left_open;
        if left_open == LeftOpen::ByKey {
            bucket.abort_earlier_uploads(key).await;
        }
        Ok(Self {
            upload: Upload::begin(bucket, key, attributes).await?,
            left_open,
            ended: false,
        })
    }

    /// For those who add parts.
    pub(crate) fn parts(&self) -> &Upload {
        &self.upload
    }

    pub(crate) async fn complete(
        &mut self,
        parts: &[Part],
        size: u64,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        let etag = self.upload.complete(parts, size, crc).await?;
        self.ended = true;
        Ok(etag)
    }

    /// Gives the upload up. A failure is logged only: the error that led here matters more.
    pub(crate) async fn abort(mut self) {
        let Upload {
            bucket, key, id, ..
        } = &self.upload;
        let aborted = bucket.abort_upload(key, id).await;
        self.ended = aborted.is_ok();
        warn_if_left(&self.upload.bucket, &self.upload.key, aborted);
    }
}

impl Drop for OpenUpload {
    fn drop(&mut self) {
        if self.ended || self.left_open == LeftOpen::ByPrefix {
            return;
        }
        let Upload {
            bucket, key, id, ..
        } = &self.upload;
        bucket.connection.remember(LeftOpenUpload {
            bucket: bucket.name.clone(),
            key: key.clone(),
            id: id.clone(),
        });
    }
}

fn warn_if_left(bucket: &Bucket, key: &ObjectKey, aborted: Result<(), StorageError>) {
    if let Err(error) = aborted {
        tracing::warn!(
            bucket = %bucket.name,
            %key,
            cause = %Chain(&error),
            "a multipart upload is left open"
        );
    }
}

impl Bucket {
    /// Aborts what was dropped on the way, all at once and within a limit.
    pub(crate) async fn abort_left_open(&self) {
        let left = self.connection.forget_left_open(&self.name);
        let mut aborts: FuturesUnordered<_> = left
            .iter()
            .map(|upload| async {
                let aborted = self.abort_upload(&upload.key, &upload.id).await;
                warn_if_left(self, &upload.key, aborted);
            })
            .collect();
        let all = async { while aborts.next().await.is_some() {} };
        if tokio::time::timeout(ABORTS_LIMIT, all).await.is_err() {
            tracing::warn!(bucket = %self.name, "multipart uploads are left open: no answer");
        }
    }

    /// Aborts the uploads to this key that are open. Only its leaseholder writes a key, so none of
    /// them is in use. A failure is logged only: it takes nothing from the upload that follows.
    async fn abort_earlier_uploads(&self, key: &ObjectKey) {
        let aborted = self.abort_uploads_to(key).await.map(|_| ());
        warn_if_left(self, key, aborted);
    }

    /// Aborts an upload; one that is gone is as good.
    pub(crate) async fn abort_upload(&self, key: &ObjectKey, id: &str) -> Result<(), StorageError> {
        let resource = self.resource_of(key);
        let result = self
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .abort_multipart_upload()
                    .bucket(self.name.as_str())
                    .key(key.as_str())
                    .upload_id(id)
                    .send()
            })
            .await;
        match result {
            Ok(_) | Err(StorageError::UploadGone(_) | StorageError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
