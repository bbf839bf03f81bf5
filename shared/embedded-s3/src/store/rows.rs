//! What rows look like, and the words they are written in.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::StoreFault;
use crate::blobs::BlobId;
use crate::checksums::{Algorithm, Checksum};
use crate::multipart::{Content, Promise, StoredPart};

/// Where the bytes of a blob are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Inline,
    File,
    Joined,
}

impl Place {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Inline => 0,
            Self::File => 1,
            Self::Joined => 2,
        }
    }

    fn of(number: i64) -> Result<Self, sqlx::Error> {
        [Self::Inline, Self::File, Self::Joined]
            .into_iter()
            .find(|place| place.number() == number)
            .ok_or_else(|| unreadable("place", &number.to_string()))
    }
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
}

/// An object as a listing shows it.
#[derive(Clone, Debug)]
pub(crate) struct ListedRow {
    pub key: Vec<u8>,
    pub etag: String,
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
    /// checksum_value, about, storage_class`.
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreFault> {
        let body: Option<Vec<u8>> = row.try_get("body")?;
        Ok(Self {
            blob: BlobId(row.try_get("blob")?),
            place: Place::of(row.try_get("place")?)?,
            body: body.map(Bytes::from).unwrap_or_default(),
            modified_micros: row.try_get("modified_micros")?,
            content: Content {
                etag: row.try_get("etag")?,
                size_bytes: size(row.try_get("size")?),
                crc64nvme: row.try_get::<i64, _>("crc64nvme")?.cast_unsigned(),
                checksum: checksum(row)?,
            },
            about: about(row)?,
        })
    }
}

impl ListedRow {
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreFault> {
        Ok(Self {
            key: row.try_get("key")?,
            etag: row.try_get("etag")?,
            size_bytes: row.try_get("size")?,
            modified_micros: row.try_get("modified_micros")?,
            storage_class: row.try_get("storage_class")?,
            checksum_algorithm: row.try_get("checksum_algorithm")?,
        })
    }
}

impl UploadRow {
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreFault> {
        let kind: Option<String> = row.try_get("checksum_type")?;
        let promise = match (algorithm(row)?, kind.as_deref()) {
            (None, _) => Promise::Nothing,
            (Some(algorithm), Some("COMPOSITE")) => Promise::Composite(algorithm),
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

impl PartRow {
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreFault> {
        Ok(Self {
            part: StoredPart {
                number: row.try_get("number")?,
                etag: row.try_get("etag")?,
                size_bytes: size(row.try_get("size")?),
                crc64nvme: row.try_get::<i64, _>("crc64nvme")?.cast_unsigned(),
                checksum: checksum(row)?,
            },
            modified_micros: row.try_get("modified_micros")?,
        })
    }
}

/// How a promise is written in `uploads`.
pub(crate) fn promise_words(promise: Promise) -> (Option<&'static str>, Option<&'static str>) {
    let kind = match promise {
        Promise::Nothing => None,
        Promise::Whole(_) => Some("FULL_OBJECT"),
        Promise::Composite(_) => Some("COMPOSITE"),
    };
    (promise.algorithm().map(Algorithm::name), kind)
}

pub(crate) fn checksum_words(checksum: Option<&Checksum>) -> (Option<&str>, Option<&str>) {
    (
        checksum.map(|checksum| checksum.algorithm.name()),
        checksum.map(|checksum| checksum.value.as_str()),
    )
}

/// Sizes are far below the 8 EiB where the column ends.
pub(crate) fn column(size_bytes: u64) -> i64 {
    i64::try_from(size_bytes).unwrap_or(i64::MAX)
}

pub(crate) fn size(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

fn about(row: &SqliteRow) -> Result<About, StoreFault> {
    let text: String = row.try_get("about")?;
    Ok(About {
        storage_class: row.try_get("storage_class")?,
        ..serde_json::from_str(&text)?
    })
}

fn algorithm(row: &SqliteRow) -> Result<Option<Algorithm>, sqlx::Error> {
    let name: Option<String> = row.try_get("checksum_algorithm")?;
    name.map(|name| Algorithm::named(&name).ok_or_else(|| unreadable("checksum_algorithm", &name)))
        .transpose()
}

fn checksum(row: &SqliteRow) -> Result<Option<Checksum>, sqlx::Error> {
    let value: Option<String> = row.try_get("checksum_value")?;
    Ok(algorithm(row)?
        .zip(value)
        .map(|(algorithm, value)| Checksum { algorithm, value }))
}

fn unreadable(column: &str, value: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("{value} is not a value of it").into(),
    }
}
