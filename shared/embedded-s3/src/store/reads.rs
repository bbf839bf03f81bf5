//! What requests look up. Each question is one statement, so it sees one moment.

use std::ops::Range;

use super::buckets::require_bucket;
use super::rows::{ListedRow, ObjectRow, PartRow, Place, UploadRow, column, size};
use super::{Store, StoreError};
use crate::blobs::reading::Segment;
use crate::blobs::{BlobId, Pins};

/// How often a read starts over because its object was replaced just then. Losing three races in a
/// row against writers of one key means something is wrong.
const RACES_MAX: usize = 3;

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

    /// The object without its bytes.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Result<ObjectRow, StoreError> {
        let without = "SELECT o.*, b.place, NULL AS body
             FROM objects o JOIN blobs b ON b.id = o.blob WHERE o.bucket = ? AND o.key = ?";
        self.object_row(without, bucket, key).await
    }

    async fn object_row(
        &self,
        sql: &'static str,
        bucket: &str,
        key: &str,
    ) -> Result<ObjectRow, StoreError> {
        let row = sqlx::query(sql)
            .bind(bucket)
            .bind(key.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        if let Some(row) = row {
            return ObjectRow::read(&row);
        }
        self.require_bucket(bucket).await?;
        Err(StoreError::NoSuchKey)
    }

    /// The object, after `accept` agreed to it, with the range `accept` chose ready to be read.
    pub(crate) async fn open_object<F>(
        &self,
        bucket: &str,
        key: &str,
        mut accept: impl FnMut(&ObjectRow) -> Result<Range<u64>, F>,
    ) -> Result<(ObjectRow, Range<u64>, Source), F>
    where
        F: From<StoreError>,
    {
        let with_body = "SELECT o.*, b.place, b.body
             FROM objects o JOIN blobs b ON b.id = o.blob WHERE o.bucket = ? AND o.key = ?";
        for _ in 0..RACES_MAX {
            let row = self.object_row(with_body, bucket, key).await?;
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
}
