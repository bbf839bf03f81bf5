//! Multipart uploads: starting, adding parts, completing and aborting.
//!
//! Completing moves no bytes: the parts become the extents of one joined blob. A part copied from a
//! range of another object is a joined blob too, whose extents point into that object's files.

use async_trait::async_trait;
use futures::TryStreamExt as _;

use super::StoreError;
use super::objects::NewObject;
use super::rows::{About, PartRow, Place, UploadRow, checksum_words, column};
use super::writer::{Batch, Change};
use crate::blobs::BlobId;
use crate::blobs::reading::Segment;
use crate::checksums::Algorithm;
use crate::conditions::WriteConditions;
use crate::intake::NewBytes;
use crate::multipart::{self, Content, NamedPart, Promise, StoredPart, WholeClaims};

pub(crate) struct CreateUpload {
    pub id: String,
    pub bucket: String,
    pub key: String,
    pub promise: Promise,
    pub about: About,
}

#[async_trait]
impl Change for CreateUpload {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let about = serde_json::to_string(&self.about)?;
        let made = sqlx::query(
            "INSERT INTO uploads (id, bucket, key, started_micros, storage_class,
                                  checksum_algorithm, checksum_type, about)
             SELECT ?1, name, ?3, ?4, ?5, ?6, ?7, ?8 FROM buckets WHERE name = ?2",
        )
        .bind(&self.id)
        .bind(&self.bucket)
        .bind(self.key.as_bytes())
        .bind(batch.now_micros)
        .bind(&self.about.storage_class)
        .bind(self.promise.algorithm().map(Algorithm::name))
        .bind(self.promise.checksum_type())
        .bind(about)
        .execute(&mut *batch.connection)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::NoSuchBucket);
        }
        Ok(())
    }
}

/// Where the bytes of a part are.
pub(crate) enum PartBytes {
    Own(NewBytes),
    /// Ranges of files that other rows keep alive until the commit, and this part from then on.
    Shared {
        id: BlobId,
        segments: Vec<Segment>,
    },
}

impl PartBytes {
    fn id(&self) -> BlobId {
        match self {
            Self::Own(bytes) => bytes.id(),
            Self::Shared { id, .. } => *id,
        }
    }
}

/// Adds a part, or replaces the one with its number.
pub(crate) struct PutPart {
    pub bucket: String,
    pub key: String,
    pub upload: String,
    pub part: StoredPart,
    pub bytes: PartBytes,
}

#[async_trait]
impl Change for PutPart {
    type Answer = i64;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, StoreError> {
        batch.upload(&self.bucket, &self.key, &self.upload).await?;
        let content = &self.part.content;
        match &self.bytes {
            PartBytes::Own(bytes) => batch.add_blob(bytes, content.size_bytes),
            PartBytes::Shared { id, segments } => {
                batch.share(*id, segments, content.size_bytes).await?;
            }
        }
        let replaced: Option<BlobId> =
            sqlx::query_scalar("SELECT blob FROM parts WHERE upload = ? AND number = ?")
                .bind(&self.upload)
                .bind(self.part.number)
                .fetch_optional(&mut *batch.connection)
                .await?;
        let (algorithm, value) = checksum_words(content.checksum.as_ref());
        sqlx::query(
            "INSERT OR REPLACE INTO parts (upload, number, etag, size, modified_micros, blob,
                                           crc64nvme, checksum_algorithm, checksum_value)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&self.upload)
        .bind(self.part.number)
        .bind(&content.etag)
        .bind(column(content.size_bytes))
        .bind(batch.now_micros)
        .bind(self.bytes.id())
        .bind(content.crc64nvme.cast_signed())
        .bind(algorithm)
        .bind(value)
        .execute(&mut *batch.connection)
        .await?;
        batch.released.extend(replaced);
        Ok(batch.now_micros)
    }

    fn committed(&mut self) {
        if let PartBytes::Own(bytes) = &mut self.bytes {
            bytes.keep();
        }
    }
}

pub(crate) struct AbortUpload {
    pub bucket: String,
    pub key: String,
    pub upload: String,
}

#[async_trait]
impl Change for AbortUpload {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        batch.upload(&self.bucket, &self.key, &self.upload).await?;
        batch.drop_upload(&self.upload).await
    }
}

pub(crate) struct CompleteUpload {
    pub bucket: String,
    pub key: String,
    pub upload: String,
    pub joined: BlobId,
    pub parts: Vec<NamedPart>,
    pub whole: WholeClaims,
    pub conditions: WriteConditions,
}

impl CompleteUpload {
    /// Of the parts, as JSON.
    fn numbers(&self) -> Result<String, serde_json::Error> {
        let numbers: Vec<u32> = self.parts.iter().map(|part| part.number).collect();
        serde_json::to_string(&numbers)
    }
}

#[async_trait]
impl Change for CompleteUpload {
    /// The object, and its version where the bucket keeps them.
    type Answer = (Content, Option<String>);

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Answer, StoreError> {
        let upload = batch.upload(&self.bucket, &self.key, &self.upload).await?;
        let stored = batch.parts(&self.upload).await?;
        let content = multipart::assemble(&self.parts, &stored, upload.promise, &self.whole)?;
        let has_checksums = upload.promise.algorithm().is_some();
        let object = NewObject {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            content: content.clone(),
            about: upload.about,
            conditions: self.conditions.clone(),
        };
        let standing = batch.admit(&object).await?;

        batch.join(self).await?;
        if has_checksums {
            batch.keep_parts(self).await?;
        }
        batch.count_extents(self.joined, content.size_bytes).await?;
        batch.drop_upload(&self.upload).await?;
        let placed = batch.place(&object, self.joined, standing).await?;
        Ok((content, placed.version))
    }
}

impl Batch<'_> {
    async fn upload(&mut self, bucket: &str, key: &str, id: &str) -> Result<UploadRow, StoreError> {
        UploadRow::find(&mut *self.connection, bucket, key, id)
            .await?
            .ok_or(StoreError::NoSuchUpload)
    }

    async fn parts(&mut self, upload: &str) -> Result<Vec<StoredPart>, StoreError> {
        Ok(
            sqlx::query_as("SELECT * FROM parts WHERE upload = ? ORDER BY number")
                .bind(upload)
                .fetch(&mut *self.connection)
                .map_ok(|row: PartRow| row.part)
                .try_collect()
                .await?,
        )
    }

    /// The extents of the completed object: a part in a file is one, a shared part brings its own.
    async fn join(&mut self, complete: &CompleteUpload) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO extents (list, start, length, blob, skip)
             SELECT ?1, p.start + COALESCE(e.start, 0), COALESCE(e.length, p.size),
                    COALESCE(e.blob, p.blob), COALESCE(e.skip, 0)
             FROM (SELECT blob, size, SUM(size) OVER (ORDER BY number) - size AS start
                   FROM parts
                   WHERE upload = ?2 AND number IN (SELECT value FROM json_each(?3))) AS p
             LEFT JOIN extents e ON e.list = p.blob
             WHERE p.size > 0",
        )
        .bind(complete.joined)
        .bind(&complete.upload)
        .bind(complete.numbers()?)
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// What the parts were, for those who ask about the object.
    async fn keep_parts(&mut self, complete: &CompleteUpload) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO object_parts (blob, number, etag, size, modified_micros, crc64nvme,
                                       checksum_algorithm, checksum_value)
             SELECT ?1, number, etag, size, modified_micros, crc64nvme, checksum_algorithm,
                    checksum_value
             FROM parts WHERE upload = ?2 AND number IN (SELECT value FROM json_each(?3))",
        )
        .bind(complete.joined)
        .bind(&complete.upload)
        .bind(complete.numbers()?)
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// A joined blob over ranges of files, which must still be there.
    async fn share(
        &mut self,
        list: BlobId,
        segments: &[Segment],
        size_bytes: u64,
    ) -> Result<(), StoreError> {
        let mut start = 0;
        let mut extents = Vec::with_capacity(segments.len());
        for segment in segments.iter().filter(|segment| segment.length > 0) {
            let (length, skip) = (column(segment.length), column(segment.skip));
            extents.push([start, length, segment.blob.0, skip]);
            start += length;
        }
        let extents = serde_json::to_string(&extents)?;
        let gone: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM json_each(?) AS x
                            WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE id = x.value ->> 2))",
        )
        .bind(&extents)
        .fetch_one(&mut *self.connection)
        .await?;
        if gone {
            return Err(StoreError::SourceChanged);
        }
        sqlx::query(
            "INSERT INTO extents (list, start, length, blob, skip)
             SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)",
        )
        .bind(list)
        .bind(&extents)
        .execute(&mut *self.connection)
        .await?;
        self.count_extents(list, size_bytes).await
    }

    /// Writes the row of a joined blob, with one reference, and counts those its extents hold.
    async fn count_extents(&mut self, list: BlobId, size_bytes: u64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO blobs (id, refs, place, size) VALUES (?, 1, ?, ?)")
            .bind(list)
            .bind(Place::Joined)
            .bind(column(size_bytes))
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(
            "UPDATE blobs SET refs = refs + held.n
             FROM (SELECT blob AS id, COUNT(*) AS n FROM extents WHERE list = ? GROUP BY blob)
                  AS held
             WHERE blobs.id = held.id",
        )
        .bind(list)
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// Forgets the upload; what its parts referred to is released.
    pub(super) async fn drop_upload(&mut self, upload: &str) -> Result<(), StoreError> {
        let released: Vec<BlobId> =
            sqlx::query_scalar("DELETE FROM parts WHERE upload = ? RETURNING blob")
                .bind(upload)
                .fetch_all(&mut *self.connection)
                .await?;
        self.released.extend(released);
        sqlx::query("DELETE FROM uploads WHERE id = ?")
            .bind(upload)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }
}
