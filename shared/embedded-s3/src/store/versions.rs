//! Versions of a key: what a bucket keeps of what was written over or deleted.
//!
//! The current version of a key is in `objects`, all others are in `versions`. A key whose newest version
//! is a delete marker has no row in `objects`; that is how all other code knows that it is not there.
//! Every version counts as a reference to its blob until it is deleted itself.

use async_trait::async_trait;
use s3s::dto::BucketVersioningStatus;
use uuid::Uuid;

use super::StoreError;
use super::objects::{Current, YOUNGER_MICROS};
use super::writer::{Batch, Change};
use crate::blobs::BlobId;

/// The version that a key has where no versions are kept.
pub(crate) const NULL: &str = "null";

/// What a version is, in both tables.
macro_rules! version_columns {
    () => {
        "bucket, key, modified_micros, version, etag, size, storage_class, blob, crc64nvme,
         checksum_algorithm, checksum_value, about, ready_micros, expires_micros"
    };
}
pub(super) use version_columns;

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// It never did.
    Never,
    /// A write adds a version.
    Enabled,
    /// A write replaces the version "null", and leaves the others.
    Suspended,
}

impl Versioning {
    /// From the column.
    pub(crate) fn of(column: Option<&str>) -> Self {
        match column {
            None => Self::Never,
            Some(BucketVersioningStatus::ENABLED) => Self::Enabled,
            Some(_) => Self::Suspended,
        }
    }

    /// As S3 and the column say it.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Never => None,
            Self::Enabled => Some(BucketVersioningStatus::ENABLED),
            Self::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        }
    }

    /// The id of the next version.
    pub(super) fn next(self) -> String {
        match self {
            Self::Never | Self::Suspended => NULL.to_owned(),
            Self::Enabled => Uuid::new_v4().simple().to_string(),
        }
    }

    /// The version as answers name it: not where there are none.
    pub(crate) fn shown(self, version: String) -> Option<String> {
        (self != Self::Never).then_some(version)
    }
}

/// Sets whether the bucket keeps versions. There is no way back to [`Versioning::Never`].
pub(crate) struct SetVersioning {
    pub bucket: String,
    pub versioning: Versioning,
}

#[async_trait]
impl Change for SetVersioning {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let set = sqlx::query("UPDATE buckets SET versioning = ? WHERE name = ?")
            .bind(self.versioning.name())
            .bind(&self.bucket)
            .execute(&mut *batch.connection)
            .await?;
        if set.rows_affected() == 0 {
            return Err(StoreError::NoSuchBucket);
        }
        Ok(())
    }
}

/// What a delete did.
#[derive(Debug)]
pub(crate) struct Removed {
    /// The version that is gone, or the marker that was made; none where versions are not kept.
    pub version: Option<String>,
    /// Whether that is a delete marker.
    pub is_marker: bool,
}

impl Removed {
    /// Of a bucket that keeps none.
    pub(super) fn without_version() -> Self {
        Self {
            version: None,
            is_marker: false,
        }
    }
}

/// A key of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
}

/// The version that comes to be the newest.
pub(super) struct Newest {
    pub version: String,
    pub modified_micros: i64,
}

impl Batch<'_> {
    /// Makes way for a version that is about to be written, in a bucket that knows versions: what the key
    /// has now is kept or, being the version "null" that is replaced, given up.
    pub(super) async fn make_way(
        &mut self,
        name: Name<'_>,
        versioning: Versioning,
        current: Option<Current>,
    ) -> Result<Newest, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(modified_micros) FROM versions WHERE bucket = ? AND key = ?",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .fetch_one(&mut *self.connection)
        .await?;
        let newest = newest.max(current.as_ref().map(|now| now.modified_micros));
        let next = Newest {
            version: versioning.next(),
            modified_micros: newest.map_or(self.now_micros, |newest| {
                self.now_micros.max(newest + YOUNGER_MICROS)
            }),
        };
        if let Some(current) = current {
            if current.version == next.version {
                self.released.push(current.blob);
            } else {
                self.shelve(name).await?;
            }
        }
        if versioning == Versioning::Suspended {
            self.remove_shelved(name, NULL).await?;
        }
        Ok(next)
    }

    /// Puts the current version among the others. Its row in `objects` is for the caller to take away.
    async fn shelve(&mut self, name: Name<'_>) -> Result<(), StoreError> {
        sqlx::query(concat!(
            "INSERT INTO versions (",
            version_columns!(),
            ") SELECT ",
            version_columns!(),
            " FROM objects WHERE bucket = ? AND key = ?"
        ))
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// Makes a delete marker the newest version.
    pub(super) async fn mark_deleted(
        &mut self,
        name: Name<'_>,
        versioning: Versioning,
    ) -> Result<Removed, StoreError> {
        let current = self.standing(name.bucket, name.key).await?.current;
        let marker = self.make_way(name, versioning, current).await?;
        sqlx::query("DELETE FROM objects WHERE bucket = ? AND key = ?")
            .bind(name.bucket)
            .bind(name.key.as_bytes())
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(
            "INSERT INTO versions (bucket, key, modified_micros, version) VALUES (?, ?, ?, ?)",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .bind(marker.modified_micros)
        .bind(&marker.version)
        .execute(&mut *self.connection)
        .await?;
        Ok(Removed {
            version: Some(marker.version),
            is_marker: true,
        })
    }

    /// Removes one version for good. One that is not there is gone already.
    pub(super) async fn remove_version(
        &mut self,
        name: Name<'_>,
        version: &str,
    ) -> Result<Removed, StoreError> {
        let released: Option<BlobId> = sqlx::query_scalar(
            "DELETE FROM objects WHERE bucket = ? AND key = ? AND version = ? RETURNING blob",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .bind(version)
        .fetch_optional(&mut *self.connection)
        .await?;
        let is_marker = match released {
            Some(_) => false,
            None => self.remove_shelved(name, version).await?,
        };
        self.released.extend(released);
        self.promote(name).await?;
        Ok(Removed {
            version: Some(version.to_owned()),
            is_marker,
        })
    }

    /// Returns whether it was a delete marker.
    async fn remove_shelved(&mut self, name: Name<'_>, version: &str) -> Result<bool, StoreError> {
        let removed: Option<Option<BlobId>> = sqlx::query_scalar(
            "DELETE FROM versions WHERE bucket = ? AND key = ? AND version = ? RETURNING blob",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .bind(version)
        .fetch_optional(&mut *self.connection)
        .await?;
        self.released.extend(removed.flatten());
        Ok(matches!(removed, Some(None)))
    }

    /// Where the current version is gone, makes the newest of the others current, unless that is a
    /// delete marker.
    async fn promote(&mut self, name: Name<'_>) -> Result<(), StoreError> {
        let promoted = sqlx::query(concat!(
            "INSERT INTO objects (",
            version_columns!(),
            ") SELECT ",
            version_columns!(),
            " FROM versions
              WHERE bucket = ?1 AND key = ?2 AND blob IS NOT NULL
                AND modified_micros =
                    (SELECT MAX(modified_micros) FROM versions WHERE bucket = ?1 AND key = ?2)
                AND NOT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1 AND key = ?2)"
        ))
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .execute(&mut *self.connection)
        .await?;
        if promoted.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query(
            "DELETE FROM versions
             WHERE bucket = ?1 AND key = ?2
               AND version = (SELECT version FROM objects WHERE bucket = ?1 AND key = ?2)",
        )
        .bind(name.bucket)
        .bind(name.key.as_bytes())
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}
