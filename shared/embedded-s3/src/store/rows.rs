//! What rows look like, and the words they are written in.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::ChecksumType;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteExecutor, SqliteRow};
use sqlx::{FromRow, Row as _};

use super::StoreError;
use super::versions::{NULL, Versioning};
use crate::blobs::BlobId;
use crate::checksums::{Algorithm, Checksum};
use crate::cold::Restore;
use crate::multipart::{Content, Promise, StoredPart};
use crate::tags::Tags;

/// Where the bytes of a blob are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[repr(i64)]
pub(crate) enum Place {
    Inline = 0,
    File = 1,
    Joined = 2,
}

/// What a client says about its object and gets back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// As an HTTP date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
    /// In a column of its own, because listings show it.
    #[serde(skip)]
    pub storage_class: Option<String>,
}

/// An object, without its bytes.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRow {
    pub blob: BlobId,
    pub place: Place,
    /// The bytes, when they are in the row.
    pub body: Bytes,
    pub modified_micros: i64,
    pub content: Content,
    pub about: About,
    /// None where the bucket keeps no versions.
    pub version: Option<String>,
    /// Of a cold object.
    pub restore: Option<Restore>,
}

/// A version as a listing shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct VersionRow {
    pub key: Vec<u8>,
    pub modified_micros: i64,
    pub version: String,
    pub is_latest: bool,
    /// None of a delete marker, like the rest.
    pub etag: Option<String>,
    #[sqlx(rename = "size")]
    pub size_bytes: Option<i64>,
    pub storage_class: Option<String>,
    pub checksum_algorithm: Option<String>,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ListedRow {
    pub key: Vec<u8>,
    pub etag: String,
    #[sqlx(rename = "size")]
    pub size_bytes: i64,
    pub modified_micros: i64,
    pub storage_class: Option<String>,
    pub checksum_algorithm: Option<String>,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug)]
pub(crate) struct UploadRow {
    pub id: String,
    pub key: Vec<u8>,
    pub started_micros: i64,
    pub promise: Promise,
    pub about: About,
}

/// A part, and when it came.
#[derive(Clone, Debug)]
pub(crate) struct PartRow {
    pub part: StoredPart,
    pub modified_micros: i64,
}

impl ObjectRow {
    /// Needs `blob, place, body, modified_micros, etag, size, crc64nvme, checksum_algorithm,
    /// checksum_value, about, storage_class, version, versioning, ready_micros, expires_micros`.
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let body: Option<Vec<u8>> = row.try_get("body")?;
        let versioning: Option<String> = row.try_get("versioning")?;
        Ok(Self {
            blob: row.try_get("blob")?,
            place: row.try_get("place")?,
            body: body.map(Bytes::from).unwrap_or_default(),
            modified_micros: row.try_get("modified_micros")?,
            content: content(row)?,
            about: about(row)?,
            version: Versioning::of(versioning.as_deref()).shown(row.try_get("version")?),
            restore: restore_of(row)?,
        })
    }

    /// What the version is called, where versions are kept and where not.
    pub(crate) fn id(&self) -> &str {
        self.version.as_deref().unwrap_or(NULL)
    }
}

impl UploadRow {
    pub(crate) async fn find(
        executor: impl SqliteExecutor<'_>,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query("SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?")
            .bind(id)
            .bind(bucket)
            .bind(key.as_bytes())
            .fetch_optional(executor)
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let kind: Option<String> = row.try_get("checksum_type")?;
        let promise = match (algorithm(row)?, kind.as_deref()) {
            (None, _) => Promise::Nothing,
            (Some(algorithm), Some(ChecksumType::COMPOSITE)) => Promise::Composite(algorithm),
            (Some(algorithm), _) => Promise::Whole(algorithm),
        };
        Ok(Self {
            id: row.try_get("id")?,
            key: row.try_get("key")?,
            started_micros: row.try_get("started_micros")?,
            promise,
            about: about(row)?,
        })
    }
}

impl FromRow<'_, SqliteRow> for PartRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            part: StoredPart {
                number: row.try_get("number")?,
                content: content(row)?,
            },
            modified_micros: row.try_get("modified_micros")?,
        })
    }
}

pub(crate) fn checksum_words(checksum: Option<&Checksum>) -> (Option<&str>, Option<&str>) {
    checksum
        .map(|checksum| (checksum.algorithm.name(), checksum.value.as_str()))
        .unzip()
}

/// Sizes are far below the 8 EiB where the column ends.
pub(crate) fn column(size_bytes: u64) -> i64 {
    i64::try_from(size_bytes).unwrap_or(i64::MAX)
}

pub(crate) fn size(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// The columns are there together or not at all.
pub(super) fn restore_of(row: &SqliteRow) -> Result<Option<Restore>, sqlx::Error> {
    let ready: Option<i64> = row.try_get("ready_micros")?;
    let expires: Option<i64> = row.try_get("expires_micros")?;
    Ok(ready
        .zip(expires)
        .map(|(ready_micros, expires_micros)| Restore {
            ready_micros,
            expires_micros,
        }))
}

fn about(row: &SqliteRow) -> Result<About, StoreError> {
    let text: String = row.try_get("about")?;
    Ok(About {
        storage_class: row.try_get("storage_class")?,
        ..serde_json::from_str(&text)?
    })
}

fn algorithm(row: &SqliteRow) -> Result<Option<Algorithm>, sqlx::Error> {
    let name: Option<String> = row.try_get("checksum_algorithm")?;
    name.map(|name| {
        Algorithm::named(&name).ok_or_else(|| sqlx::Error::ColumnDecode {
            index: "checksum_algorithm".to_owned(),
            source: format!("{name} is not a value of it").into(),
        })
    })
    .transpose()
}

fn content(row: &SqliteRow) -> Result<Content, sqlx::Error> {
    let value: Option<String> = row.try_get("checksum_value")?;
    Ok(Content {
        etag: row.try_get("etag")?,
        size_bytes: size(row.try_get("size")?),
        crc64nvme: row.try_get::<i64, _>("crc64nvme")?.cast_unsigned(),
        checksum: algorithm(row)?
            .zip(value)
            .map(|(algorithm, value)| Checksum { algorithm, value }),
    })
}
