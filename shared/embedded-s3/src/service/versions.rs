//! Versions: whether a bucket keeps them, and which there are.

use std::ops::ControlFlow;

use s3s::dto::{
    BucketVersioningStatus, ChecksumAlgorithm, CommonPrefix, DeleteMarkerEntry, ETag,
    GetBucketVersioningInput, GetBucketVersioningOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, MFADelete, ObjectVersion, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};

use super::Service;
use super::errors::RequestError;
use super::lists::{Names, ROLLED_UP_TOGETHER, number};
use super::words::{listed_class, timestamp};
use crate::limits::page_size;
use crate::listing::{Entry, Page, Query};
use crate::store::reads::ObjectName;
use crate::store::rows::VersionRow;
use crate::store::versions::{SetVersioning, Versioning};

/// Older than every version.
const ALL: i64 = i64::MAX;

impl Service {
    pub(super) async fn set_versioning(
        &self,
        input: PutBucketVersioningInput,
    ) -> Result<PutBucketVersioningOutput, RequestError> {
        let wanted = input.versioning_configuration;
        let mfa = wanted.mfa_delete.as_ref().map(MFADelete::as_str);
        if mfa == Some(MFADelete::ENABLED) {
            return Err(RequestError::Unsupported("MFA delete"));
        }
        let status = wanted.status.as_ref().map(BucketVersioningStatus::as_str);
        let versioning = match status {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            Some(_) | None => return Err(RequestError::Versioning),
        };
        let set = SetVersioning {
            bucket: input.bucket,
            versioning,
        };
        self.store.submit(set).await?;
        Ok(PutBucketVersioningOutput::default())
    }

    pub(super) async fn versioning(
        &self,
        input: GetBucketVersioningInput,
    ) -> Result<GetBucketVersioningOutput, RequestError> {
        let versioning = self.store.versioning(&input.bucket).await?;
        Ok(GetBucketVersioningOutput {
            status: versioning.name().map(BucketVersioningStatus::from_static),
            ..GetBucketVersioningOutput::default()
        })
    }

    pub(super) async fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> Result<ListObjectVersionsOutput, RequestError> {
        let names = Names::of(input.encoding_type.as_ref());
        let entries_max = page_size(input.max_keys)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let query = Query {
            prefix: prefix.as_str().into(),
            delimiter: input.delimiter.as_deref().map(Into::into),
            entries_max,
        };
        let start = self.start_of_versions(&input, &query).await?;
        let page = self.page_of_versions(&input.bucket, query, start).await?;
        let mut output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(names.text(prefix)),
            max_keys: Some(number(entries_max)),
            is_truncated: Some(page.truncated),
            delimiter: input.delimiter.map(|delimiter| names.text(delimiter)),
            encoding_type: input.encoding_type,
            key_marker: input.key_marker.map(|marker| names.text(marker)),
            version_id_marker: input.version_id_marker,
            ..ListObjectVersionsOutput::default()
        };
        if page.truncated {
            (output.next_key_marker, output.next_version_id_marker) = match page.entries.last() {
                Some(Entry::Object(row)) => (Some(names.key(&row.key)), Some(row.version.clone())),
                Some(Entry::Prefix(common)) => (Some(names.key(common)), None),
                None => (None, None),
            };
        }
        list_entries(&mut output, page, names);
        Ok(output)
    }

    /// The key to begin at, and of that key only versions older than this.
    async fn start_of_versions(
        &self,
        input: &ListObjectVersionsInput,
        query: &Query,
    ) -> Result<(Vec<u8>, i64), RequestError> {
        let key = input.key_marker.as_deref().unwrap_or_default();
        let version = input.version_id_marker.as_deref();
        let Some(version) = version.filter(|version| !version.is_empty()) else {
            if key.is_empty() {
                return Ok((Vec::new(), ALL));
            }
            return Ok((query.position_after(key.as_bytes()), ALL));
        };
        if key.is_empty() {
            return Err(RequestError::VersionMarker);
        }
        let name = ObjectName {
            bucket: &input.bucket,
            key,
            version: Some(version),
        };
        // One that was deleted since then leaves those of the key that are still there: who deletes
        // what the pages show misses nothing.
        let before = self.store.version_micros(name).await?.unwrap_or(ALL);
        Ok((key.as_bytes().to_vec(), before))
    }

    async fn page_of_versions(
        &self,
        bucket: &str,
        query: Query,
        (start, mut before): (Vec<u8>, i64),
    ) -> Result<Page<VersionRow>, RequestError> {
        self.store.require_bucket(bucket).await?;
        let batch = match query.delimiter {
            Some(_) => ROLLED_UP_TOGETHER,
            // One more than fits tells whether there is another page.
            None => query.entries_max + 1,
        };
        if start < query.prefix {
            before = ALL;
        }
        let mut page = Page::at(query, start);
        let end = page.end();
        let mut from = page.position().to_vec();
        let mut last_key = Vec::new();
        loop {
            let rows = self
                .store
                .versions(bucket, (&from, before), &end, batch)
                .await?;
            let exhausted = rows.len() < batch;
            if let Some(last) = rows.last() {
                (from, before) = (last.key.clone(), last.modified_micros);
            }
            if fill(&mut page, &mut last_key, rows).is_break() || exhausted {
                return Ok(page);
            }
            if page.ends_in_prefix() {
                (from, before) = (page.position().to_vec(), ALL);
            }
        }
    }
}

fn fill(
    page: &mut Page<VersionRow>,
    last_key: &mut Vec<u8>,
    rows: Vec<VersionRow>,
) -> ControlFlow<()> {
    for row in rows {
        if row.key == *last_key {
            page.push_again(row)?;
        } else {
            last_key.clone_from(&row.key);
            page.push(last_key, row)?;
        }
    }
    ControlFlow::Continue(())
}

fn list_entries(output: &mut ListObjectVersionsOutput, page: Page<VersionRow>, names: Names) {
    let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::Object(row) => {
                let key = names.key(&row.key);
                match row.etag.clone() {
                    Some(etag) => versions.push(listed_version(row, key, etag)),
                    None => markers.push(DeleteMarkerEntry {
                        is_latest: Some(row.is_latest),
                        key: Some(key),
                        last_modified: Some(timestamp(row.modified_micros)),
                        version_id: Some(row.version),
                        ..DeleteMarkerEntry::default()
                    }),
                }
            }
            Entry::Prefix(prefix) => prefixes.push(CommonPrefix {
                prefix: Some(names.key(&prefix)),
            }),
        }
    }
    output.versions = Some(versions);
    output.delete_markers = Some(markers);
    output.common_prefixes = Some(prefixes);
}

fn listed_version(row: VersionRow, key: String, etag: String) -> ObjectVersion {
    ObjectVersion {
        checksum_algorithm: row
            .checksum_algorithm
            .map(|name| vec![ChecksumAlgorithm::from(name)]),
        e_tag: Some(ETag::Strong(etag)),
        is_latest: Some(row.is_latest),
        key: Some(key),
        last_modified: Some(timestamp(row.modified_micros)),
        size: row.size_bytes,
        storage_class: Some(listed_class(row.storage_class).into()),
        version_id: Some(row.version),
        ..ObjectVersion::default()
    }
}
