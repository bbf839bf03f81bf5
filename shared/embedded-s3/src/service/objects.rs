//! Putting, getting, asking about and deleting objects.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use s3s::dto::{
    self, ChecksumMode, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, ObjectIdentifier, PutObjectInput, PutObjectOutput,
    StreamingBlob,
};
use s3s::{S3Request, TrailingHeaders};
use tracing::error;

use super::errors::{RequestError, store_code};
use super::tags::tag_count;
use super::words::{
    DEFAULT_TYPE, about_of, body_length, checksum_type, expires_of, signs_whole_body,
    whole_seconds, with_digests,
};
use super::{Answer, Service};
use crate::blobs::reading;
use crate::checksums::claims::Claims;
use crate::checksums::{Algorithm, Hashing};
use crate::conditions::{ReadConditions, WriteConditions, check_read};
use crate::intake::{self, IntakeError, NewBytes, Shelf};
use crate::limits;
use crate::multipart::Content;
use crate::store::objects::{DeleteObjects, Doomed, NewObject, PutObject};
use crate::store::reads::Source;
use crate::store::rows::{About, ObjectRow};
use crate::store::versions::Removed;

/// A body and what its request says about it.
pub(super) struct Arrival {
    pub body: Option<StreamingBlob>,
    pub headers: HeaderMap,
    pub trailers: Option<TrailingHeaders>,
}

impl Arrival {
    /// Passes on whether the body is wanted; one that is not is drained.
    pub(super) async fn admit<T>(
        &mut self,
        admitted: Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        if admitted.is_err() {
            intake::drain(self.body.take()).await;
        }
        admitted
    }
}

/// What both reads ask of the object, by the same field names.
macro_rules! read_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.if_match.clone(),
            if_none_match: $input.if_none_match.clone(),
            if_modified_since: $input.if_modified_since.clone(),
            if_unmodified_since: $input.if_unmodified_since.clone(),
        }
    };
}

/// The object a request is about, by the same field names.
macro_rules! object_named {
    ($input:expr) => {
        $crate::store::reads::ObjectName {
            bucket: &$input.bucket,
            key: &$input.key,
            version: $input.version_id.as_deref(),
        }
    };
}
pub(super) use object_named;

/// The head of an object, in the words of both answers that carry it.
macro_rules! describe {
    ($output:ident, $input:expr, $row:expr, $range:expr, $restore:expr) => {{
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: $row.about.cache_control.clone(),
            content_length: Some(($range.end - $range.start).cast_signed()),
            content_range: $input
                .range
                .map(|_| content_range(&$range, $row.content.size_bytes)),
            content_disposition: $row.about.content_disposition.clone(),
            content_encoding: $row.about.content_encoding.clone(),
            content_language: $row.about.content_language.clone(),
            content_type: Some(
                $row.about
                    .content_type
                    .clone()
                    .unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            ),
            e_tag: Some(dto::ETag::Strong($row.content.etag.clone())),
            expires: expires_of(&$row.about),
            last_modified: Some(whole_seconds($row.modified_micros)),
            metadata: Some($row.about.metadata.clone().into_iter().collect()),
            storage_class: $row.about.storage_class.clone().map(Into::into),
            version_id: $row.version.clone(),
            restore: $restore,
            ..$output::default()
        };
        // A checksum of the whole says nothing about a range.
        if $input.range.is_none() && wants_checksums($input.checksum_mode.as_ref()) {
            with_digests!(output, &$row.content);
            output.checksum_type = Some(checksum_type(&$row.content));
        }
        output
    }};
}

impl Service {
    pub(super) async fn put(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> Result<PutObjectOutput, RequestError> {
        let mut arrival = Arrival {
            body: req.input.body.take(),
            headers: req.headers,
            trailers: req.trailing_headers,
        };
        let input = req.input;
        let admitted = self.admit_put(&input, &arrival.headers).await;
        let about = arrival.admit(admitted).await?;
        let (bytes, content) = self.receive(arrival, None, Shelf::Any).await?;
        let mut output = PutObjectOutput {
            checksum_type: Some(checksum_type(&content)),
            ..PutObjectOutput::default()
        };
        with_digests!(output, &content);
        let object = NewObject {
            bucket: input.bucket,
            key: input.key,
            content,
            about,
            conditions: WriteConditions {
                if_match: input.if_match,
                if_none_match: input.if_none_match,
            },
        };
        let placed = self.store.submit(PutObject { object, bytes }).await?;
        output.version_id = placed.version;
        self.disk.found_room();
        Ok(output)
    }

    /// What can be refused before the body is read. That a small body has no bucket is for the writer
    /// to say: it looks anyway.
    async fn admit_put(
        &self,
        input: &PutObjectInput,
        headers: &HeaderMap,
    ) -> Result<About, RequestError> {
        limits::check_key(&input.key)?;
        let unsupported = [
            (input.sse_customer_algorithm.is_some(), "a customer key"),
            (input.object_lock_mode.is_some(), "an object lock"),
            (input.write_offset_bytes.is_some(), "appending"),
        ];
        if let Some((_, what)) = unsupported.into_iter().find(|(asked, _)| *asked) {
            return Err(RequestError::Unsupported(what));
        }
        let about = about_of!(input);
        if body_length(headers)? > intake::INLINE_MAX {
            self.store.require_bucket(&input.bucket).await?;
        }
        Ok(about)
    }

    /// Receives a body and holds it against everything the request claims. `promised` is what its
    /// upload wants computed, if it belongs to one.
    pub(super) async fn receive(
        &self,
        mut arrival: Arrival,
        promised: Option<Algorithm>,
        room: Shelf,
    ) -> Result<(NewBytes, Content), RequestError> {
        let plan = plan(&arrival.headers, promised);
        let (claims, length, hashing) = arrival.admit(plan).await?;
        let Arrival {
            body,
            headers,
            trailers,
        } = arrival;
        let (bytes, digests) = intake::receive(&self.store.blobs, body, length, hashing, room)
            .await
            .map_err(|error| match error {
                IntakeError::Body(_) if signs_whole_body(&headers) => RequestError::SignedHash,
                IntakeError::Body(_) | IntakeError::Length { .. } | IntakeError::Write(_) => {
                    error.into()
                }
            })?;
        let trailers = trailers.and_then(|trailers| trailers.take());
        claims.check(&digests, trailers.as_ref())?;
        Ok((bytes, Content::of_body(digests)))
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> Result<GetObjectOutput, RequestError> {
        refuse_part(input.part_number)?;
        let conditions = read_conditions!(input);
        let accept = |row: &ObjectRow| -> Result<Range<u64>, RequestError> {
            let range = chosen(row, &conditions, input.range)?;
            self.require_warm(row)?;
            Ok(range)
        };
        let name = object_named!(input);
        let (row, range, source) = self.store.open_object(name, accept).await?;
        let mut output = describe!(GetObjectOutput, input, row, range, self.restore_words(&row));
        output.tag_count = tag_count(&row);
        // There is no checksum of a part of the bytes to compare it with.
        let is_whole = range == (0..row.content.size_bytes);
        let crc64nvme = is_whole.then_some(row.content.crc64nvme);
        let (bucket, key) = (input.bucket, input.key);
        let report = move |cause: &io::Error| {
            error!(bucket, key, %cause, "breaking off an answer: the bytes of a stored object have changed, or cannot be read");
        };
        output.body = Some(match source {
            Source::Inline => match reading::of_row(slice(&row.body, &range), crc64nvme) {
                Ok(bytes) => StreamingBlob::from(s3s::Body::from(bytes)),
                Err(cause) => {
                    report(&cause);
                    StreamingBlob::wrap(stream::iter([Err(cause)]))
                }
            },
            Source::Files { segments, pins } => {
                let blobs = Arc::clone(&self.store.blobs);
                let bytes = reading::stream(blobs, segments, pins, crc64nvme);
                StreamingBlob::wrap(bytes.inspect_err(report))
            }
        });
        Ok(output)
    }

    pub(super) async fn head(
        &self,
        input: HeadObjectInput,
    ) -> Result<Answer<HeadObjectOutput>, RequestError> {
        refuse_part(input.part_number)?;
        let conditions = read_conditions!(input);
        let wants_to_know = input.range.is_none() && wants_checksums(input.checksum_mode.as_ref());
        let name = object_named!(input);
        if !wants_to_know || !self.read_back.contains(name.bucket) {
            let row = self.store.object(name).await?;
            let range = chosen(&row, &conditions, input.range)?;
            let restore = self.restore_words(&row);
            let output = describe!(HeadObjectOutput, input, row, range, restore);
            return Ok(with_tag_count(output, &row));
        }
        let accept = |row: &ObjectRow| chosen(row, &conditions, None);
        let (mut row, range, source) = self.store.open_object(name, accept).await?;
        row.content = self.as_read(name, &row, source).await?;
        let restore = self.restore_words(&row);
        let output = describe!(HeadObjectOutput, input, row, range, restore);
        Ok(with_tag_count(output, &row))
    }

    pub(super) async fn delete(
        &self,
        input: DeleteObjectInput,
    ) -> Result<DeleteObjectOutput, RequestError> {
        let delete = DeleteObjects {
            bucket: input.bucket,
            keys: vec![Doomed {
                key: input.key,
                version: input.version_id,
                condition: input.if_match,
            }],
        };
        let mut output = DeleteObjectOutput::default();
        for verdict in self.store.submit(delete).await? {
            let removed = verdict?;
            output.version_id = removed.version;
            output.delete_marker = removed.is_marker.then_some(true);
        }
        Ok(output)
    }

    pub(super) async fn delete_many(
        &self,
        input: DeleteObjectsInput,
    ) -> Result<DeleteObjectsOutput, RequestError> {
        limits::check_delete_count(input.delete.objects.len())?;
        let named = input.delete.objects;
        let keys = named.iter().map(|object| Doomed {
            key: object.key.clone(),
            version: object.version_id.clone(),
            condition: object.e_tag.clone().map(ETagCondition::ETag),
        });
        let keys = keys.collect();
        let bucket = input.bucket;
        let verdicts = self.store.submit(DeleteObjects { bucket, keys }).await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (object, verdict) in named.into_iter().zip(verdicts) {
            match verdict {
                Ok(removed) => deleted.push(deleted_object(object, removed)),
                Err(error) => errors.push(dto::Error {
                    code: Some(store_code(&error).as_str().to_owned()),
                    key: Some(object.key),
                    message: Some(error.to_string()),
                    version_id: object.version_id,
                }),
            }
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            request_charged: None,
        })
    }
}

/// The output has no field for it.
fn with_tag_count(output: HeadObjectOutput, row: &ObjectRow) -> Answer<HeadObjectOutput> {
    let mut answer = Answer::from(output);
    if let Some(count) = tag_count(row) {
        let headers = &mut answer.0.headers;
        headers.insert("x-amz-tagging-count", HeaderValue::from(count));
    }
    answer
}

fn deleted_object(object: ObjectIdentifier, removed: Removed) -> DeletedObject {
    DeletedObject {
        key: Some(object.key),
        version_id: object.version_id,
        delete_marker: removed.is_marker.then_some(true),
        delete_marker_version_id: removed.version.filter(|_| removed.is_marker),
    }
}

/// What the headers announce: the claims, the length, and what must be computed.
fn plan(
    headers: &HeaderMap,
    promised: Option<Algorithm>,
) -> Result<(Claims, u64, Hashing), RequestError> {
    let claims = Claims::of(headers)?;
    let length = body_length(headers)?;
    limits::check_body(length)?;
    let extra = match (claims.algorithm(), promised) {
        // Our own crc64nvme is computed anyway.
        (None | Some(Algorithm::Crc64Nvme), promised) => promised,
        (claimed, None | Some(Algorithm::Crc64Nvme)) => claimed,
        (claimed, promised) if claimed == promised => promised,
        (Some(_), Some(_)) => return Err(RequestError::OtherChecksum),
    };
    Ok((claims, length, Hashing::for_body(extra)))
}

fn refuse_part(part: Option<i32>) -> Result<(), RequestError> {
    if part.is_some() {
        return Err(RequestError::Unsupported("reading by part number"));
    }
    Ok(())
}

/// The bytes a read is about, if the object is as it demands.
fn chosen(
    row: &ObjectRow,
    conditions: &ReadConditions,
    range: Option<dto::Range>,
) -> Result<Range<u64>, RequestError> {
    let modified = whole_seconds(row.modified_micros);
    check_read(&row.content.etag, &modified, conditions)?;
    let size_bytes = row.content.size_bytes;
    match range {
        None => Ok(0..size_bytes),
        Some(_) if size_bytes == 0 => Err(RequestError::Range),
        Some(range) => range
            .check(size_bytes)
            .map_err(|_unsatisfiable| RequestError::Range),
    }
}

fn content_range(range: &Range<u64>, size_bytes: u64) -> String {
    let last = range.end.saturating_sub(1);
    format!("bytes {}-{last}/{size_bytes}", range.start)
}

pub(super) fn slice(body: &Bytes, range: &Range<u64>) -> Bytes {
    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(position(range.start)..position(range.end))
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}
