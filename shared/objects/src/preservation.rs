//! The preservation buckets: where copies are kept for good.
//!
//! The point of no return. Nothing here deletes, and nothing replaces: every write says
//! `If-None-Match: *`, and a key that is taken counts as done only if the object there has the
//! recorded size and checksum. So a copy may be ordered any number of times. The
//! verification method of each copy is returned, to be recorded.

use std::collections::HashMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, MetadataDirective};
use muniment_model::{Crc64Nvme, ObjectKey, Provider, StorageTarget, VerificationMethod};

use crate::answer::{Condition, broken_body};
use crate::bucket::{Attributes, Bucket, Head, LeftOpen, Unconfirmed, full_object, incomplete};
use crate::connection::Limit;
use crate::error::StorageError;
use crate::multipart::CopySource;
use crate::range_copy::COPY_BYTES_MAX;
use crate::staging::StagingBucket;
use crate::stream::{ObjectStream, RANGE_BYTES, Source};
use crate::writer::ObjectWriter;

/// Every preservation bucket that is configured.
#[derive(Clone, Debug)]
pub struct PreservationBuckets {
    pub(crate) buckets: HashMap<StorageTarget, Bucket>,
    pub(crate) aws_host: String,
    pub(crate) wasabi_host: String,
}

/// A staged file that is to become a preserved one. Everything but `from` comes from the record.
#[derive(Clone, Debug)]
pub struct CopyOrder {
    /// In the staging bucket.
    pub from: ObjectKey,
    /// What is staged must still have it, without quotes; `None` where none was recorded.
    pub etag: Option<String>,
    /// In the preservation bucket: the file's uuid.
    pub to: ObjectKey,
    pub size: u64,
    pub crc64nvme: Crc64Nvme,
    pub content_type: String,
    /// See [`crate::user_metadata`].
    pub metadata: HashMap<String, String>,
}

impl CopyOrder {
    fn source<'a>(&'a self, staging: &'a Bucket) -> CopySource<'a> {
        CopySource {
            bucket: &staging.name,
            key: &self.from,
            etag: self.etag.as_deref(),
        }
    }

    fn attributes(&self) -> Attributes {
        Attributes {
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            condition: Condition::IfNoneMatch,
            unconfirmed: Unconfirmed::Report,
            left_open: LeftOpen::ByKey,
        }
    }
}

impl PreservationBuckets {
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
    /// `AlreadyThere` means that something else has the key: an operator has to look. `Superseded`
    /// and `NotFound` are about what is staged: nothing was copied.
    pub async fn store(
        &self,
        target: StorageTarget,
        staging: &StagingBucket,
        order: &CopyOrder,
    ) -> Result<VerificationMethod, StorageError> {
        let bucket = self.bucket(target)?;
        let from = &staging.0;
        let within_store = if bucket.connection.is_one_store_with(&from.connection) {
            copy_within_store(bucket, from, order).await
        } else {
            None
        };
        let (made, method) = if let Some(made) = within_store {
            (made, VerificationMethod::Carried)
        } else {
            let made = stream_copy(bucket, staging, order).await;
            (made, VerificationMethod::Stored)
        };
        let unless_verified = match made {
            Ok(()) => return Ok(method),
            // This key is derived from the item, the path and the digest, so only an earlier
            // attempt of ours can have taken it, unless something is very wrong.
            Err(error @ StorageError::AlreadyThere(_)) => error,
            Err(StorageError::Unconfirmed(object)) => StorageError::DamagedOnTheWay(object),
            Err(error) => return Err(error),
        };
        match verify(bucket, order, method).await {
            // Nothing has the key: the condition that failed may be the one on the source.
            Err(unverified @ StorageError::Interrupted { .. })
                if matches!(unless_verified, StorageError::AlreadyThere(_)) =>
            {
                require_source(from, order).await?;
                Err(unverified)
            }
            verified => verified?.ok_or(unless_verified),
        }
    }

    /// Aborts the multipart uploads of this process whose copies were given up on the way, as when
    /// a job ends. Best effort within a few seconds: what is left is found before the next upload
    /// to the same key begins.
    pub async fn abort_left_open(&self) {
        for bucket in self.buckets.values() {
            bucket.abort_left_open().await;
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
        Ok(self.bucket(target)?.read(key, size, 0..size))
    }

    /// Reads a copy of the recorded size to its end and returns the checksum of its bytes.
    pub async fn read_back(
        &self,
        target: StorageTarget,
        key: &ObjectKey,
        size: u64,
    ) -> Result<Crc64Nvme, StorageError> {
        self.bucket(target)?.read_back(key, size).await
    }
}

/// `None` when the store has no such copies.
async fn copy_within_store(
    bucket: &Bucket,
    from: &Bucket,
    order: &CopyOrder,
) -> Option<Result<(), StorageError>> {
    let made = if order.size > COPY_BYTES_MAX {
        copy_in_parts(bucket, from, order).await
    } else {
        copy_at_once(bucket, from, order).await
    };
    match made {
        Err(error) if error.is_unsupported() => None,
        made => Some(made),
    }
}

/// What is staged must be what was ordered. To a copy at once, a source that was replaced and a
/// target that is taken are one answer.
async fn require_source(from: &Bucket, order: &CopyOrder) -> Result<(), StorageError> {
    let head = from.head(&order.from).await?;
    match &order.etag {
        Some(etag) if *etag != head.etag => {
            Err(StorageError::Superseded(from.address(&order.from)))
        }
        _ => Ok(()),
    }
}

/// How we know that the object at the key is the one that was ordered; `None` when it is not.
async fn verify(
    bucket: &Bucket,
    order: &CopyOrder,
    if_reported: VerificationMethod,
) -> Result<Option<VerificationMethod>, StorageError> {
    let head = match bucket.head(&order.to).await {
        Ok(head) => head,
        // Taken when we wrote, gone when we asked: another attempt is under way.
        Err(error @ StorageError::NotFound(_)) => {
            return Err(broken_body(error, &bucket.resource_of(&order.to)));
        }
        Err(error) => return Err(error),
    };
    if head.size != order.size {
        return Ok(None);
    }
    let (found, method) = match head.crc64nvme {
        Some(reported) => (reported, if_reported),
        None => (
            bucket.read_back(&order.to, order.size).await?,
            VerificationMethod::ReadBack,
        ),
    };
    Ok((found == order.crc64nvme).then_some(method))
}

/// The store copies by itself, with metadata and media type as ordered: those of the staged object
/// mean nothing.
async fn copy_at_once(
    bucket: &Bucket,
    from: &Bucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let resource = bucket.resource_of(&order.to);
    let limit = Limit::copy(order.size);
    let condition = Condition::IfNoneMatch;
    let source = order.source(from);
    let output = bucket
        .connection
        .send(&resource, limit, condition, |client| {
            client
                .copy_object()
                .bucket(bucket.name.as_str())
                .key(order.to.as_str())
                .copy_source(source.header())
                .metadata_directive(MetadataDirective::Replace)
                .set_metadata(Some(order.metadata.clone()))
                .content_type(&order.content_type)
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .set_if_none_match(condition.if_none_match())
                .set_copy_source_if_match(source.if_match())
                .send()
        })
        .await
        // What is not found in a copy is its source: the target is what we were about to make.
        .map_err(|error| {
            if let StorageError::NotFound(_) = error {
                StorageError::NotFound(from.address(&order.from))
            } else {
                error
            }
        })?;
    let Some(result) = output.copy_object_result else {
        return Err(incomplete(&resource, "a copy without result"));
    };
    let returned = full_object(result.checksum_crc64_nvme(), result.checksum_type());
    let expected = (order.crc64nvme, Unconfirmed::Report);
    bucket
        .confirm(&order.to, returned, expected, order.size)
        .await
        .map(|_etag| ())
}

async fn copy_in_parts(
    bucket: &Bucket,
    from: &Bucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let source = order.source(from);
    let target = (&order.to, order.crc64nvme);
    bucket
        .copy_range(source, 0..order.size, target, &order.attributes())
        .await
        .map(|_etag| ())
}

/// From one store to another, through us: the bytes as staged, the checksum as recorded.
async fn stream_copy(
    bucket: &Bucket,
    staging: &StagingBucket,
    order: &CopyOrder,
) -> Result<(), StorageError> {
    let attributes = order.attributes();
    if order.size <= RANGE_BYTES {
        let _held = bucket.connection.budget().take(order.size).await;
        let etag = order.etag.as_deref();
        let bytes = staging.0.get(&order.from, RANGE_BYTES, etag).await?;
        staging
            .0
            .must_have_size(&order.from, order.size, bytes.len() as u64)?;
        return bucket
            .put(&order.to, &bytes, order.crc64nvme, &attributes)
            .await
            .map(|_etag| ());
    }
    let source = Source {
        bucket: staging.0.clone(),
        key: order.from.clone(),
        size: order.size,
    };
    let stop = staging.0.connection.stop().clone();
    let stream = ObjectStream::new(source, order.etag.clone(), 0..order.size, stop);
    let writer = ObjectWriter::new(bucket.clone(), order.to.clone(), attributes);
    writer
        .write_all(stream, order.crc64nvme)
        .await
        .map(|_etag| ())
}
