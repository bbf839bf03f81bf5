//! Multipart uploads: starting, receiving parts, completing, aborting.

use s3s::S3Request;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput,
};
use uuid::Uuid;

use super::Service;
use super::faults::Fault;
use super::objects::Arrival;
use super::words::{
    about_of, algorithm, checksum_type, checksums, checksums_named, etag, with_checksums,
};
use crate::checksums::{Algorithm, Checksum};
use crate::conditions::WriteConditions;
use crate::intake::{self, Shelf};
use crate::limits;
use crate::multipart::{NamedPart, Promise, StoredPart, WholeClaims};
use crate::store::uploads::{AbortUpload, CompleteUpload, CreateUpload, PartBytes, PutPart};

impl Service {
    pub(super) async fn start_upload(
        &self,
        input: CreateMultipartUploadInput,
    ) -> Result<CreateMultipartUploadOutput, Fault> {
        limits::check_key(&input.key)?;
        let promise = promise_of(
            input.checksum_algorithm.as_ref(),
            input.checksum_type.as_ref(),
        )?;
        let id = Uuid::new_v4().simple().to_string();
        self.store
            .submit(CreateUpload {
                id: id.clone(),
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                promise,
                about: about_of!(input),
            })
            .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: promise
                .algorithm()
                .map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: promise_type(promise),
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn put_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> Result<UploadPartOutput, Fault> {
        let arrival = Arrival {
            body: req.input.body.take(),
            headers: req.headers,
            trailers: req.trailing_headers,
        };
        let input = req.input;
        let (number, promised) = match self.admit_part(&input).await {
            Ok(admitted) => admitted,
            Err(fault) => {
                intake::drain(arrival.body).await;
                return Err(fault);
            }
        };
        let (bytes, digests) = self.receive(arrival, promised, Shelf::FileOnly).await?;
        let part = StoredPart {
            number,
            etag: hex::encode(digests.md5.unwrap_or_default()),
            size_bytes: digests.size_bytes,
            crc64nvme: digests.crc64nvme,
            checksum: digests.extra,
        };
        self.store
            .submit(PutPart {
                bucket: input.bucket,
                key: input.key,
                upload: input.upload_id,
                part: part.clone(),
                bytes: PartBytes::Own(bytes),
            })
            .await?;
        let mut output = UploadPartOutput::default();
        with_checksums!(output, checksums(part.crc64nvme, part.checksum.as_ref()));
        output.e_tag = Some(etag(part.etag));
        Ok(output)
    }

    async fn admit_part(&self, input: &UploadPartInput) -> Result<(u32, Option<Algorithm>), Fault> {
        let number = limits::part_number(input.part_number)?;
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)
            .await?;
        Ok((number, upload.promise.algorithm()))
    }

    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> Result<CompleteMultipartUploadOutput, Fault> {
        let parts = input
            .multipart_upload
            .as_ref()
            .and_then(|upload| upload.parts.as_deref())
            .unwrap_or_default()
            .iter()
            .map(named_part)
            .collect::<Result<Vec<NamedPart>, Fault>>()?;
        let whole = WholeClaims {
            checksums: checksums_named!(input),
            size_bytes: input
                .mpu_object_size
                .and_then(|size_bytes| u64::try_from(size_bytes).ok()),
        };
        let content = self
            .store
            .submit(CompleteUpload {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                upload: input.upload_id,
                joined: self.store.blobs.new_id(),
                parts,
                whole,
                conditions: WriteConditions {
                    if_match: input.if_match,
                    if_none_match: input.if_none_match,
                },
            })
            .await?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            checksum_type: Some(checksum_type(&content)),
            ..CompleteMultipartUploadOutput::default()
        };
        with_checksums!(
            output,
            checksums(content.crc64nvme, content.checksum.as_ref())
        );
        output.e_tag = Some(etag(content.etag));
        Ok(output)
    }

    pub(super) async fn abort_upload(
        &self,
        input: AbortMultipartUploadInput,
    ) -> Result<AbortMultipartUploadOutput, Fault> {
        self.store
            .submit(AbortUpload {
                bucket: input.bucket,
                key: input.key,
                upload: input.upload_id,
            })
            .await?;
        Ok(AbortMultipartUploadOutput::default())
    }
}

fn named_part(part: &CompletedPart) -> Result<NamedPart, Fault> {
    let number = part
        .part_number
        .ok_or(Fault::Missing("the number of a part"))?;
    let tag = part
        .e_tag
        .as_ref()
        .ok_or(Fault::Missing("the ETag of a part"))?;
    Ok(NamedPart {
        number: limits::part_number(number)?,
        etag: tag.value().to_owned(),
        checksums: checksums_named!(part),
    })
}

/// What kind of checksum the object will have. A SHA cannot be combined, a crc64nvme is never composed.
fn promise_of(
    named: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> Result<Promise, Fault> {
    let kind = kind.map(ChecksumType::as_str);
    let Some(algorithm) = algorithm(named)? else {
        return match kind {
            None | Some(ChecksumType::FULL_OBJECT) => Ok(Promise::Nothing),
            Some(_) => Err(Fault::Checksum),
        };
    };
    let composes = algorithm != Algorithm::Crc64Nvme;
    match kind {
        None | Some(ChecksumType::COMPOSITE) if composes => Ok(Promise::Composite(algorithm)),
        None => Ok(Promise::Whole(algorithm)),
        Some(ChecksumType::FULL_OBJECT) if algorithm.is_crc() => Ok(Promise::Whole(algorithm)),
        Some(_) => Err(Fault::Checksum),
    }
}

pub(super) fn promise_type(promise: Promise) -> Option<ChecksumType> {
    match promise {
        Promise::Nothing => None,
        Promise::Whole(_) => Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        Promise::Composite(_) => Some(ChecksumType::from_static(ChecksumType::COMPOSITE)),
    }
}
