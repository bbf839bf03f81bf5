//! Changing the tags of a version that is there.

use async_trait::async_trait;

use super::StoreError;
use super::writer::{Batch, Change};
use crate::tags::Tags;

/// Replaces the tags; the object is not modified by it.
pub(crate) struct SetTags {
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub tags: Tags,
}

#[async_trait]
impl Change for SetTags {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let tags = serde_json::to_string(&self.tags)?;
        let mut changed = 0;
        for update in [
            "UPDATE objects SET about = json_set(about, '$.tags', json(?4))
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
            "UPDATE versions SET about = json_set(about, '$.tags', json(?4))
             WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        ] {
            let updated = sqlx::query(update)
                .bind(&self.bucket)
                .bind(self.key.as_bytes())
                .bind(&self.version)
                .bind(&tags)
                .execute(&mut *batch.connection)
                .await?;
            changed += updated.rows_affected();
        }
        if changed == 0 {
            return Err(StoreError::NoSuchKey);
        }
        Ok(())
    }
}
