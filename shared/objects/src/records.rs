//! The records bucket: one deposit record per ingest, kept for good. Nothing here deletes.
//!
//! A record that is written again replaces itself with the same text.

use bytes::Bytes;
use muniment_model::{BucketName, ObjectKey};

use crate::bucket::{Attributes, Bucket, Head, LeftOpen};
use crate::error::StorageError;
use crate::writer::ObjectWriter;

#[derive(Clone, Debug)]
pub struct RecordsBucket(pub(crate) Bucket);

impl RecordsBucket {
    pub fn name(&self) -> &BucketName {
        &self.0.name
    }

    pub fn writer(&self, key: &ObjectKey) -> ObjectWriter {
        let attributes = Attributes {
            left_open: LeftOpen::ByKey,
            ..Attributes::internal()
        };
        ObjectWriter::new(self.0.clone(), key.clone(), attributes)
    }

    /// Aborts the uploads of a record that a killed worker left open; returns how many there were.
    pub async fn abort_uploads(&self, key: &ObjectKey) -> Result<u64, StorageError> {
        self.0.abort_uploads_to(key).await
    }

    pub async fn head(&self, key: &ObjectKey) -> Result<Head, StorageError> {
        self.0.head(key).await
    }

    /// A record as a whole; `TooLarge` beyond `size_max`.
    pub async fn get(&self, key: &ObjectKey, size_max: u64) -> Result<Bytes, StorageError> {
        self.0.get(key, size_max, None).await
    }
}
