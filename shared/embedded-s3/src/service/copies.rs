//! Copies inside the store: bytes stay where they are, references are added.
//!
//! `CopyObject` gives the target the bytes, the `ETag` and the checksums of the source. `UploadPartCopy`
//! makes a part of a range of the source; the range is read once, to know its checksum.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use s3s::S3Request;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    MetadataDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use tokio::task::spawn_blocking;

use super::Service;
use super::faults::Fault;
use super::objects::slice;
use super::words::{
    about_of, algorithm, checksum_type, checksums, condition, etag, storage_class, timestamp,
    whole_seconds, with_checksums,
};
use crate::blobs::reading;
use crate::checksums::{Algorithm, Checksum, Digests, Hashing};
use crate::conditions::{ReadConditions, WriteConditions, check_source};
use crate::intake::NewBytes;
use crate::limits;
use crate::multipart::{Content, StoredPart, copied_part_etag};
use crate::store::StoreFault;
use crate::store::objects::{CopyObject, NewObject};
use crate::store::reads::Source;
use crate::store::rows::{About, ObjectRow};
use crate::store::uploads::{PartBytes, PutPart};

/// How often a copy starts over because its source was replaced meanwhile.
const RACES_MAX: usize = 3;

/// The conditions both copies put on their source, by the same field names.
macro_rules! source_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.copy_source_if_match.clone(),
            if_none_match: $input.copy_source_if_none_match.clone(),
            if_modified_since: $input.copy_source_if_modified_since.clone(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}

impl Service {
    pub(super) async fn copy(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> Result<CopyObjectOutput, Fault> {
        let conditions = WriteConditions {
            if_match: condition(&req.headers, "if-match")?,
            if_none_match: condition(&req.headers, "if-none-match")?,
        };
        let input = req.input;
        limits::check_key(&input.key)?;
        let mut races = 0;
        loop {
            let (source, content) = self.source_of_copy(&input).await?;
            let object = NewObject {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                content: content.clone(),
                about: about_copy(&input, &source.about)?,
                conditions: conditions.clone(),
            };
            let source = source.blob;
            match self.store.submit(CopyObject { object, source }).await {
                Ok(modified_micros) => return Ok(copied(content, modified_micros)),
                Err(StoreFault::SourceChanged) if races < RACES_MAX => races += 1,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// The source, and what its copy will be: the same, with another checksum if one is asked for.
    async fn source_of_copy(&self, input: &CopyObjectInput) -> Result<(ObjectRow, Content), Fault> {
        let (bucket, key) = names(&input.copy_source)?;
        let row = self.store.object(bucket, key).await?;
        let conditions = source_conditions!(input);
        admit_source(&row, &conditions)?;
        limits::check_copy(row.content.size_bytes)?;

        let wanted = algorithm(input.checksum_algorithm.as_ref())?;
        let has = row
            .content
            .checksum
            .as_ref()
            .filter(|checksum| !checksum.is_composite())
            .map(|checksum| checksum.algorithm);
        if wanted.is_none() || wanted == has {
            let content = row.content.clone();
            return Ok((row, content));
        }
        if wanted == Some(Algorithm::Crc64Nvme) {
            let content = Content {
                checksum: None,
                ..row.content.clone()
            };
            return Ok((row, content));
        }
        self.source_hashed(input, &conditions, wanted).await
    }

    /// The source, read through for a checksum it does not have.
    async fn source_hashed(
        &self,
        input: &CopyObjectInput,
        conditions: &ReadConditions,
        wanted: Option<Algorithm>,
    ) -> Result<(ObjectRow, Content), Fault> {
        let (bucket, key) = names(&input.copy_source)?;
        let (row, range, source) = self
            .store
            .open_object(bucket, key, |row| {
                admit_source(row, conditions)?;
                limits::check_copy(row.content.size_bytes)?;
                Ok::<_, Fault>(0..row.content.size_bytes)
            })
            .await?;
        let digests = self.hash(&row, &range, source, wanted).await?;
        let content = Content {
            checksum: digests.extra,
            ..row.content.clone()
        };
        Ok((row, content))
    }

    pub(super) async fn copy_part(
        &self,
        input: UploadPartCopyInput,
    ) -> Result<UploadPartCopyOutput, Fault> {
        let number = limits::part_number(input.part_number)?;
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)
            .await?;
        let wanted = upload.promise.algorithm();
        let mut races = 0;
        loop {
            let (part, bytes) = self.part_of_source(&input, number, wanted).await?;
            let put = PutPart {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                upload: input.upload_id.clone(),
                part: part.clone(),
                bytes,
            };
            match self.store.submit(put).await {
                Ok(modified_micros) => return Ok(copied_part(part, modified_micros)),
                Err(StoreFault::SourceChanged) if races < RACES_MAX => races += 1,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    async fn part_of_source(
        &self,
        input: &UploadPartCopyInput,
        number: u32,
        wanted: Option<Algorithm>,
    ) -> Result<(StoredPart, PartBytes), Fault> {
        let (bucket, key) = names(&input.copy_source)?;
        let conditions = source_conditions!(input);
        let (row, range, source) = self
            .store
            .open_object(bucket, key, |row| {
                admit_source(row, &conditions)?;
                let range = copy_range(input.copy_source_range.as_deref(), row)?;
                limits::check_copy(range.end - range.start)?;
                Ok::<_, Fault>(range)
            })
            .await?;
        match source {
            Source::Inline => {
                self.part_of_row(slice(&row.body, &range), number, wanted)
                    .await
            }
            Source::Files { segments, pins } => {
                let bytes = PartBytes::Shared {
                    id: self.store.blobs.new_id(),
                    segments: segments.clone(),
                };
                let known = known_part(&row, &range, number, wanted);
                if let Some(part) = known {
                    return Ok((part, bytes));
                }
                let files = Source::Files { segments, pins };
                let digests = self.hash(&row, &range, files, wanted).await?;
                let etag = copied_part_etag(digests.crc64nvme, digests.size_bytes);
                Ok((stored_part(number, etag, digests), bytes))
            }
        }
    }

    /// Bytes that lie in a row are small: they are copied into a file, as every part is one.
    async fn part_of_row(
        &self,
        body: Bytes,
        number: u32,
        wanted: Option<Algorithm>,
    ) -> Result<(StoredPart, PartBytes), Fault> {
        let blobs = Arc::clone(&self.store.blobs);
        let written = spawn_blocking(move || {
            let mut writing = blobs.create(Hashing::for_body(wanted))?;
            writing.append(&[body])?;
            writing.finish()
        });
        let (file, digests) = written
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(Fault::Read)?;
        let etag = hex::encode(digests.md5.unwrap_or_default());
        let bytes = PartBytes::Own(NewBytes::File(file));
        Ok((stored_part(number, etag, digests), bytes))
    }

    async fn hash(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
        source: Source,
        wanted: Option<Algorithm>,
    ) -> Result<Digests, Fault> {
        let mut hashing = Hashing::for_copy(wanted);
        match source {
            Source::Inline => {
                hashing.update(&slice(&row.body, range));
                Ok(hashing.finish())
            }
            Source::Files { segments, pins } => {
                let blobs = Arc::clone(&self.store.blobs);
                reading::hash(blobs, segments, pins, hashing)
                    .await
                    .map_err(Fault::Read)
            }
        }
    }
}

fn names(source: &CopySource) -> Result<(&str, &str), Fault> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id: None,
        } => Ok((bucket, key)),
        CopySource::Bucket { .. } => Err(Fault::Unsupported("a version")),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(Fault::Unsupported("an access point"))
        }
    }
}

fn admit_source(row: &ObjectRow, conditions: &ReadConditions) -> Result<(), Fault> {
    let modified = whole_seconds(row.modified_micros);
    Ok(check_source(&row.content.etag, &modified, conditions)?)
}

/// What the copy says about itself: what the source says, or what the request does.
fn about_copy(input: &CopyObjectInput, source: &About) -> Result<About, Fault> {
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    if replaces {
        return Ok(about_of!(input));
    }
    let (bucket, key) = names(&input.copy_source)?;
    if bucket == input.bucket && key == input.key && input.storage_class.is_none() {
        return Err(Fault::CopyOntoItself);
    }
    Ok(About {
        // The class is never inherited: it is the request's, or the default.
        storage_class: storage_class(input.storage_class.as_ref())?,
        ..source.clone()
    })
}

/// First and last byte, both there: a copy is never shorter than what was asked for.
fn copy_range(range: Option<&str>, row: &ObjectRow) -> Result<Range<u64>, Fault> {
    let Some(text) = range else {
        return Ok(0..row.content.size_bytes);
    };
    match s3s::dto::Range::parse(text) {
        Ok(s3s::dto::Range::Int {
            first,
            last: Some(last),
        }) if last < row.content.size_bytes => Ok(first..last + 1),
        Ok(s3s::dto::Range::Int { .. } | s3s::dto::Range::Suffix { .. }) | Err(_) => {
            Err(Fault::CopyRange)
        }
    }
}

/// The part when nothing needs reading: the whole of an object, with the checksums it has.
fn known_part(
    row: &ObjectRow,
    range: &Range<u64>,
    number: u32,
    wanted: Option<Algorithm>,
) -> Option<StoredPart> {
    let content = &row.content;
    let checksum = content
        .checksum
        .clone()
        .filter(|checksum| Some(checksum.algorithm) == wanted && !checksum.is_composite());
    let complete = checksum.is_some() || matches!(wanted, None | Some(Algorithm::Crc64Nvme));
    if *range != (0..content.size_bytes) || !complete {
        return None;
    }
    let is_md5 = !content.etag.contains('-');
    Some(StoredPart {
        number,
        etag: if is_md5 {
            content.etag.clone()
        } else {
            copied_part_etag(content.crc64nvme, content.size_bytes)
        },
        size_bytes: content.size_bytes,
        crc64nvme: content.crc64nvme,
        checksum,
    })
}

fn stored_part(number: u32, etag: String, digests: Digests) -> StoredPart {
    StoredPart {
        number,
        etag,
        size_bytes: digests.size_bytes,
        crc64nvme: digests.crc64nvme,
        checksum: digests.extra,
    }
}

fn copied(content: Content, modified_micros: i64) -> CopyObjectOutput {
    let mut result = CopyObjectResult {
        checksum_type: Some(checksum_type(&content)),
        last_modified: Some(timestamp(modified_micros)),
        ..CopyObjectResult::default()
    };
    with_checksums!(
        result,
        checksums(content.crc64nvme, content.checksum.as_ref())
    );
    result.e_tag = Some(etag(content.etag));
    CopyObjectOutput {
        copy_object_result: Some(result),
        ..CopyObjectOutput::default()
    }
}

fn copied_part(part: StoredPart, modified_micros: i64) -> UploadPartCopyOutput {
    let mut result = CopyPartResult {
        last_modified: Some(timestamp(modified_micros)),
        ..CopyPartResult::default()
    };
    let extra: Option<&Checksum> = part.checksum.as_ref();
    with_checksums!(result, checksums(part.crc64nvme, extra));
    result.e_tag = Some(etag(part.etag));
    UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..UploadPartCopyOutput::default()
    }
}
