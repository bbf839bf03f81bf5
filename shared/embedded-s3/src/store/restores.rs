//! Restoring cold objects: from when and until when one can be read.

use async_trait::async_trait;
use sqlx::Row as _;

use super::StoreError;
use super::rows::restore_of;
use super::writer::{Batch, Change};
use crate::cold::{self, Restore, Wanted, Warmth};

/// The version, which must be there, is asked to be readable.
pub(crate) struct RestoreObject {
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub wanted: Wanted,
}

/// What the request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    Begun,
    /// It was readable, and is for a time that begins now.
    Prolonged,
}

#[async_trait]
impl Change for RestoreObject {
    type Answer = Restored;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Restored, StoreError> {
        let row = sqlx::query(
            "SELECT storage_class, ready_micros, expires_micros FROM objects
             WHERE bucket = ?1 AND key = ?2 AND version = ?3
             UNION ALL
             SELECT storage_class, ready_micros, expires_micros FROM versions
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        )
        .bind(&self.bucket)
        .bind(self.key.as_bytes())
        .bind(&self.version)
        .fetch_optional(&mut *batch.connection)
        .await?;
        let row = row.ok_or(StoreError::NoSuchKey)?;
        let class: Option<String> = row.try_get("storage_class")?;
        let before = restore_of(&row)?;
        let now_micros = batch.now_micros;
        let after = cold::restore(class.as_deref(), before, &self.wanted, now_micros)?;
        for update in [
            "UPDATE objects SET ready_micros = ?4, expires_micros = ?5
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
            "UPDATE versions SET ready_micros = ?4, expires_micros = ?5
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        ] {
            sqlx::query(update)
                .bind(&self.bucket)
                .bind(self.key.as_bytes())
                .bind(&self.version)
                .bind(after.ready_micros)
                .bind(after.expires_micros)
                .execute(&mut *batch.connection)
                .await?;
        }
        Ok(match Restore::warmth(before, now_micros) {
            Warmth::Warm => Restored::Prolonged,
            Warmth::Cold | Warmth::Thawing => Restored::Begun,
        })
    }
}
