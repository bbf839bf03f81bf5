//! Lists: objects (both versions of the call), parts and uploads.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, ETag, EncodingType, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, MultipartUpload, Object, Part,
};

use super::Service;
use super::errors::RequestError;
use super::words::{listed_class, promised, timestamp, with_digests};
use crate::limits::{PAGE_MAX, page_size};
use crate::listing::{Entry, Page, Query, successor};
use crate::store::rows::{ListedRow, PartRow, UploadRow};

/// Rows fetched at once when keys are rolled up: most of them may lie behind one prefix.
pub(super) const ROLLED_UP_TOGETHER: usize = 64;
/// Sorts behind every upload id, which are hex digits.
const BEHIND_ALL_IDS: &str = "~";
/// What a client that asks for `encoding-type=url` gets escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

impl Service {
    pub(super) async fn list_v2(
        &self,
        input: ListObjectsV2Input,
    ) -> Result<ListObjectsV2Output, RequestError> {
        let (output, _last) = self.list_page(input).await?;
        Ok(output)
    }

    pub(super) async fn list(
        &self,
        input: ListObjectsInput,
    ) -> Result<ListObjectsOutput, RequestError> {
        let (output, last) = self.list_page(input.into()).await?;
        Ok(ListObjectsOutput {
            name: output.name,
            prefix: output.prefix,
            marker: Some(output.start_after.unwrap_or_default()),
            max_keys: output.max_keys,
            is_truncated: output.is_truncated,
            contents: output.contents,
            common_prefixes: output.common_prefixes,
            delimiter: output.delimiter,
            next_marker: last.filter(|_| output.is_truncated == Some(true)),
            encoding_type: output.encoding_type,
            ..ListObjectsOutput::default()
        })
    }

    /// Either version of the call. Also returns the last name on the page, of either kind.
    async fn list_page(
        &self,
        input: ListObjectsV2Input,
    ) -> Result<(ListObjectsV2Output, Option<String>), RequestError> {
        let names = Names::of(input.encoding_type.as_ref());
        let entries_max = page_size(input.max_keys)?;
        let prefix = input.prefix.unwrap_or_default();
        let query = Query {
            prefix: prefix.as_str().into(),
            delimiter: input.delimiter.as_deref().map(Into::into),
            entries_max,
        };
        let start = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => URL_SAFE_NO_PAD
                .decode(token)
                .map_err(|_malformed| RequestError::Token)?,
            // No key is empty, so an empty marker leaves out nothing.
            (None, Some(marker)) => query.position_after(marker.as_bytes()),
            (None, None) => Vec::new(),
        };
        let page = self.page(&input.bucket, query, start).await?;
        let truncated = page.truncated;
        let next = truncated.then(|| URL_SAFE_NO_PAD.encode(page.position()));
        let (contents, prefixes, last) = names.split(page);
        let output = ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(names.text(prefix)),
            max_keys: Some(number(entries_max)),
            key_count: Some(number(contents.len() + prefixes.len())),
            continuation_token: input.continuation_token,
            is_truncated: Some(truncated),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: input.delimiter.map(|delimiter| names.text(delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|marker| names.text(marker)),
            ..ListObjectsV2Output::default()
        };
        Ok((output, last))
    }

    async fn page(
        &self,
        bucket: &str,
        query: Query,
        start: Vec<u8>,
    ) -> Result<Page<ListedRow>, RequestError> {
        self.store.require_bucket(bucket).await?;
        let batch = match query.delimiter {
            Some(_) => ROLLED_UP_TOGETHER,
            // One more than fits tells whether there is another page.
            None => query.entries_max + 1,
        };
        let mut page = Page::at(query, start);
        let end = page.end();
        loop {
            let rows = self
                .store
                .keys(bucket, page.position(), &end, batch)
                .await?;
            let exhausted = rows.len() < batch;
            if fill(&mut page, rows).is_break() || exhausted {
                return Ok(page);
            }
        }
    }

    pub(super) async fn list_upload_parts(
        &self,
        input: ListPartsInput,
    ) -> Result<ListPartsOutput, RequestError> {
        let upload = self
            .store
            .upload(&input.bucket, &input.key, &input.upload_id)
            .await?;
        let parts_max = page_size(input.max_parts)?;
        let after = input
            .part_number_marker
            .map_or(0, |marker| u32::try_from(marker).unwrap_or(0));
        let mut parts = self
            .store
            .parts(&input.upload_id, after, parts_max + 1)
            .await?;
        let truncated = parts.len() > parts_max && parts_max > 0;
        parts.truncate(parts_max);
        let last = parts.last().map(|row| row.part.number.cast_signed());
        let (checksum_algorithm, checksum_type) = promised(upload.promise);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm,
            checksum_type,
            storage_class: Some(listed_class(upload.about.storage_class).into()),
            max_parts: Some(number(parts_max)),
            part_number_marker: input.part_number_marker,
            is_truncated: Some(truncated),
            next_part_number_marker: last.filter(|_| truncated),
            parts: Some(parts.iter().map(listed_part).collect()),
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn list_uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> Result<ListMultipartUploadsOutput, RequestError> {
        if input.delimiter.is_some() {
            let what = "a delimiter in a list of uploads";
            return Err(RequestError::Unsupported(what));
        }
        self.store.require_bucket(&input.bucket).await?;
        let names = Names::of(input.encoding_type.as_ref());
        let uploads_max = page_size(input.max_uploads)?;
        let prefix = input.prefix.unwrap_or_default();
        let end = successor(prefix.as_bytes());
        let after_key = input.key_marker.as_deref().unwrap_or_default();
        // Without an id, everything under the marked key is done with.
        let after_id = match &input.upload_id_marker {
            Some(id) if !id.is_empty() => id.as_str(),
            Some(_) | None => BEHIND_ALL_IDS,
        };
        let mut uploads = self
            .store
            .uploads(
                &input.bucket,
                prefix.as_bytes()..end.as_slice(),
                (after_key.as_bytes(), after_id),
                uploads_max + 1,
            )
            .await?;
        let truncated = uploads.len() > uploads_max && uploads_max > 0;
        uploads.truncate(uploads_max);
        let last = uploads.last().filter(|_| truncated).cloned();
        let listed = uploads.into_iter().map(|row| listed_upload(row, names));
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            key_marker: input.key_marker.map(|marker| names.text(marker)),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: last.as_ref().map(|row| names.key(&row.key)),
            next_upload_id_marker: last.map(|row| row.id),
            prefix: Some(names.text(prefix)),
            max_uploads: Some(number(uploads_max)),
            is_truncated: Some(truncated),
            encoding_type: input.encoding_type,
            uploads: Some(listed.collect()),
            ..ListMultipartUploadsOutput::default()
        })
    }
}

/// How names go out: as they are, or escaped for clients whose XML cannot carry every character.
#[derive(Clone, Copy)]
pub(super) enum Names {
    Plain,
    Escaped,
}

impl Names {
    pub(super) fn of(encoding: Option<&EncodingType>) -> Self {
        match encoding {
            Some(encoding) if encoding.as_str() == EncodingType::URL => Self::Escaped,
            Some(_) | None => Self::Plain,
        }
    }

    pub(super) fn text(self, name: String) -> String {
        match self {
            Self::Plain => name,
            Self::Escaped => utf8_percent_encode(&name, ESCAPED).to_string(),
        }
    }

    pub(super) fn key(self, key: &[u8]) -> String {
        self.text(String::from_utf8_lossy(key).into_owned())
    }

    /// Objects, common prefixes, and the last name of either kind.
    fn split(self, page: Page<ListedRow>) -> (Vec<Object>, Vec<CommonPrefix>, Option<String>) {
        let (mut objects, mut prefixes, mut last) = (Vec::new(), Vec::new(), None);
        for entry in page.entries {
            match entry {
                Entry::Object(row) => {
                    let key = self.key(&row.key);
                    last = Some(key.clone());
                    objects.push(listed_object(row, key));
                }
                Entry::Prefix(prefix) => {
                    let prefix = self.key(&prefix);
                    last = Some(prefix.clone());
                    prefixes.push(CommonPrefix {
                        prefix: Some(prefix),
                    });
                }
            }
        }
        (objects, prefixes, last)
    }
}

fn fill(page: &mut Page<ListedRow>, rows: Vec<ListedRow>) -> ControlFlow<()> {
    for row in rows {
        let key = row.key.clone();
        page.push(&key, row)?;
    }
    ControlFlow::Continue(())
}

fn listed_object(row: ListedRow, key: String) -> Object {
    Object {
        checksum_algorithm: row
            .checksum_algorithm
            .map(|name| vec![ChecksumAlgorithm::from(name)]),
        e_tag: Some(ETag::Strong(row.etag)),
        key: Some(key),
        last_modified: Some(timestamp(row.modified_micros)),
        size: Some(row.size_bytes),
        storage_class: Some(listed_class(row.storage_class).into()),
        ..Object::default()
    }
}

fn listed_part(row: &PartRow) -> Part {
    let mut part = Part {
        last_modified: Some(timestamp(row.modified_micros)),
        part_number: Some(row.part.number.cast_signed()),
        size: Some(row.part.content.size_bytes.cast_signed()),
        ..Part::default()
    };
    with_digests!(part, &row.part.content);
    part
}

fn listed_upload(row: UploadRow, names: Names) -> MultipartUpload {
    let (checksum_algorithm, checksum_type) = promised(row.promise);
    MultipartUpload {
        checksum_algorithm,
        checksum_type,
        initiated: Some(timestamp(row.started_micros)),
        key: Some(names.key(&row.key)),
        storage_class: Some(listed_class(row.about.storage_class).into()),
        upload_id: Some(row.id),
        ..MultipartUpload::default()
    }
}

/// A page never holds more than [`PAGE_MAX`].
pub(super) fn number(count: usize) -> i32 {
    i32::try_from(count.min(PAGE_MAX)).unwrap_or(0)
}
