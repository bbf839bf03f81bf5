//! Writing, copying and deleting objects.

use async_trait::async_trait;
use s3s::dto::ETagCondition;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::StoreError;
use super::buckets::versioning_of;
use super::rows::{About, checksum_words, column};
use super::together::ObjectColumns;
use super::versions::{Name, Newest, Removed, Versioning};
use super::writer::{Batch, Change};
use crate::blobs::BlobId;
use crate::conditions::{WriteConditions, check_write};
use crate::intake::NewBytes;
use crate::multipart::Content;

/// A new version of a key is at least this much younger than the one it replaces, so that the two
/// can be told apart in listings, which show milliseconds.
pub(super) const YOUNGER_MICROS: i64 = 1000;

/// What is about to be under a key.
pub(crate) struct NewObject {
    pub bucket: String,
    pub key: String,
    pub content: Content,
    pub about: About,
    pub conditions: WriteConditions,
}

impl NewObject {
    fn name(&self) -> Name<'_> {
        Name {
            bucket: &self.bucket,
            key: &self.key,
        }
    }
}

/// What is under a key now.
pub(crate) struct Current {
    pub etag: String,
    pub modified_micros: i64,
    pub blob: BlobId,
    pub version: String,
}

/// A key that is about to change, and its bucket.
pub(crate) struct Standing {
    pub versioning: Versioning,
    /// None: there is nothing, or a delete marker.
    pub current: Option<Current>,
}

impl Standing {
    /// Needs `versioning`, and of the object `etag, modified_micros, blob, version`, which are there together
    /// or, where nothing was joined, not at all.
    pub(super) fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let versioning: Option<String> = row.try_get("versioning")?;
        let current = match row.try_get::<Option<BlobId>, _>("blob")? {
            None => None,
            Some(blob) => Some(Current {
                etag: row.try_get("etag")?,
                modified_micros: row.try_get("modified_micros")?,
                blob,
                version: row.try_get("version")?,
            }),
        };
        Ok(Self {
            versioning: Versioning::of(versioning.as_deref()),
            current,
        })
    }
}

/// An object that was written.
pub(crate) struct Placed {
    pub modified_micros: i64,
    /// None where the bucket keeps no versions.
    pub version: Option<String>,
}

pub(crate) struct PutObject {
    pub object: NewObject,
    pub bytes: NewBytes,
}

#[async_trait]
impl Change for PutObject {
    type Answer = Placed;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Placed, StoreError> {
        let standing = batch.admit(&self.object).await?;
        batch.add_blob(&self.bytes, self.object.content.size_bytes);
        batch.place(&self.object, self.bytes.id(), standing).await
    }

    fn puts(&self) -> Option<Name<'_>> {
        Some(self.object.name())
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
    type Answer = Placed;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Placed, StoreError> {
        let standing = batch.admit(&self.object).await?;
        let shared = sqlx::query("UPDATE blobs SET refs = refs + 1 WHERE id = ?")
            .bind(self.source)
            .execute(&mut *batch.connection)
            .await?;
        if shared.rows_affected() == 0 {
            return Err(StoreError::SourceChanged);
        }
        batch.place(&self.object, self.source, standing).await
    }

    fn puts(&self) -> Option<Name<'_>> {
        Some(self.object.name())
    }
}

/// A key that is to be deleted: its current version, or the one that is named.
pub(crate) struct Doomed {
    pub key: String,
    pub version: Option<String>,
    pub condition: Option<ETagCondition>,
}

impl Doomed {
    /// Whether it goes whatever it is.
    fn is_plain(&self) -> bool {
        self.version.is_none() && self.condition.is_none()
    }
}

/// Deletes keys, each under its own condition.
pub(crate) struct DeleteObjects {
    pub bucket: String,
    pub keys: Vec<Doomed>,
}

#[async_trait]
impl Change for DeleteObjects {
    /// One verdict per key, in their order.
    type Answer = Vec<Result<Removed, StoreError>>;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Answer, StoreError> {
        let versioning = versioning_of(&mut *batch.connection, &self.bucket).await?;
        if versioning == Versioning::Never && self.keys.iter().all(Doomed::is_plain) {
            return batch.delete_plain(&self.bucket, &self.keys).await;
        }
        let mut verdicts = Vec::with_capacity(self.keys.len());
        for doomed in &self.keys {
            let verdict = batch.delete(&self.bucket, doomed, versioning).await;
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
    pub(crate) async fn admit(&mut self, object: &NewObject) -> Result<Standing, StoreError> {
        let standing = self.standing(&object.bucket, &object.key).await?;
        let current = standing.current.as_ref();
        check_write(
            current.map(|current| current.etag.as_str()),
            &object.conditions,
        )?;
        Ok(standing)
    }

    pub(super) async fn standing(
        &mut self,
        bucket: &str,
        key: &str,
    ) -> Result<Standing, StoreError> {
        if let Some(known) = self.known_standing() {
            return known;
        }
        let row = sqlx::query(
            "SELECT b.versioning, o.etag, o.modified_micros, o.blob, o.version
             FROM buckets b LEFT JOIN objects o ON o.bucket = b.name AND o.key = ?2
             WHERE b.name = ?1",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&mut *self.connection)
        .await?;
        Ok(Standing::read(&row.ok_or(StoreError::NoSuchBucket)?)?)
    }

    /// Puts `blob`, which already counts this reference, under the key, and keeps or gives up what the key
    /// had before. The row is written at the end of the run.
    pub(crate) async fn place(
        &mut self,
        object: &NewObject,
        blob: BlobId,
        standing: Standing,
    ) -> Result<Placed, StoreError> {
        let versioning = standing.versioning;
        let newest = self.make_room(object, standing).await?;
        let (algorithm, value) = checksum_words(object.content.checksum.as_ref());
        // An error is one of the database, so that what the change wrote before is rolled back.
        let about = serde_json::to_string(&object.about)
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        self.add_object(ObjectColumns {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            etag: object.content.etag.clone(),
            size: column(object.content.size_bytes),
            modified_micros: newest.modified_micros,
            storage_class: object.about.storage_class.clone(),
            blob,
            crc64nvme: object.content.crc64nvme.cast_signed(),
            checksum_algorithm: algorithm.map(str::to_owned),
            checksum_value: value.map(str::to_owned),
            about,
            version: newest.version.clone(),
        });
        Ok(Placed {
            modified_micros: newest.modified_micros,
            version: versioning.shown(newest.version),
        })
    }

    /// Where versions are not kept this asks the database nothing.
    async fn make_room(
        &mut self,
        object: &NewObject,
        standing: Standing,
    ) -> Result<Newest, StoreError> {
        let Standing {
            versioning,
            current,
        } = standing;
        if versioning != Versioning::Never {
            return self.make_way(object.name(), versioning, current).await;
        }
        let modified_micros = current.as_ref().map_or(self.now_micros, |before| {
            self.now_micros.max(before.modified_micros + YOUNGER_MICROS)
        });
        self.released.extend(current.map(|before| before.blob));
        Ok(Newest {
            version: versioning.next(),
            modified_micros,
        })
    }

    /// All of them in one statement, in a bucket that keeps no versions. What is not there is gone already.
    async fn delete_plain(
        &mut self,
        bucket: &str,
        doomed: &[Doomed],
    ) -> Result<Vec<Result<Removed, StoreError>>, StoreError> {
        let keys: Vec<&str> = doomed.iter().map(|doomed| doomed.key.as_str()).collect();
        let keys = serde_json::to_string(&keys).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let released: Vec<BlobId> = sqlx::query_scalar(
            "DELETE FROM objects WHERE bucket = ?1
               AND key IN (SELECT CAST(value AS BLOB) FROM json_each(?2)) RETURNING blob",
        )
        .bind(bucket)
        .bind(keys)
        .fetch_all(&mut *self.connection)
        .await?;
        self.released.extend(released);
        let removed = |_doomed| Ok(Removed::without_version());
        Ok(doomed.iter().map(removed).collect())
    }

    async fn delete(
        &mut self,
        bucket: &str,
        doomed: &Doomed,
        versioning: Versioning,
    ) -> Result<Removed, StoreError> {
        let key = &doomed.key;
        let name = Name { bucket, key };
        if doomed.condition.is_some() {
            let etag = self.etag(name, doomed.version.as_deref()).await?;
            let conditions = WriteConditions {
                if_match: doomed.condition.clone(),
                if_none_match: None,
            };
            check_write(etag.as_deref(), &conditions)?;
        }
        match &doomed.version {
            Some(version) => self.remove_version(name, version).await,
            None if versioning != Versioning::Never => self.mark_deleted(name, versioning).await,
            None => {
                let released: Option<BlobId> = sqlx::query_scalar(
                    "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING blob",
                )
                .bind(bucket)
                .bind(key.as_bytes())
                .fetch_optional(&mut *self.connection)
                .await?;
                self.released.extend(released);
                Ok(Removed::without_version())
            }
        }
    }

    /// Of the current version, or of the one that is named.
    async fn etag(
        &mut self,
        name: Name<'_>,
        version: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT etag FROM objects
             WHERE bucket = ?1 AND key = ?2 AND (?3 IS NULL OR version = ?3)
             UNION ALL
             SELECT etag FROM versions
             WHERE bucket = ?1 AND key = ?2 AND version = ?3 AND blob IS NOT NULL",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .bind(version)
        .fetch_optional(&mut *self.connection)
        .await?)
    }
}
