//! Writing, copying and deleting objects.

use async_trait::async_trait;
use bytes::Bytes;
use s3s::dto::ETagCondition;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::StoreError;
use super::buckets::require_bucket;
use super::rows::{About, Place, checksum_words, column};
use super::writer::{Batch, Change};
use crate::blobs::BlobId;
use crate::conditions::{WriteConditions, check_write};
use crate::intake::NewBytes;
use crate::multipart::Content;

/// A new version of a key is at least this much younger than the one it replaces, so that the two
/// can be told apart in listings, which show milliseconds.
const YOUNGER_MICROS: i64 = 1000;

/// Binds: see [`bind_blob`].
macro_rules! insert_blob {
    () => {
        "INSERT INTO blobs (id, refs, place, size, body) VALUES (?, 1, ?, ?, ?)"
    };
}

/// Binds: see [`Batch::execute_placing`].
macro_rules! insert_object {
    () => {
        "INSERT OR REPLACE INTO objects
             (bucket, key, etag, size, modified_micros, storage_class, blob, crc64nvme,
              checksum_algorithm, checksum_value, about)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    };
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// What is about to be under a key.
pub(crate) struct NewObject {
    pub bucket: String,
    pub key: String,
    pub content: Content,
    pub about: About,
    pub conditions: WriteConditions,
}

/// What is under a key now.
pub(crate) struct Current {
    pub etag: String,
    pub modified_micros: i64,
    pub blob: BlobId,
}

pub(crate) struct PutObject {
    pub object: NewObject,
    pub bytes: NewBytes,
}

#[async_trait]
impl Change for PutObject {
    /// When the object was written, in microseconds.
    type Answer = i64;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, StoreError> {
        let current = batch.admit(&self.object).await?;
        batch.place_new(&self.object, &self.bytes, current).await
    }

    fn committed(&mut self) {
        self.bytes.keep();
    }
}

/// Another key for bytes that are already here.
pub(crate) struct CopyObject {
    pub object: NewObject,
    pub source: BlobId,
}

#[async_trait]
impl Change for CopyObject {
    type Answer = i64;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, StoreError> {
        let current = batch.admit(&self.object).await?;
        let shared = sqlx::query("UPDATE blobs SET refs = refs + 1 WHERE id = ?")
            .bind(self.source)
            .execute(&mut *batch.connection)
            .await?;
        if shared.rows_affected() == 0 {
            return Err(StoreError::SourceChanged);
        }
        batch.place(&self.object, self.source, current).await
    }
}

/// Deletes keys, each under its own condition.
pub(crate) struct DeleteObjects {
    pub bucket: String,
    pub keys: Vec<(String, Option<ETagCondition>)>,
}

#[async_trait]
impl Change for DeleteObjects {
    /// One verdict per key, in their order.
    type Answer = Vec<Result<(), StoreError>>;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Answer, StoreError> {
        require_bucket(&mut *batch.connection, &self.bucket).await?;
        let mut verdicts = Vec::with_capacity(self.keys.len());
        for (key, condition) in &self.keys {
            let verdict = batch.delete(&self.bucket, key, condition.clone()).await;
            if let Err(StoreError::Database(error)) = verdict {
                return Err(StoreError::Database(error));
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }
}

impl Batch<'_> {
    /// Whether the object may be written, and what it would replace.
    pub(crate) async fn admit(
        &mut self,
        object: &NewObject,
    ) -> Result<Option<Current>, StoreError> {
        let current = self.current(&object.bucket, &object.key).await?;
        let etag = current.as_ref().map(|current| current.etag.as_str());
        check_write(etag, &object.conditions)?;
        Ok(current)
    }

    async fn current(&mut self, bucket: &str, key: &str) -> Result<Option<Current>, StoreError> {
        let row: Option<(Option<String>, Option<i64>, Option<BlobId>)> = sqlx::query_as(
            "SELECT o.etag, o.modified_micros, o.blob
             FROM buckets b LEFT JOIN objects o ON o.bucket = b.name AND o.key = ?2
             WHERE b.name = ?1",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&mut *self.connection)
        .await?;
        let (etag, modified_micros, blob) = row.ok_or(StoreError::NoSuchBucket)?;
        // The three columns are there together or, where nothing was joined, not at all.
        let (Some(etag), Some(modified_micros), Some(blob)) = (etag, modified_micros, blob) else {
            return Ok(None);
        };
        Ok(Some(Current {
            etag,
            modified_micros,
            blob,
        }))
    }

    /// A blob with one reference, that of the row about to be written.
    pub(crate) async fn insert_blob(
        &mut self,
        bytes: &NewBytes,
        size_bytes: u64,
    ) -> Result<(), StoreError> {
        bind_blob(sqlx::query(insert_blob!()), bytes, size_bytes)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Puts new bytes under the key. Returns when. One trip to the database for both rows: at
    /// thousands of small objects a second, the trips are what it costs.
    async fn place_new(
        &mut self,
        object: &NewObject,
        bytes: &NewBytes,
        replaced: Option<Current>,
    ) -> Result<i64, StoreError> {
        let both = sqlx::query(concat!(insert_blob!(), "; ", insert_object!()));
        let both = bind_blob(both, bytes, object.content.size_bytes);
        self.execute_placing(both, object, bytes.id(), replaced)
            .await
    }

    /// Puts `blob`, which already counts this reference, under the key. Returns when.
    pub(crate) async fn place(
        &mut self,
        object: &NewObject,
        blob: BlobId,
        replaced: Option<Current>,
    ) -> Result<i64, StoreError> {
        self.execute_placing(sqlx::query(insert_object!()), object, blob, replaced)
            .await
    }

    /// Runs a statement that ends in `insert_object!`, and gives up what the key had before.
    async fn execute_placing<'q>(
        &mut self,
        statement: Statement<'q>,
        object: &'q NewObject,
        blob: BlobId,
        replaced: Option<Current>,
    ) -> Result<i64, StoreError> {
        let modified_micros = replaced.as_ref().map_or(self.now_micros, |before| {
            self.now_micros.max(before.modified_micros + YOUNGER_MICROS)
        });
        let (algorithm, value) = checksum_words(object.content.checksum.as_ref());
        // An error is one of the database, so that what the change wrote before is rolled back.
        let about = serde_json::to_string(&object.about)
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        statement
            .bind(&object.bucket)
            .bind(object.key.as_bytes())
            .bind(&object.content.etag)
            .bind(column(object.content.size_bytes))
            .bind(modified_micros)
            .bind(&object.about.storage_class)
            .bind(blob)
            .bind(object.content.crc64nvme.cast_signed())
            .bind(algorithm)
            .bind(value)
            .bind(about)
            .execute(&mut *self.connection)
            .await?;
        self.released.extend(replaced.map(|before| before.blob));
        Ok(modified_micros)
    }

    async fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        condition: Option<ETagCondition>,
    ) -> Result<(), StoreError> {
        if condition.is_some() {
            let current = self.current(bucket, key).await?;
            let conditions = WriteConditions {
                if_match: condition,
                if_none_match: None,
            };
            check_write(current.as_ref().map(|now| now.etag.as_str()), &conditions)?;
        }
        let released: Option<BlobId> =
            sqlx::query_scalar("DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING blob")
                .bind(bucket)
                .bind(key.as_bytes())
                .fetch_optional(&mut *self.connection)
                .await?;
        self.released.extend(released);
        Ok(())
    }
}

fn bind_blob<'q>(statement: Statement<'q>, bytes: &'q NewBytes, size_bytes: u64) -> Statement<'q> {
    let (place, body): (Place, Option<&Bytes>) = match bytes {
        NewBytes::Inline { body, .. } => (Place::Inline, Some(body)),
        NewBytes::File(_) => (Place::File, None),
    };
    statement
        .bind(bytes.id())
        .bind(place)
        .bind(column(size_bytes))
        .bind(body.map(AsRef::<[u8]>::as_ref))
}
