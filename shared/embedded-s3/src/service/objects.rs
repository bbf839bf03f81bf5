//! Putting, getting, asking about and deleting objects.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use s3s::dto::{
    self, ChecksumMode, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3Request, TrailingHeaders};

use super::Service;
use super::faults::{Fault, store_code};
use super::words::{
    DEFAULT_TYPE, about_of, body_length, checksum_type, checksums, etag, expires_of,
    signs_whole_body, whole_seconds, with_checksums,
};
use crate::blobs::reading;
use crate::checksums::claims::Claims;
use crate::checksums::{Algorithm, Digests, Hashing};
use crate::conditions::{ReadConditions, WriteConditions, check_read};
use crate::intake::{self, IntakeFault, NewBytes, Shelf};
use crate::limits::{self, LimitFault, PAGE_MAX};
use crate::multipart::Content;
use crate::store::objects::{DeleteObjects, NewObject, PutObject};
use crate::store::reads::Source;
use crate::store::rows::{About, ObjectRow};

/// A body and what its request says about it.
pub(super) struct Arrival {
    pub body: Option<StreamingBlob>,
    pub headers: HeaderMap,
    pub trailers: Option<TrailingHeaders>,
}

/// The head of an object, in the words of both answers that carry it.
macro_rules! describe {
    ($output:ident, $row:expr) => {
        $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: $row.about.cache_control.clone(),
            content_disposition: $row.about.content_disposition.clone(),
            content_encoding: $row.about.content_encoding.clone(),
            content_language: $row.about.content_language.clone(),
            content_type: Some(
                $row.about
                    .content_type
                    .clone()
                    .unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            ),
            e_tag: Some(etag($row.content.etag.clone())),
            expires: expires_of(&$row.about),
            last_modified: Some(whole_seconds($row.modified_micros)),
            metadata: Some($row.about.metadata.clone().into_iter().collect()),
            storage_class: $row.about.storage_class.clone().map(Into::into),
            ..$output::default()
        }
    };
}

impl Service {
    pub(super) async fn put(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> Result<PutObjectOutput, Fault> {
        let arrival = Arrival {
            body: req.input.body.take(),
            headers: req.headers,
            trailers: req.trailing_headers,
        };
        let input = req.input;
        let about = match self.admit_put(&input, &arrival.headers).await {
            Ok(about) => about,
            Err(fault) => {
                intake::drain(arrival.body).await;
                return Err(fault);
            }
        };
        let (bytes, digests) = self.receive(arrival, None, Shelf::Any).await?;
        let content = Content {
            etag: hex::encode(digests.md5.unwrap_or_default()),
            size_bytes: digests.size_bytes,
            crc64nvme: digests.crc64nvme,
            checksum: digests.extra,
        };
        let object = NewObject {
            bucket: input.bucket,
            key: input.key,
            content: content.clone(),
            about,
            conditions: WriteConditions {
                if_match: input.if_match,
                if_none_match: input.if_none_match,
            },
        };
        self.store.submit(PutObject { object, bytes }).await?;
        let mut output = PutObjectOutput {
            checksum_type: Some(checksum_type(&content)),
            ..PutObjectOutput::default()
        };
        with_checksums!(
            output,
            checksums(content.crc64nvme, content.checksum.as_ref())
        );
        output.e_tag = Some(etag(content.etag));
        Ok(output)
    }

    /// What can be refused before the body is read. That a small body has no bucket is for the writer
    /// to say: it looks anyway.
    async fn admit_put(&self, input: &PutObjectInput, headers: &HeaderMap) -> Result<About, Fault> {
        limits::check_key(&input.key)?;
        let unsupported = [
            (input.tagging.is_some(), "a tag"),
            (input.sse_customer_algorithm.is_some(), "a customer key"),
            (input.object_lock_mode.is_some(), "an object lock"),
            (input.write_offset_bytes.is_some(), "appending"),
        ];
        if let Some((_, what)) = unsupported.into_iter().find(|(asked, _)| *asked) {
            return Err(Fault::Unsupported(what));
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
        arrival: Arrival,
        promised: Option<Algorithm>,
        room: Shelf,
    ) -> Result<(NewBytes, Digests), Fault> {
        let Arrival {
            body,
            headers,
            trailers,
        } = arrival;
        let (claims, length, hashing) = match plan(&headers, promised) {
            Ok(plan) => plan,
            Err(fault) => {
                intake::drain(body).await;
                return Err(fault);
            }
        };
        let (bytes, digests) = intake::receive(&self.store.blobs, body, length, hashing, room)
            .await
            .map_err(|fault| match fault {
                IntakeFault::Body(_) if signs_whole_body(&headers) => Fault::SignedHash,
                IntakeFault::Body(_) | IntakeFault::Length { .. } | IntakeFault::Write(_) => {
                    fault.into()
                }
            })?;
        let trailers = trailers.and_then(|trailers| trailers.take());
        claims.check(&digests, trailers.as_ref())?;
        Ok((bytes, digests))
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> Result<GetObjectOutput, Fault> {
        refuse_part_or_version(input.part_number, input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (row, range, source) = self
            .store
            .open_object(&input.bucket, &input.key, |row| {
                let modified = whole_seconds(row.modified_micros);
                check_read(&row.content.etag, &modified, &conditions)?;
                chosen(input.range, row.content.size_bytes)
            })
            .await?;
        let mut output = describe!(GetObjectOutput, row);
        output.content_length = Some((range.end - range.start).cast_signed());
        output.content_range = input
            .range
            .map(|_| content_range(&range, row.content.size_bytes));
        // A checksum of the whole says nothing about a range.
        if input.range.is_none() && wants_checksums(input.checksum_mode.as_ref()) {
            with_checksums!(output, object_checksums(&row));
            output.checksum_type = Some(checksum_type(&row.content));
        }
        output.body = Some(match source {
            Source::Inline => StreamingBlob::from(s3s::Body::from(slice(&row.body, &range))),
            Source::Files { segments, pins } => {
                let blobs = Arc::clone(&self.store.blobs);
                StreamingBlob::wrap(reading::stream(blobs, segments, pins))
            }
        });
        Ok(output)
    }

    pub(super) async fn head(&self, input: HeadObjectInput) -> Result<HeadObjectOutput, Fault> {
        refuse_part_or_version(input.part_number, input.version_id.as_deref())?;
        let row = self.store.object(&input.bucket, &input.key).await?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let modified = whole_seconds(row.modified_micros);
        check_read(&row.content.etag, &modified, &conditions)?;
        let range = chosen(input.range, row.content.size_bytes)?;
        let mut output = describe!(HeadObjectOutput, row);
        output.content_length = Some((range.end - range.start).cast_signed());
        output.content_range = input
            .range
            .map(|_| content_range(&range, row.content.size_bytes));
        if input.range.is_none() && wants_checksums(input.checksum_mode.as_ref()) {
            with_checksums!(output, object_checksums(&row));
            output.checksum_type = Some(checksum_type(&row.content));
        }
        Ok(output)
    }

    pub(super) async fn delete(
        &self,
        input: DeleteObjectInput,
    ) -> Result<DeleteObjectOutput, Fault> {
        refuse_part_or_version(None, input.version_id.as_deref())?;
        let verdicts = self
            .store
            .submit(DeleteObjects {
                bucket: input.bucket,
                keys: vec![(input.key, input.if_match)],
            })
            .await?;
        for verdict in verdicts {
            verdict?;
        }
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_many(
        &self,
        input: DeleteObjectsInput,
    ) -> Result<DeleteObjectsOutput, Fault> {
        if input.delete.objects.is_empty() || input.delete.objects.len() > PAGE_MAX {
            return Err(LimitFault::DeleteCount.into());
        }
        let keys: Vec<(String, Option<ETagCondition>)> = input
            .delete
            .objects
            .into_iter()
            .map(|object| (object.key, object.e_tag.map(ETagCondition::ETag)))
            .collect();
        let names: Vec<String> = keys.iter().map(|(key, _)| key.clone()).collect();
        let bucket = input.bucket;
        let verdicts = self.store.submit(DeleteObjects { bucket, keys }).await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (key, verdict) in names.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(key),
                    ..DeletedObject::default()
                }),
                Err(fault) => errors.push(dto::Error {
                    code: Some(store_code(&fault).as_str().to_owned()),
                    key: Some(key),
                    message: Some(fault.to_string()),
                    version_id: None,
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

/// What the headers announce: the claims, the length, and what must be computed.
fn plan(headers: &HeaderMap, promised: Option<Algorithm>) -> Result<(Claims, u64, Hashing), Fault> {
    let claims = Claims::of(headers)?;
    let length = body_length(headers)?;
    limits::check_body(length)?;
    let extra = match (claims.algorithm(), promised) {
        // Our own crc64nvme is computed anyway.
        (None | Some(Algorithm::Crc64Nvme), promised) => promised,
        (claimed, None | Some(Algorithm::Crc64Nvme)) => claimed,
        (claimed, promised) if claimed == promised => promised,
        (Some(_), Some(_)) => return Err(Fault::OtherChecksum),
    };
    Ok((claims, length, Hashing::for_body(extra)))
}

fn refuse_part_or_version(part: Option<i32>, version: Option<&str>) -> Result<(), Fault> {
    if part.is_some() {
        return Err(Fault::Unsupported("reading by part number"));
    }
    // "null" names the only version an object without versions has.
    if version.is_some_and(|version| version != "null") {
        return Err(Fault::Unsupported("a version"));
    }
    Ok(())
}

/// The bytes a read is about.
fn chosen(range: Option<dto::Range>, size_bytes: u64) -> Result<Range<u64>, Fault> {
    match range {
        None => Ok(0..size_bytes),
        Some(_) if size_bytes == 0 => Err(Fault::Range),
        Some(range) => range
            .check(size_bytes)
            .map_err(|_unsatisfiable| Fault::Range),
    }
}

fn content_range(range: &Range<u64>, size_bytes: u64) -> String {
    format!(
        "bytes {}-{}/{size_bytes}",
        range.start,
        range.end.saturating_sub(1)
    )
}

pub(super) fn slice(body: &Bytes, range: &Range<u64>) -> Bytes {
    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(position(range.start)..position(range.end))
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn object_checksums(row: &ObjectRow) -> dto::Checksum {
    checksums(row.content.crc64nvme, row.content.checksum.as_ref())
}
