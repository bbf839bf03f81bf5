//! The staging bucket: where the files of an item wait between the stages of its ingest.
//!
//! Everything is under the item's prefix, and may be written again by any attempt: the key
//! names one member of one tar, and every write carries that member's recorded checksum. Nothing
//! relies on the metadata of staged objects.

use std::ops::Range;

use bytes::Bytes;
use muniment_model::{BucketName, Chain, Crc64Nvme, KeyPrefix, ObjectKey, Tar};

use crate::bucket::{Attributes, Bucket, Head, Unconfirmed};
use crate::deletion::Deletion;
use crate::error::StorageError;
use crate::listing::{FirstParts, Listed, Listing};
use crate::multipart::CopySource;
use crate::receiving::ReceivingBucket;
use crate::stream::{ObjectStream, Source};
use crate::writer::ObjectWriter;

#[derive(Clone, Debug)]
pub struct StagingBucket(pub(crate) Bucket);

impl StagingBucket {
    pub fn name(&self) -> &BucketName {
        &self.0.name
    }

    /// Stages a small file. Confirmed by the store when this returns its etag.
    pub async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        self.0.put(key, &bytes, crc, &Attributes::internal()).await
    }

    /// Whether the store can copy from that bucket to this one by itself.
    pub fn can_copy_from(&self, receiving: &ReceivingBucket) -> bool {
        let theirs = &receiving.0.connection;
        self.0.connection.is_one_store_with(theirs)
    }

    /// Stages a range of a tar without a byte passing through us. Where the store has no such
    /// copies, or no checksum to confirm one with, the range is read and written instead. Confirmed
    /// when this returns its etag. A tar that was replaced meanwhile is `Superseded`.
    pub async fn copy_range(
        &self,
        tar: &Tar,
        range: Range<u64>,
        key: &ObjectKey,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        let source = CopySource {
            bucket: &tar.bucket,
            key: &tar.key,
            etag: Some(&tar.etag),
        };
        let attributes = Attributes {
            unconfirmed: Unconfirmed::Report,
            ..Attributes::internal()
        };
        let copied = self
            .0
            .copy_range(source, range.clone(), (key, crc), &attributes)
            .await;
        match copied {
            Err(cause) if cause.is_unsupported() || cause.is_unconfirmed() => {
                tracing::warn!(%key, cause = %Chain(&cause), "a range is not copied but streamed");
                self.stream_range(tar, range, key, crc).await
            }
            copied => copied,
        }
    }

    /// The store that was to copy the range can read it, with the same credentials.
    async fn stream_range(
        &self,
        tar: &Tar,
        range: Range<u64>,
        key: &ObjectKey,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        let connection = &self.0.connection;
        let source = Source {
            bucket: Bucket::new(connection.clone(), tar.bucket.clone()),
            key: tar.key.clone(),
            size: tar.size,
        };
        let stop = connection.stop().clone();
        let stream = ObjectStream::new(source, Some(tar.etag.clone()), range, stop);
        self.writer(key).write_all(stream, crc).await
    }

    /// Stages a large file whose bytes pass through us.
    pub fn writer(&self, key: &ObjectKey) -> ObjectWriter {
        ObjectWriter::new(self.0.clone(), key.clone(), Attributes::internal())
    }

    /// A small object as a whole; `TooLarge` beyond `size_max`.
    pub async fn get(&self, key: &ObjectKey, size_max: u64) -> Result<Bytes, StorageError> {
        self.0.get(key, size_max, None).await
    }

    /// A staged object of the recorded size, as a stream.
    pub fn read(&self, key: &ObjectKey, size: u64) -> ObjectStream {
        self.read_range(key, size, 0..size)
    }

    /// A part of a staged object of the recorded size.
    pub fn read_range(&self, key: &ObjectKey, size: u64, range: Range<u64>) -> ObjectStream {
        self.0.read(key, size, range)
    }

    pub async fn head(&self, key: &ObjectKey) -> Result<Head, StorageError> {
        self.0.head(key).await
    }

    pub fn list(&self, prefix: &KeyPrefix) -> Listing {
        Listing::new(self.0.clone(), prefix.as_str())
    }

    /// The items' prefixes, and whatever else keys begin with up to a slash, that come after `after`,
    /// itself one of them; empty for all.
    pub fn first_parts(&self, after: &str) -> FirstParts {
        FirstParts::new(self.0.clone(), after)
    }

    /// Deletes a page of what [`Self::list`] found. `may_delete` is asked before each try.
    pub async fn delete(
        &self,
        page: &[Listed],
        may_delete: impl Fn() -> bool,
    ) -> Result<Deletion, StorageError> {
        self.0.delete_page(page, may_delete).await
    }

    /// Removes one object, so that it is staged again.
    pub async fn remove(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.0.delete(key).await
    }

    /// Aborts the uploads that a killed worker left open; returns how many there were.
    pub async fn abort_uploads(&self, prefix: &KeyPrefix) -> Result<u64, StorageError> {
        self.0.abort_uploads(prefix).await
    }
}
