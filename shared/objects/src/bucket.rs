//! A bucket as its client sees it: every operation on whole objects, allowed or not.
//!
//! Behind the public bucket types, each of which exposes the few operations that its name
//! permits. Every operation here is idempotent: reads by nature, writes because the same bytes
//! go to the same key, deletes because gone is gone. Multipart uploads are in `multipart.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use muniment_model::{BucketAddress, BucketName, Crc64Nvme, ObjectKey};

use crate::answer::{Condition, broken_body, error_of};
use crate::connection::{Connection, Limit};
use crate::error::{ObjectAddress, Resource, StorageError};

/// What a store says about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub last_modified: DateTime<Utc>,
    /// `None` where the bucket keeps no versions, and of the one version that names nothing.
    pub version_id: Option<String>,
    /// Whether the bucket keeps versions, or did.
    pub has_versions: bool,
    /// Over the whole object; `None` when the store has none, or one composed of parts.
    pub crc64nvme: Option<Crc64Nvme>,
    pub content_type: String,
    /// User metadata, names in lower case without `x-amz-meta-`.
    pub metadata: HashMap<String, String>,
}

/// What an object is stored with, beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) content_type: String,
    pub(crate) metadata: HashMap<String, String>,
    /// What becomes of an object that has the key already: [`Condition::None`] replaces it, and with
    /// [`Condition::IfNoneMatch`] the write fails with [`StorageError::AlreadyThere`].
    pub(crate) condition: Condition,
    pub(crate) unconfirmed: Unconfirmed,
    pub(crate) left_open: LeftOpen,
}

/// What is done about a write of which the store reports no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unconfirmed {
    /// What was written is read and compared.
    ReadBack,
    /// [`StorageError::Unconfirmed`]: the caller has a way of its own.
    Report,
}

/// How the uploads are found that a killed worker has left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOpen {
    /// By the holder of the prefix, before it begins and when it ends.
    ByPrefix,
    /// By the key, before another upload to it begins: its prefix tells nothing.
    ByKey,
}

impl Attributes {
    /// For objects of ours that are written again by every attempt.
    pub(crate) fn internal() -> Self {
        Self {
            content_type: "application/octet-stream".to_owned(),
            metadata: HashMap::new(),
            condition: Condition::None,
            unconfirmed: Unconfirmed::ReadBack,
            left_open: LeftOpen::ByPrefix,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) connection: Connection,
    pub(crate) name: BucketName,
}

impl Bucket {
    pub(crate) fn new(connection: Connection, name: BucketName) -> Self {
        Self { connection, name }
    }

    pub(crate) fn resource(&self) -> Resource {
        Resource::Bucket(self.bucket_address())
    }

    fn bucket_address(&self) -> Arc<BucketAddress> {
        self.connection.address_of(&self.name)
    }

    pub(crate) fn address(&self, key: &ObjectKey) -> ObjectAddress {
        ObjectAddress {
            bucket: self.bucket_address(),
            key: key.clone(),
        }
    }

    pub(crate) fn resource_of(&self, key: &ObjectKey) -> Resource {
        Resource::Object(self.address(key))
    }

    pub(crate) async fn head(&self, key: &ObjectKey) -> Result<Head, StorageError> {
        let resource = self.resource_of(key);
        let found = self
            .connection
            .call(&resource, Limit::ANSWER, || self.head_once(key, &resource))
            .await;
        if let Err(StorageError::NotFound(_)) = found {
            self.must_exist().await?;
        }
        found
    }

    /// One HEAD. To it, an object that is not there and a bucket that is not there are the same.
    pub(crate) async fn head_once(
        &self,
        key: &ObjectKey,
        resource: &Resource,
    ) -> Result<Head, StorageError> {
        let output = self
            .connection
            .client()
            .head_object()
            .bucket(self.name.as_str())
            .key(key.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| error_of(error, resource, Condition::None))?;
        let size = output.content_length().and_then(|n| u64::try_from(n).ok());
        let last_modified = output.last_modified().and_then(utc);
        let (Some(size), Some(last_modified)) = (size, last_modified) else {
            return Err(incomplete(resource, "HEAD without length or date"));
        };
        // A bucket whose versions are suspended has objects of the version "null", which each
        // upload replaces: it names nothing.
        let has_versions = output.version_id().is_some();
        let version_id = output.version_id().filter(|version| *version != "null");
        Ok(Head {
            size,
            etag: unquoted(output.e_tag()),
            last_modified,
            version_id: version_id.map(str::to_owned),
            has_versions,
            crc64nvme: full_object(output.checksum_crc64_nvme(), output.checksum_type()),
            content_type: output.content_type().unwrap_or_default().to_owned(),
            metadata: output.metadata().cloned().unwrap_or_default(),
        })
    }

    /// An answer to HEAD has no code, so a missing bucket looks like a missing object. That
    /// difference decides whether an operator or a depositor has to act, so it is asked for.
    pub(crate) async fn must_exist(&self) -> Result<(), StorageError> {
        let resource = self.resource();
        let answer = self
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client.head_bucket().bucket(self.name.as_str()).send()
            })
            .await;
        match answer {
            // Credentials that may not ask about the bucket do not make the object exist.
            Ok(_) | Err(StorageError::Denied { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The whole of a small object, which must still have this etag if one is given. The SDK
    /// compares the bytes with the store's checksum.
    pub(crate) async fn get(
        &self,
        key: &ObjectKey,
        size_max: u64,
        etag: Option<&str>,
    ) -> Result<Bytes, StorageError> {
        let resource = self.resource_of(key);
        self.connection
            .call(&resource, Limit::body(size_max), || {
                self.get_once(key, size_max, etag, &resource)
            })
            .await
    }

    async fn get_once(
        &self,
        key: &ObjectKey,
        size_max: u64,
        etag: Option<&str>,
        resource: &Resource,
    ) -> Result<Bytes, StorageError> {
        let output = self
            .connection
            .client()
            .get_object()
            .bucket(self.name.as_str())
            .key(key.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .set_if_match(etag.map(quoted))
            .send()
            .await
            .map_err(|error| error_of(error, resource, Condition::if_match(etag)))?;
        let size = output.content_length().and_then(|n| u64::try_from(n).ok());
        let Some(size) = size else {
            return Err(incomplete(resource, "GET without length"));
        };
        if size > size_max {
            return Err(StorageError::TooLarge {
                object: self.address(key),
                size_max,
            });
        }
        let mut body = output.body;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.next().await {
            bytes.extend_from_slice(&frame.map_err(|error| broken_body(error, resource))?);
        }
        if bytes.len() as u64 == size {
            Ok(bytes.freeze())
        } else {
            Err(broken_body(short_body(), resource))
        }
    }

    /// One PUT of bytes in memory, with the checksum from the record: the store refuses anything
    /// else. Confirmed when this returns its etag.
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        bytes: &Bytes,
        crc: Crc64Nvme,
        attributes: &Attributes,
    ) -> Result<Option<String>, StorageError> {
        let resource = self.resource_of(key);
        let size = bytes.len() as u64;
        let condition = attributes.condition;
        let output = self
            .connection
            .send(&resource, Limit::body(size), condition, |client| {
                let mut request = client
                    .put_object()
                    .bucket(self.name.as_str())
                    .key(key.as_str())
                    .content_type(&attributes.content_type)
                    .set_metadata(Some(attributes.metadata.clone()))
                    .set_if_none_match(condition.if_none_match())
                    .checksum_crc64_nvme(crc.to_base64())
                    .body(ByteStream::from(bytes.clone()))
                    .customize();
                if self.connection.is_over_tls() {
                    request = request.disable_payload_signing();
                }
                request.send()
            })
            .await?;
        let returned = full_object(output.checksum_crc64_nvme(), output.checksum_type());
        let expected = (crc, attributes.unconfirmed);
        let confirmed = self.confirm(key, returned, expected, size).await?;
        Ok(confirmed.or_else(|| etag_of(output.e_tag())))
    }

    /// Compares the checksum that a write returned with ours. Where it returned none, the object
    /// is asked for it; where that has none either, it is read if the caller wants it. Returns the
    /// etag of the object if it was asked.
    pub(crate) async fn confirm(
        &self,
        key: &ObjectKey,
        returned: Option<Crc64Nvme>,
        (expected, unconfirmed): (Crc64Nvme, Unconfirmed),
        size: u64,
    ) -> Result<Option<String>, StorageError> {
        let (found, etag) = match returned {
            Some(found) => (found, None),
            None => self.checksum_at(key, size, unconfirmed).await?,
        };
        if found == expected {
            Ok(etag)
        } else {
            Err(StorageError::DamagedOnTheWay(self.address(key)))
        }
    }

    async fn checksum_at(
        &self,
        key: &ObjectKey,
        size: u64,
        unconfirmed: Unconfirmed,
    ) -> Result<(Crc64Nvme, Option<String>), StorageError> {
        let head = self.head(key).await?;
        self.must_have_size(key, size, head.size)?;
        let found = match (head.crc64nvme, unconfirmed) {
            (Some(found), _) => found,
            (None, Unconfirmed::ReadBack) => self.read_back(key, size).await?,
            (None, Unconfirmed::Report) => {
                return Err(StorageError::Unconfirmed(self.address(key)));
            }
        };
        Ok((found, etag_of(Some(&head.etag))))
    }

    pub(crate) fn must_have_size(
        &self,
        key: &ObjectKey,
        expected: u64,
        found: u64,
    ) -> Result<(), StorageError> {
        if expected == found {
            return Ok(());
        }
        Err(StorageError::WrongSize {
            object: self.address(key),
            expected,
            found,
        })
    }

    /// Deletes the object, if there is one.
    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let resource = self.resource_of(key);
        let result = self
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .delete_object()
                    .bucket(self.name.as_str())
                    .key(key.as_str())
                    .send()
            })
            .await;
        match result {
            Ok(_) | Err(StorageError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The checksum when it is over the whole object. A crc64nvme never is anything else on S3, so a
/// store that names no type means the same.
pub(crate) fn full_object(crc: Option<&str>, kind: Option<&ChecksumType>) -> Option<Crc64Nvme> {
    match kind {
        None | Some(ChecksumType::FullObject) => crc.and_then(Crc64Nvme::from_base64),
        Some(_) => None,
    }
}

pub(crate) fn utc(time: &aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

pub(crate) fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// Without quotes; `None` where the store names none.
pub(crate) fn etag_of(etag: Option<&str>) -> Option<String> {
    Some(unquoted(etag)).filter(|etag| !etag.is_empty())
}

pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// An answer that lacks what every S3 answer has.
pub(crate) fn incomplete(resource: &Resource, what: &str) -> StorageError {
    StorageError::Refused {
        resource: resource.clone(),
        code: "incomplete answer".to_owned(),
        message: what.to_owned(),
    }
}

/// A body that ended before its length.
pub(crate) fn short_body() -> std::io::Error {
    std::io::ErrorKind::UnexpectedEof.into()
}
