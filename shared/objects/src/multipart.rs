//! One multipart upload: begin, parts from memory or from another object, complete or abort.
//!
//! Each request is idempotent: a part replaces itself, and a completion whose answer was lost is
//! recognised by the object's checksum. What becomes of an upload that nobody ends is in
//! `open_upload.rs`.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use muniment_model::{BucketName, Crc64Nvme, ObjectKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::Condition;
use crate::bucket::{
    Attributes, Bucket, Unconfirmed, etag_of, full_object, incomplete, quoted, unquoted,
};
use crate::connection::Limit;
use crate::error::{ObjectAddress, Resource, StorageError};

/// S3 user guide, "Multipart upload limits".
pub(crate) const PARTS_MAX: u64 = 10_000;

/// An upload that has begun, for those who add parts to it.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: Bucket,
    pub(crate) key: ObjectKey,
    pub(crate) id: String,
    condition: Condition,
    unconfirmed: Unconfirmed,
}

/// An object whose bytes the store is to copy by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopySource<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    /// The object must still be the one with this etag.
    pub(crate) etag: Option<&'a str>,
}

/// All but what RFC 3986 leaves unreserved, and `/`.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

impl CopySource<'_> {
    pub(crate) fn header(&self) -> String {
        let key = utf8_percent_encode(self.key.as_str(), COPY_SOURCE);
        format!("{}/{key}", self.bucket)
    }

    pub(crate) fn if_match(&self) -> Option<String> {
        self.etag.map(quoted)
    }

    pub(crate) fn condition(&self) -> Condition {
        Condition::if_match(self.etag)
    }
}

/// A part that the store holds, to be listed at completion.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) number: u32,
    etag: String,
    crc64nvme: Option<String>,
}

impl Upload {
    pub(crate) async fn begin(
        bucket: &Bucket,
        key: &ObjectKey,
        attributes: &Attributes,
    ) -> Result<Self, StorageError> {
        let resource = bucket.resource_of(key);
        let output = bucket
            .connection
            .send(&resource, Limit::ANSWER, Condition::None, |client| {
                client
                    .create_multipart_upload()
                    .bucket(bucket.name.as_str())
                    .key(key.as_str())
                    .content_type(&attributes.content_type)
                    .set_metadata(Some(attributes.metadata.clone()))
                    .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                    .checksum_type(ChecksumType::FullObject)
                    .send()
            })
            .await?;
        let Some(id) = output.upload_id else {
            return Err(incomplete(&resource, "an upload without id"));
        };
        Ok(Self {
            bucket: bucket.clone(),
            key: key.clone(),
            id,
            condition: attributes.condition,
            unconfirmed: attributes.unconfirmed,
        })
    }

    fn resource(&self) -> Resource {
        self.bucket.resource_of(&self.key)
    }

    /// Uploads part `number` (from 1) from memory. The SDK adds the part's own checksum.
    pub(crate) async fn put_part(&self, number: u32, bytes: Bytes) -> Result<Part, StorageError> {
        let resource = self.resource();
        let limit = Limit::body(bytes.len() as u64);
        let connection = &self.bucket.connection;
        let output = connection
            .send(&resource, limit, Condition::None, |client| {
                let mut request = client
                    .upload_part()
                    .bucket(self.bucket.name.as_str())
                    .key(self.key.as_str())
                    .upload_id(&self.id)
                    .part_number(wire_number(number))
                    .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                    .body(ByteStream::from(bytes.clone()))
                    .customize();
                if connection.is_over_tls() {
                    request = request.disable_payload_signing();
                }
                request.send()
            })
            .await?;
        Ok(Part {
            number,
            etag: unquoted(output.e_tag()),
            crc64nvme: output.checksum_crc64_nvme,
        })
    }

    /// Lets the store fill part `number` (from 1) with `range` of `source`. A condition that fails
    /// is about the source, and says so, as does an object that is not there.
    pub(crate) async fn copy_part(
        &self,
        number: u32,
        source: CopySource<'_>,
        range: Range<u64>,
    ) -> Result<Part, StorageError> {
        let resource = Resource::Object(ObjectAddress {
            // The store can copy only what it holds itself.
            bucket: self.bucket.connection.address_of(source.bucket),
            key: source.key.clone(),
        });
        let limit = Limit::copy(range.end - range.start);
        let output = self
            .bucket
            .connection
            .send(&resource, limit, source.condition(), |client| {
                client
                    .upload_part_copy()
                    .bucket(self.bucket.name.as_str())
                    .key(self.key.as_str())
                    .upload_id(&self.id)
                    .part_number(wire_number(number))
                    .copy_source(source.header())
                    .copy_source_range(header_of(&range))
                    .set_copy_source_if_match(source.if_match())
                    .send()
            })
            .await?;
        let Some(result) = output.copy_part_result else {
            return Err(incomplete(&resource, "a copied part without result"));
        };
        Ok(Part {
            number,
            etag: unquoted(result.e_tag()),
            crc64nvme: result.checksum_crc64_nvme,
        })
    }

    /// Makes the parts an object, if together they have the checksum `crc`; the store compares,
    /// and so do we. Returns the object's etag.
    pub(crate) async fn complete(
        &self,
        parts: &[Part],
        size: u64,
        crc: Crc64Nvme,
    ) -> Result<Option<String>, StorageError> {
        let resource = self.resource();
        let parts: Vec<_> = parts.iter().map(Part::completed).collect();
        let listed = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let completed = self
            .bucket
            .connection
            .send(&resource, Limit::copy(size), self.condition, |client| {
                client
                    .complete_multipart_upload()
                    .bucket(self.bucket.name.as_str())
                    .key(self.key.as_str())
                    .upload_id(&self.id)
                    .multipart_upload(listed.clone())
                    .checksum_type(ChecksumType::FullObject)
                    .checksum_crc64_nvme(crc.to_base64())
                    .set_mpu_object_size(i64::try_from(size).ok())
                    .set_if_none_match(self.condition.if_none_match())
                    .send()
            })
            .await;
        let (returned, etag) = match completed {
            Ok(output) => (
                full_object(output.checksum_crc64_nvme(), output.checksum_type()),
                etag_of(output.e_tag()),
            ),
            // An attempt whose answer was lost has completed it, if the object is ours.
            Err(StorageError::UploadGone(_)) => (None, None),
            Err(error) => return Err(error),
        };
        let expected = (crc, self.unconfirmed);
        match self
            .bucket
            .confirm(&self.key, returned, expected, size)
            .await
        {
            Err(StorageError::NotFound(object)) => Err(StorageError::UploadGone(object)),
            confirmed => Ok(confirmed?.or(etag)),
        }
    }
}

impl Part {
    fn completed(&self) -> CompletedPart {
        CompletedPart::builder()
            .part_number(wire_number(self.number))
            .e_tag(quoted(&self.etag))
            .set_checksum_crc64_nvme(self.crc64nvme.clone())
            .build()
    }
}

/// Part numbers end at [`PARTS_MAX`], far below the limit of the type.
fn wire_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A range in the words of HTTP, whose last byte is included. Never empty.
pub(crate) fn header_of(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
}
