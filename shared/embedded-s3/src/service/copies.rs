//! Copies inside the store.
//!
//! `CopyObject` gives the target the bytes, the `ETag` and the checksums of the source. `UploadPartCopy`
//! makes a part of a range of the source; the range is read once, to know its checksum.
//!
//! Within one bucket bytes stay where they are and references are added. Another bucket gets bytes of
//! its own ([`super::copied_bytes`]), unless its owner asked for them to be shared. Either way a copy
//! is one commit, so it may be repeated.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use s3s::S3Request;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    MetadataDirective, TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};

use super::Service;
use super::errors::RequestError;
use super::objects::slice;
use super::words::{
    about_of, algorithm, checksum_type, condition, storage_class, timestamp, whole_seconds,
    with_digests,
};
use crate::Copies;
use crate::blobs::{blocking, reading};
use crate::checksums::{Algorithm, Checksum, Digests, Hashing};
use crate::conditions::{ReadConditions, WriteConditions, check_source, check_write};
use crate::intake::NewBytes;
use crate::limits;
use crate::multipart::{Content, StoredPart, copied_part_etag};
use crate::store::StoreError;
use crate::store::objects::{CopyObject, NewObject, Placed, PutObject};
use crate::store::reads::{ObjectName, Source};
use crate::store::rows::{About, ObjectRow};
use crate::store::uploads::{PartBytes, PutPart};
use crate::tags::tags_in;

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
    ) -> Result<CopyObjectOutput, RequestError> {
        let conditions = WriteConditions {
            if_match: condition(&req.headers, "if-match")?,
            if_none_match: condition(&req.headers, "if-none-match")?,
        };
        let input = req.input;
        limits::check_key(&input.key)?;
        if !self.may_share(&input.copy_source, &input.bucket)? {
            return self.copy_apart(&input, conditions).await;
        }
        let mut races = 0;
        loop {
            let (source, content) = self.source_of_copy(&input).await?;
            let from = source.version;
            let object = NewObject {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                content: content.clone(),
                about: about_copy(&input, &source.about)?,
                conditions: conditions.clone(),
            };
            let source = source.blob;
            match self.store.submit(CopyObject { object, source }).await {
                Ok(placed) => return Ok(copied(&content, placed, from)),
                Err(StoreError::SourceChanged) if races < RACES_MAX => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the copy in `bucket` may lie in the files of its source.
    fn may_share(&self, source: &CopySource, bucket: &str) -> Result<bool, RequestError> {
        let from = named(source)?.bucket;
        Ok(from == bucket || self.copies == Copies::Shared)
    }

    /// Reads the source once, into bytes of the target's own.
    async fn copy_apart(
        &self,
        input: &CopyObjectInput,
        conditions: WriteConditions,
    ) -> Result<CopyObjectOutput, RequestError> {
        let wanted = algorithm(input.checksum_algorithm.as_ref())?;
        let on_source = source_conditions!(input);
        let (row, range, source) = self
            .open_source(&input.copy_source, None, &on_source)
            .await?;
        if let Source::Files { .. } = source {
            self.admit_target(input, &conditions).await?;
        }
        let about = about_copy(input, &row.about)?;
        let (bytes, digests) = self.bytes_apart(&row, &range, source, wanted).await?;
        let content = match wanted {
            None => row.content,
            Some(_) => Content {
                checksum: digests.extra,
                ..row.content
            },
        };
        let object = NewObject {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            content: content.clone(),
            about,
            conditions,
        };
        let placed = self.store.submit(PutObject { object, bytes }).await?;
        Ok(copied(&content, placed, row.version))
    }

    /// Refuses what the writer would refuse too, before gigabytes are written for nothing.
    async fn admit_target(
        &self,
        input: &CopyObjectInput,
        conditions: &WriteConditions,
    ) -> Result<(), RequestError> {
        let target = ObjectName {
            bucket: &input.bucket,
            key: &input.key,
            version: None,
        };
        let etag = match self.store.object(target).await {
            Ok(row) => Some(row.content.etag),
            Err(StoreError::NoSuchKey | StoreError::Deleted { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(check_write(etag.as_deref(), conditions)?)
    }

    /// The source, and what its copy will be: the same, with another checksum if one is asked for.
    async fn source_of_copy(
        &self,
        input: &CopyObjectInput,
    ) -> Result<(ObjectRow, Content), RequestError> {
        let mut row = self.store.object(named(&input.copy_source)?).await?;
        let conditions = source_conditions!(input);
        self.admit_source(&row, &conditions)?;
        limits::check_copy(row.content.size_bytes)?;

        let wanted = algorithm(input.checksum_algorithm.as_ref())?;
        let mut content = row.content.clone();
        match wanted {
            None => {}
            // Kept for every object, beside the one checksum.
            Some(Algorithm::Crc64Nvme) => content.checksum = None,
            Some(_) if whole_checksum(&content, wanted).is_some() => {}
            Some(_) => {
                // It is opened anew, and may be another object by now.
                let (opened, range, source) = self
                    .open_source(&input.copy_source, None, &conditions)
                    .await?;
                content = opened.content.clone();
                content.checksum = self.hash(&opened, &range, source, wanted).await?.extra;
                row = opened;
            }
        }
        Ok((row, content))
    }

    /// The source with the range that is to be copied, ready to be read.
    async fn open_source(
        &self,
        source: &CopySource,
        range: Option<&str>,
        conditions: &ReadConditions,
    ) -> Result<(ObjectRow, Range<u64>, Source), RequestError> {
        let name = named(source)?;
        let accept = |row: &ObjectRow| {
            self.admit_source(row, conditions)?;
            let range = copy_range(range, row)?;
            limits::check_copy(range.end - range.start)?;
            Ok(range)
        };
        self.store.open_object(name, accept).await
    }

    fn admit_source(
        &self,
        row: &ObjectRow,
        conditions: &ReadConditions,
    ) -> Result<(), RequestError> {
        let modified = whole_seconds(row.modified_micros);
        check_source(&row.content.etag, &modified, conditions)?;
        self.require_warm(row)
    }

    pub(super) async fn copy_part(
        &self,
        input: UploadPartCopyInput,
    ) -> Result<UploadPartCopyOutput, RequestError> {
        let number = limits::part_number(input.part_number)?;
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)
            .await?;
        let wanted = upload.promise.algorithm();
        let mut races = 0;
        loop {
            let (content, bytes, from) = self.part_of_source(&input, wanted).await?;
            let put = PutPart {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                upload: input.upload_id.clone(),
                part: StoredPart {
                    number,
                    content: content.clone(),
                },
                bytes,
            };
            match self.store.submit(put).await {
                Ok(modified_micros) => return Ok(copied_part(&content, modified_micros, from)),
                Err(StoreError::SourceChanged) if races < RACES_MAX => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The part, and the version of the source it is made of, where there are versions.
    async fn part_of_source(
        &self,
        input: &UploadPartCopyInput,
        wanted: Option<Algorithm>,
    ) -> Result<(Content, PartBytes, Option<String>), RequestError> {
        let conditions = source_conditions!(input);
        let range = input.copy_source_range.as_deref();
        let (row, range, source) = self
            .open_source(&input.copy_source, range, &conditions)
            .await?;
        let from = row.version.clone();
        let segments = match &source {
            Source::Inline => {
                let part = self.part_of_row(slice(&row.body, &range), wanted).await;
                return part.map(|(content, bytes)| (content, bytes, from));
            }
            Source::Files { segments, .. } => segments.clone(),
        };
        if !self.may_share(&input.copy_source, &input.bucket)? {
            let (bytes, digests) = self.bytes_apart(&row, &range, source, wanted).await?;
            let known = known_part(&row, &range, wanted);
            let content = known.unwrap_or_else(|| Content::of_copied_part(digests));
            return Ok((content, PartBytes::Own(bytes), from));
        }
        let content = match known_part(&row, &range, wanted) {
            Some(content) => content,
            None => Content::of_copied_part(self.hash(&row, &range, source, wanted).await?),
        };
        let id = self.store.blobs.new_id();
        Ok((content, PartBytes::Shared { id, segments }, from))
    }

    /// Bytes that lie in a row are small: they are copied into a file, as every part is one.
    async fn part_of_row(
        &self,
        body: Bytes,
        wanted: Option<Algorithm>,
    ) -> Result<(Content, PartBytes), RequestError> {
        let blobs = Arc::clone(&self.store.blobs);
        let written = blocking(move || {
            let mut writing = blobs.create(Hashing::for_body(wanted))?;
            writing.append(&[body])?;
            writing.finish()
        });
        let (file, digests) = written.await.map_err(RequestError::Read)?;
        let bytes = PartBytes::Own(NewBytes::File(file));
        Ok((Content::of_body(digests), bytes))
    }

    async fn hash(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
        source: Source,
        wanted: Option<Algorithm>,
    ) -> Result<Digests, RequestError> {
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
                    .map_err(RequestError::Read)
            }
        }
    }
}

fn named(source: &CopySource) -> Result<ObjectName<'_>, RequestError> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok(ObjectName {
            bucket,
            key,
            version: version_id.as_deref(),
        }),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(RequestError::Unsupported("an access point"))
        }
    }
}

/// What the copy says about itself: what the source says, or what the request does.
fn about_copy(input: &CopyObjectInput, source: &About) -> Result<About, RequestError> {
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let retagged = input.tagging_directive.as_ref();
    let retagged =
        retagged.is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
    let tags = if retagged {
        tags_in(input.tagging.as_deref())?
    } else {
        source.tags.clone()
    };
    if replaces {
        return Ok(About {
            tags,
            ..about_of!(input)
        });
    }
    let source_name = named(&input.copy_source)?;
    // A version that is named becomes the current one.
    let is_itself = source_name.bucket == input.bucket
        && source_name.key == input.key
        && source_name.version.is_none();
    if is_itself && input.storage_class.is_none() {
        return Err(RequestError::CopyOntoItself);
    }
    Ok(About {
        // The class is never inherited: it is the request's, or the default.
        storage_class: storage_class(input.storage_class.as_ref())?,
        tags,
        ..source.clone()
    })
}

/// First and last byte, both there: a copy is never shorter than what was asked for.
fn copy_range(range: Option<&str>, row: &ObjectRow) -> Result<Range<u64>, RequestError> {
    let Some(text) = range else {
        return Ok(0..row.content.size_bytes);
    };
    match s3s::dto::Range::parse(text) {
        Ok(s3s::dto::Range::Int {
            first,
            last: Some(last),
        }) if last < row.content.size_bytes => Ok(first..last + 1),
        Ok(s3s::dto::Range::Int { .. } | s3s::dto::Range::Suffix { .. }) | Err(_) => {
            Err(RequestError::CopyRange)
        }
    }
}

/// The checksum beside crc64nvme, if it is the one that is wanted and over the whole.
fn whole_checksum(content: &Content, wanted: Option<Algorithm>) -> Option<&Checksum> {
    let checksum = content.checksum.as_ref();
    checksum.filter(|checksum| Some(checksum.algorithm) == wanted && !checksum.is_composite())
}

/// The part when nothing needs reading: the whole of an object, with the checksums it has.
fn known_part(row: &ObjectRow, range: &Range<u64>, wanted: Option<Algorithm>) -> Option<Content> {
    let content = &row.content;
    let checksum = whole_checksum(content, wanted).cloned();
    let complete = checksum.is_some() || matches!(wanted, None | Some(Algorithm::Crc64Nvme));
    if *range != (0..content.size_bytes) || !complete {
        return None;
    }
    let is_md5 = !content.etag.contains('-');
    Some(Content {
        etag: if is_md5 {
            content.etag.clone()
        } else {
            copied_part_etag(content.crc64nvme, content.size_bytes)
        },
        checksum,
        ..*content
    })
}

fn copied(content: &Content, placed: Placed, from: Option<String>) -> CopyObjectOutput {
    let mut result = CopyObjectResult {
        checksum_type: Some(checksum_type(content)),
        last_modified: Some(timestamp(placed.modified_micros)),
        ..CopyObjectResult::default()
    };
    with_digests!(result, content);
    CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: from,
        version_id: placed.version,
        ..CopyObjectOutput::default()
    }
}

fn copied_part(
    content: &Content,
    modified_micros: i64,
    from: Option<String>,
) -> UploadPartCopyOutput {
    let mut result = CopyPartResult {
        last_modified: Some(timestamp(modified_micros)),
        ..CopyPartResult::default()
    };
    with_digests!(result, content);
    UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: from,
        ..UploadPartCopyOutput::default()
    }
}
