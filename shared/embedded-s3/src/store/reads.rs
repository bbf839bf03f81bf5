//! What requests look up. Each question is one statement, so it sees one moment.

use std::ops::Range;

use sqlx::sqlite::SqliteRow;

use super::rows::{ListedRow, ObjectRow, PartRow, Place, UploadRow, column, size};
use super::{Store, StoreFault};
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
    pub(crate) async fn require_bucket(&self, bucket: &str) -> Result<(), StoreFault> {
        sqlx::query("SELECT 1 FROM buckets WHERE name = ?")
            .bind(bucket)
            .fetch_optional(&self.readers)
            .await?
            .map(|_row: SqliteRow| ())
            .ok_or(StoreFault::NoSuchBucket)
    }

    pub(crate) async fn buckets(&self) -> Result<Vec<(String, i64)>, StoreFault> {
        Ok(
            sqlx::query_as("SELECT name, created_micros FROM buckets ORDER BY name")
                .fetch_all(&self.readers)
                .await?,
        )
    }

    /// The object without its bytes.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Result<ObjectRow, StoreFault> {
        let row = sqlx::query(
            "SELECT o.*, b.place, NULL AS body
             FROM objects o JOIN blobs b ON b.id = o.blob WHERE o.bucket = ? AND o.key = ?",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        self.found(bucket, row).await
    }

    /// The object with its bytes, when they are in its row.
    pub(crate) async fn object_with_body(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<ObjectRow, StoreFault> {
        let row = sqlx::query(
            "SELECT o.*, b.place, b.body
             FROM objects o JOIN blobs b ON b.id = o.blob WHERE o.bucket = ? AND o.key = ?",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        self.found(bucket, row).await
    }

    async fn found(&self, bucket: &str, row: Option<SqliteRow>) -> Result<ObjectRow, StoreFault> {
        if let Some(row) = row {
            return ObjectRow::read(&row);
        }
        self.require_bucket(bucket).await?;
        Err(StoreFault::NoSuchKey)
    }

    /// The object, after `accept` agreed to it, with the range `accept` chose ready to be read.
    pub(crate) async fn open_object<F>(
        &self,
        bucket: &str,
        key: &str,
        mut accept: impl FnMut(&ObjectRow) -> Result<Range<u64>, F>,
    ) -> Result<(ObjectRow, Range<u64>, Source), F>
    where
        F: From<StoreFault>,
    {
        for _ in 0..RACES_MAX {
            let row = self.object_with_body(bucket, key).await?;
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
        Err(StoreFault::SourceChanged.into())
    }

    async fn is_referred_to(&self, blob: BlobId) -> Result<bool, StoreFault> {
        Ok(
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM blobs WHERE id = ?)")
                .bind(blob.0)
                .fetch_one(&self.readers)
                .await?,
        )
    }

    /// Where the bytes of the range are.
    async fn segments(
        &self,
        row: &ObjectRow,
        range: &Range<u64>,
    ) -> Result<Vec<Segment>, StoreFault> {
        let whole = vec![(0, column(row.content.size_bytes), row.blob.0, 0)];
        let extents: Vec<(i64, i64, i64, i64)> = match row.place {
            Place::Inline | Place::File => whole,
            Place::Joined => {
                sqlx::query_as(
                    "SELECT start, length, blob, skip FROM extents
                     WHERE list = ?1 AND start < ?3
                       AND start >= (SELECT COALESCE(MAX(start), 0) FROM extents
                                     WHERE list = ?1 AND start <= ?2)
                     ORDER BY start",
                )
                .bind(row.blob.0)
                .bind(column(range.start))
                .bind(column(range.end))
                .fetch_all(&self.readers)
                .await?
            }
        };
        Ok(extents
            .into_iter()
            .filter_map(|(start, length, blob, skip)| {
                let (start, length) = (size(start), size(length));
                let first = range.start.max(start);
                let end = range.end.min(start + length);
                (first < end).then(|| Segment {
                    blob: BlobId(blob),
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
    ) -> Result<Vec<ListedRow>, StoreFault> {
        let rows = sqlx::query(
            "SELECT key, etag, size, modified_micros, storage_class, checksum_algorithm
             FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
        )
        .bind(bucket)
        .bind(from)
        .bind(below)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(ListedRow::read).collect()
    }

    pub(crate) async fn upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<UploadRow, StoreFault> {
        let row = sqlx::query("SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?")
            .bind(id)
            .bind(bucket)
            .bind(key.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else {
            self.require_bucket(bucket).await?;
            return Err(StoreFault::NoSuchUpload);
        };
        UploadRow::read(&row)
    }

    /// Uploads with `prefix <= key < below` after the position (key, id), in order.
    pub(crate) async fn uploads(
        &self,
        bucket: &str,
        keys: Range<&[u8]>,
        after: (&[u8], &str),
        count: usize,
    ) -> Result<Vec<UploadRow>, StoreFault> {
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
    ) -> Result<Vec<PartRow>, StoreFault> {
        let rows = sqlx::query(
            "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(upload)
        .bind(after)
        .bind(column(count as u64))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(PartRow::read).collect()
    }
}
