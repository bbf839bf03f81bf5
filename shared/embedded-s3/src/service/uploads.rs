//! Multipart uploads: starting, receiving parts, completing, aborting.

use s3s::S3Request;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput,
};
use uuid::Uuid;

use super::Service;
use super::errors::RequestError;
use super::objects::Arrival;
use super::words::{about_of, algorithm, checksum_type, checksums_named, promised, with_digests};
use crate::checksums::{Algorithm, Checksum};
use crate::conditions::WriteConditions;
use crate::intake::Shelf;
use crate::limits;
use crate::multipart::{NamedPart, Promise, StoredPart, WholeClaims};
use crate::store::uploads::{AbortUpload, CompleteUpload, CreateUpload, PartBytes, PutPart};

impl Service {
    pub(super) async fn start_upload(
        &self,
        input: CreateMultipartUploadInput,
    ) -> Result<CreateMultipartUploadOutput, RequestError> {
        limits::check_key(&input.key)?;
        let promise = promise_of(
            input.checksum_algorithm.as_ref(),
            input.checksum_type.as_ref(),
        )?;
        let id = Uuid::new_v4().simple().to_string();
        let create = CreateUpload {
            id: id.clone(),
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            promise,
            about: about_of!(input),
        };
        self.store.submit(create).await?;
        let (checksum_algorithm, checksum_type) = promised(promise);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm,
            checksum_type,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn put_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> Result<UploadPartOutput, RequestError> {
        let mut arrival = Arrival {
            body: req.input.body.take(),
            headers: req.headers,
            trailers: req.trailing_headers,
        };
        let input = req.input;
        let admitted = self.admit_part(&input).await;
        let (number, promised) = arrival.admit(admitted).await?;
        let (bytes, content) = self.receive(arrival, promised, Shelf::FileOnly).await?;
        let mut output = UploadPartOutput::default();
        with_digests!(output, &content);
        let put = PutPart {
            bucket: input.bucket,
            key: input.key,
            upload: input.upload_id,
            part: StoredPart { number, content },
            bytes: PartBytes::Own(bytes),
        };
        self.store.submit(put).await?;
        self.disk.found_room();
        Ok(output)
    }

    async fn admit_part(
        &self,
        input: &UploadPartInput,
    ) -> Result<(u32, Option<Algorithm>), RequestError> {
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
    ) -> Result<CompleteMultipartUploadOutput, RequestError> {
        let parts = input
            .multipart_upload
            .as_ref()
            .and_then(|upload| upload.parts.as_deref())
            .unwrap_or_default()
            .iter()
            .map(named_part)
            .collect::<Result<Vec<NamedPart>, RequestError>>()?;
        let whole = WholeClaims {
            checksums: checksums_named!(input),
            size_bytes: input
                .mpu_object_size
                .and_then(|size_bytes| u64::try_from(size_bytes).ok()),
        };
        let complete = CompleteUpload {
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
        };
        let (content, version_id) = self.store.submit(complete).await?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            checksum_type: Some(checksum_type(&content)),
            version_id,
            ..CompleteMultipartUploadOutput::default()
        };
        with_digests!(output, &content);
        Ok(output)
    }

    pub(super) async fn abort_upload(
        &self,
        input: AbortMultipartUploadInput,
    ) -> Result<AbortMultipartUploadOutput, RequestError> {
        let abort = AbortUpload {
            bucket: input.bucket,
            key: input.key,
            upload: input.upload_id,
        };
        self.store.submit(abort).await?;
        Ok(AbortMultipartUploadOutput::default())
    }
}

fn named_part(part: &CompletedPart) -> Result<NamedPart, RequestError> {
    let number = part
        .part_number
        .ok_or(RequestError::Missing("the number of a part"))?;
    let tag = part
        .e_tag
        .as_ref()
        .ok_or(RequestError::Missing("the ETag of a part"))?;
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
) -> Result<Promise, RequestError> {
    let kind = kind.map(ChecksumType::as_str);
    let Some(algorithm) = algorithm(named)? else {
        return match kind {
            None | Some(ChecksumType::FULL_OBJECT) => Ok(Promise::Nothing),
            Some(_) => Err(RequestError::Checksum),
        };
    };
    let composes = algorithm != Algorithm::Crc64Nvme;
    match kind {
        None | Some(ChecksumType::COMPOSITE) if composes => Ok(Promise::Composite(algorithm)),
        None => Ok(Promise::Whole(algorithm)),
        Some(ChecksumType::FULL_OBJECT) if algorithm.is_crc() => Ok(Promise::Whole(algorithm)),
        Some(_) => Err(RequestError::Checksum),
    }
}
