//! What requests look up. Each question is one statement, so it sees one moment. Current objects are asked for
//! by [`super::lookups`].

use std::ops::Range;

use sqlx::Row as _;

use super::buckets::{require_bucket, versioning_of};
use super::lookups::Body;
use super::rows::{ListedRow, ObjectRow, PartRow, Place, UploadRow, VersionRow, column, size};
use super::versions::{Versioning, version_columns};
use super::{Store, StoreError};
use crate::blobs::reading::Segment;
use crate::blobs::{BlobId, Pins};

/// How often a read starts over because its object was replaced just then. Losing three races in a
/// row against writers of one key means something is wrong.
const RACES_MAX: usize = 3;

/// An object: the current version under the key, or the one that is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectName<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub version: Option<&'a str>,
}

/// Binds bucket, key and version. A delete marker has no blob.
macro_rules! version {
    ($body:literal) => {
        concat!(
            "SELECT o.*, b.place, k.versioning, ",
            $body,
            " FROM (SELECT ",
            version_columns!(),
            " FROM objects WHERE bucket = ?1 AND key = ?2 AND version = ?3
              UNION ALL SELECT ",
            version_columns!(),
            " FROM versions WHERE bucket = ?1 AND key = ?2 AND version = ?3) o
              LEFT JOIN blobs b ON b.id = o.blob JOIN buckets k ON k.name = o.bucket"
        )
    };
}

/// The bytes of an object, ready to be read.
pub(crate) enum Source {
    /// They came with the row.
    Inline,
    /// They are in files that stay while the pins live.
    Files { segments: Vec<Segment>, pins: Pins },
}

impl Store {
    pub(crate) async fn require_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        require_bucket(&self.readers, bucket).await
    }

    pub(crate) async fn buckets(&self) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(
            sqlx::query_as("SELECT name, created_micros FROM buckets ORDER BY name")
                .fetch_all(&self.readers)
                .await?,
        )
    }

    pub(crate) async fn versioning(&self, bucket: &str) -> Result<Versioning, StoreError> {
        versioning_of(&self.readers, bucket).await
    }

    /// The object without its bytes.
    pub(crate) async fn object(&self, name: ObjectName<'_>) -> Result<ObjectRow, StoreError> {
        self.object_row(name, Body::Without).await
    }

    async fn object_row(&self, name: ObjectName<'_>, body: Body) -> Result<ObjectRow, StoreError> {
        let Some(version) = name.version else {
            let current = self.lookups.current(name.bucket, name.key, body).await?;
            return match current {
                Some(row) => Ok(row),
                None => Err(self.absent(name).await?),
            };
        };
        let sql = match body {
            Body::With => version!("b.body"),
            Body::Without => version!("NULL AS body"),
        };
        let row = sqlx::query(sql)
            .bind(name.bucket)
            .bind(name.key.as_bytes())
            .bind(version)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else {
            return Err(self.absent(name).await?);
        };
        if row.try_get::<Option<BlobId>, _>("blob")?.is_some() {
            return ObjectRow::read(&row);
        }
        Err(StoreError::IsMarker {
            version: row.try_get("version")?,
            modified_micros: row.try_get("modified_micros")?,
        })
    }

    /// Why there is no such object.
    async fn absent(&self, name: ObjectName<'_>) -> Result<StoreError, StoreError> {
        if self.versioning(name.bucket).await? == Versioning::Never {
            return Ok(StoreError::NoSuchKey);
        }
        if name.version.is_some() {
            return Ok(StoreError::NoSuchVersion);
        }
        let marker: Option<String> = sqlx::query_scalar(
            "SELECT version FROM versions WHERE bucket = ? AND key = ?
             ORDER BY modified_micros DESC LIMIT 1",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        Ok(
            marker.map_or(StoreError::NoSuchKey, |marker| StoreError::Deleted {
                marker,
            }),
        )
    }

    /// The object, after `accept` agreed to it, with the range `accept` chose ready to be read.
    pub(crate) async fn open_object<F>(
        &self,
        name: ObjectName<'_>,
        mut accept: impl FnMut(&ObjectRow) -> Result<Range<u64>, F>,
    ) -> Result<(ObjectRow, Range<u64>, Source), F>
    where
        F: From<StoreError>,
    {
        for _ in 0..RACES_MAX {
            let row = self.object_row(name, Body::With).await?;
            let range = accept(&row)?;
            if row.place == Place::Inline {
                return Ok((row, range, Source::Inline));
            }
            let segments = self.segments(&row, &range).await?;
            let pins = self.blobs.pin(segments.iter().map(|segment| segment.blob));
            if self.is_referred_to(row.blob).await? {
                return Ok((row, range, Source::Files { segments, pins }));
            }
        }
        Err(StoreError::SourceChanged.into())
    }

    async fn is_referred_to(&self, blob: BlobId) -> Result<bool, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM blobs WHERE id = ?)")
                .bind(blob)
                .fetch_one(&self.readers)
                .await?,
        )
    }

    /// Where the bytes of the range are.
    async fn segments(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
    ) -> Result<Vec<Segment>, StoreError> {
        let extents: Vec<(i64, i64, BlobId, i64)> = match row.place {
            Place::Inline | Place::File => {
                vec![(0, column(row.content.size_bytes), row.blob, 0)]
            }
            Place::Joined => {
                sqlx::query_as(
                    "SELECT start, length, blob, skip FROM extents
                     WHERE list = ?1 AND start < ?3
                       AND start >= (SELECT COALESCE(MAX(start), 0) FROM extents
                                     WHERE list = ?1 AND start <= ?2)
                     ORDER BY start",
                )
                .bind(row.blob)
                .bind(column(range.start))
                .bind(column(range.end))
                .fetch_all(&self.readers)
                .await?
            }
        };
        Ok(extents
            .into_iter()
            .filter_map(|(start, length, blob, skip)| {
                let start = size(start);
                let first = range.start.max(start);
                let end = range.end.min(start + size(length));
                (first < end).then(|| Segment {
                    blob,
                    skip: size(skip) + (first - start),
                    length: end - first,
                })
            })
            .collect())
    }

    /// Objects of the bucket with `from <= key < below`, in order.
    pub(crate) async fn keys(
        &self,
        bucket: &str,
        from: &[u8],
        below: &[u8],
        count: usize,
    ) -> Result<Vec<ListedRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT key, etag, size, modified_micros, storage_class, checksum_algorithm
             FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
        )
        .bind(bucket)
        .bind(from)
        .bind(below)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?)
    }

    /// Versions of the keys with `from <= key < below`, in order, the newest of a key first. Of `from`
    /// itself only those that are older than `before`.
    pub(crate) async fn versions(
        &self,
        bucket: &str,
        (from, before): (&[u8], i64),
        below: &[u8],
        count: usize,
    ) -> Result<Vec<VersionRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT key, modified_micros, version, etag, size, storage_class, checksum_algorithm,
                    TRUE AS is_latest
             FROM objects
             WHERE bucket = ?1 AND key >= ?2 AND key < ?4 AND (key > ?2 OR modified_micros < ?3)
             UNION ALL
             SELECT key, modified_micros, version, etag, size, storage_class, checksum_algorithm,
                    NOT EXISTS (SELECT 1 FROM objects o WHERE o.bucket = v.bucket AND o.key = v.key)
                    AND modified_micros = (SELECT MAX(n.modified_micros) FROM versions n
                                           WHERE n.bucket = v.bucket AND n.key = v.key)
             FROM versions v
             WHERE bucket = ?1 AND key >= ?2 AND key < ?4 AND (key > ?2 OR modified_micros < ?3)
             ORDER BY key, modified_micros DESC LIMIT ?5",
        )
        .bind(bucket)
        .bind(from)
        .bind(before)
        .bind(below)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?)
    }

    /// When the version was written, if it is there.
    pub(crate) async fn version_micros(
        &self,
        name: ObjectName<'_>,
    ) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT modified_micros FROM objects WHERE bucket = ?1 AND key = ?2 AND version = ?3
             UNION ALL
             SELECT modified_micros FROM versions WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .bind(name.version)
        .fetch_optional(&self.readers)
        .await?)
    }

    pub(crate) async fn upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<UploadRow, StoreError> {
        if let Some(upload) = UploadRow::find(&self.readers, bucket, key, id).await? {
            return Ok(upload);
        }
        self.require_bucket(bucket).await?;
        Err(StoreError::NoSuchUpload)
    }

    /// Uploads with `prefix <= key < below` after the position (key, id), in order.
    pub(crate) async fn uploads(
        &self,
        bucket: &str,
        keys: Range<&[u8]>,
        after: (&[u8], &str),
        count: usize,
    ) -> Result<Vec<UploadRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM uploads
             WHERE bucket = ? AND key >= ? AND key < ? AND (key, id) > (?, ?)
             ORDER BY key, id LIMIT ?",
        )
        .bind(bucket)
        .bind(keys.start)
        .bind(keys.end)
        .bind(after.0)
        .bind(after.1)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(UploadRow::read).collect()
    }

    /// Parts with a number above `after`, in order.
    pub(crate) async fn parts(
        &self,
        upload: &str,
        after: u32,
        count: usize,
    ) -> Result<Vec<PartRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(upload)
        .bind(after)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?)
    }

    /// The parts that the joined blob was made of, where they are kept, as [`Self::parts`].
    pub(crate) async fn object_parts(
        &self,
        blob: BlobId,
        after: u32,
        count: usize,
    ) -> Result<Vec<PartRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT * FROM object_parts WHERE blob = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(blob)
        .bind(after)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?)
    }
}
