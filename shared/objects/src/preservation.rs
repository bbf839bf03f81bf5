//! The preservation buckets: where copies are kept for good.
//!
//! Stands at the point of no return. Nothing here deletes, and nothing replaces: every write says
//! `If-None-Match: *`, and a key that is taken counts as done only if the object there has the
//! recorded size and checksum. So a copy may be ordered any number of times. How each copy was
//! proved is returned, to be recorded.

use std::collections::HashMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, MetadataDirective};
use crc_fast::{CrcAlgorithm, Digest};
use muniment_model::{BucketName, Crc64Nvme, ObjectKey, Proof, Provider, StorageTarget};

use crate::answer::{broken_body, error_of};
use crate::bucket::{Attributes, Bucket, Existing, Head, full_object, incomplete};
use crate::connection::{Connection, Limit};
use crate::error::StorageError;
use crate::multipart::CopySource;
use crate::range_copy::COPY_BYTES_MAX;
use crate::staging::StagingBucket;
use crate::stream::{ObjectStream, RANGE_BYTES, Source};
use crate::writer::ObjectWriter;

/// Every preservation bucket that is configured.
#[derive(Clone, Debug)]
pub struct PreservationBuckets {
    buckets: HashMap<StorageTarget, Bucket>,
    aws_host: String,
    wasabi_host: String,
}

/// A staged file that is to become a preserved one. Everything but `from` comes from the record.
#[derive(Clone, Debug)]
pub struct CopyOrder {
    /// In the staging bucket.
    pub from: ObjectKey,
    /// In the preservation bucket: the file's uuid.
    pub to: ObjectKey,
    pub size: u64,
    pub crc64nvme: Crc64Nvme,
    pub content_type: String,
    /// See [`crate::user_metadata`].
    pub metadata: HashMap<String, String>,
}

impl CopyOrder {
    fn attributes(&self) -> Attributes {
        Attributes {
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            existing: Existing::Keep,
        }
    }
}

impl PreservationBuckets {
    pub(crate) fn new(
        buckets: HashMap<StorageTarget, (Connection, BucketName)>,
        aws_host: String,
        wasabi_host: String,
    ) -> Self {
        let buckets = buckets
            .into_iter()
            .map(|(target, (connection, name))| (target, Bucket::new(connection, name)))
            .collect();
        Self {
            buckets,
            aws_host,
            wasabi_host,
        }
    }

    /// The targets that have a bucket.
    pub fn targets(&self) -> impl Iterator<Item = StorageTarget> {
        self.buckets.keys().copied()
    }

    fn bucket(&self, target: StorageTarget) -> Result<&Bucket, StorageError> {
        self.buckets
            .get(&target)
            .ok_or(StorageError::NotConfigured { target })
    }

    /// The copy's URL as the registry records it. The host is a setting, so that the URL stays
    /// true when an endpoint moves.
    pub fn url(&self, target: StorageTarget, key: &ObjectKey) -> Result<String, StorageError> {
        let bucket = &self.bucket(target)?.name;
        let region = target.region();
        let host = match target.provider() {
            Provider::Aws => &self.aws_host,
            Provider::Wasabi => &self.wasabi_host,
        };
        Ok(format!("https://s3.{region}.{host}/{bucket}/{key}"))
    }

    /// Makes the copy, or finds that it is there, and says how we know that it is right.
    ///
    /// `AlreadyThere` means that something else has the key: an operator has to look.
    pub async fn store(
        &self,
        target: StorageTarget,
        staging: &StagingBucket,
        order: &CopyOrder,
    ) -> Result<Proof, StorageError> {
        let bucket = self.bucket(target)?;
        let from = staging.inner();
        let (made, proof) = if !bucket.connection.is_one_store_with(&from.connection) {
            (stream_copy(bucket, staging, order).await, Proof::Stored)
        } else if order.size > COPY_BYTES_MAX {
            (copy_in_parts(bucket, from, order).await, Proof::Carried)
        } else {
            (copy_at_once(bucket, from, order).await, Proof::Carried)
        };
        match made {
            Ok(()) => Ok(proof),
            // This key is derived from the item, the path and the digest, so only an earlier
            // attempt of ours can have taken it, unless something is very wrong.
            Err(error @ StorageError::AlreadyThere { .. }) => {
                match prove(bucket, order, proof).await? {
                    Some(proof) => Ok(proof),
                    None => Err(error),
                }
            }
            Err(StorageError::Unconfirmed { bucket: name, key }) => {
                match prove(bucket, order, proof).await? {
                    Some(proof) => Ok(proof),
                    None => Err(StorageError::DamagedOnTheWay { bucket: name, key }),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub async fn head(&self, target: StorageTarget, key: &ObjectKey) -> Result<Head, StorageError> {
        self.bucket(target)?.head(key).await
    }

    /// A copy of the recorded size, as a stream.
    pub fn read(
        &self,
        target: StorageTarget,
        key: &ObjectKey,
        size: u64,
    ) -> Result<ObjectStream, StorageError> {
        Ok(read(self.bucket(target)?, key, size))
    }

    /// Reads a copy of the recorded size to its end and returns the checksum of its bytes.
    pub async fn read_back(
        &self,
        target: StorageTarget,
        key: &ObjectKey,
        size: u64,
    ) -> Result<Crc64Nvme, StorageError> {
        read_back(self.bucket(target)?, key, size).await
    }
}

/// How we know that the object at the key is the one that was ordered; `None` when it is not.
async fn prove(
    bucket: &Bucket,
    order: &CopyOrder,
    if_reported: Proof,
) -> Result<Option<Proof>, StorageError> {
    let head = match bucket.head(&order.to).await {
        Ok(head) => head,
        // Taken when we wrote, gone when we asked: somebody else's attempt is under way.
        Err(error @ StorageError::NotFound { .. }) => {
            return Err(broken_body(error, &bucket.place_of(&order.to)));
        }
        Err(error) => return Err(error),
    };
    if head.size != order.size {
        return Ok(None);
    }
    let (found, proof) = match head.crc64nvme {
        Some(reported) => (reported, if_reported),
        None => (
            read_back(bucket, &order.to, order.size).await?,
            Proof::ReadBack,
        ),
    };
    Ok((found == order.crc64nvme).then_some(proof))
}

fn read(bucket: &Bucket, key: &ObjectKey, size: u64) -> ObjectStream {
    let source = Source {
        bucket: bucket.clone(),
        key: key.clone(),
        size,
    };
    let stop = bucket.connection.stop().clone();
    ObjectStream::new(source, None, 0..size, stop)
}

async fn read_back(bucket: &Bucket, key: &ObjectKey, size: u64) -> Result<Crc64Nvme, StorageError> {
    let mut stream = read(bucket, key, size);
    let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
    while let Some(bytes) = stream.next().await? {
        crc.update(&bytes);
    }
    Ok(Crc64Nvme(crc.finalize()))
}

/// The store copies by itself, with metadata and media type as ordered: those of the staged object
/// mean nothing.
async fn copy_at_once(
    bucket: &Bucket,
    from: &Bucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let place = bucket.place_of(&order.to);
    let limit = Limit::copy(order.size);
    let attributes = order.attributes();
    let source = CopySource {
        bucket: &from.name,
        key: &order.from,
        etag: None,
    };
    let output = bucket
        .connection
        .call(&place, limit, || async {
            bucket
                .connection
                .client()
                .copy_object()
                .bucket(bucket.name.as_str())
                .key(order.to.as_str())
                .copy_source(source.header())
                .metadata_directive(MetadataDirective::Replace)
                .set_metadata(Some(attributes.metadata.clone()))
                .content_type(&attributes.content_type)
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .set_if_none_match(attributes.if_none_match())
                .send()
                .await
                .map_err(|error| error_of(error, &place, attributes.condition()))
        })
        .await
        .map_err(|error| about_source(error, from, &order.from))?;
    let Some(result) = output.copy_object_result else {
        return Err(incomplete(&place, "a copy without result"));
    };
    let returned = full_object(result.checksum_crc64_nvme(), result.checksum_type());
    bucket
        .confirm(&order.to, returned, order.crc64nvme, order.size)
        .await
}

/// What is not found in a copy is its source: the target is what we were about to make.
fn about_source(error: StorageError, from: &Bucket, key: &ObjectKey) -> StorageError {
    if let StorageError::NotFound { .. } = error {
        return StorageError::NotFound {
            bucket: from.name.clone(),
            key: key.clone(),
        };
    }
    error
}

async fn copy_in_parts(
    bucket: &Bucket,
    from: &Bucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let source = CopySource {
        bucket: &from.name,
        key: &order.from,
        etag: None,
    };
    let target = (&order.to, order.crc64nvme);
    bucket
        .copy_range(source, 0..order.size, target, &order.attributes())
        .await
}

/// From one store to another, through us: the bytes as staged, the checksum as recorded.
async fn stream_copy(
    bucket: &Bucket,
    staging: &StagingBucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let attributes = order.attributes();
    if order.size <= RANGE_BYTES {
        let bytes = staging.get(&order.from, RANGE_BYTES).await?;
        staging
            .inner()
            .must_have_size(&order.from, order.size, bytes.len() as u64)?;
        return bucket
            .put(&order.to, &bytes, order.crc64nvme, &attributes)
            .await;
    }
    let mut stream = staging.read(&order.from, order.size);
    let mut writer = ObjectWriter::new(bucket.clone(), order.to.clone(), attributes);
    let sent = loop {
        match stream.next().await {
            Ok(Some(bytes)) => {
                if let Err(error) = writer.write(bytes).await {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = sent {
        writer.abort().await;
        return Err(error);
    }
    writer.finish(Some(order.crc64nvme)).await.map(|_| ())
}
