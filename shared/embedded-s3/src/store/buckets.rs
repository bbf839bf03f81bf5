//! Making and removing buckets.

use async_trait::async_trait;
use sqlx::sqlite::SqliteExecutor;

use super::StoreError;
use super::versions::Versioning;
use super::writer::{Batch, Change};

pub(crate) struct CreateBucket {
    pub name: String,
}

#[async_trait]
impl Change for CreateBucket {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let made = sqlx::query(
            "INSERT INTO buckets (name, created_micros) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&self.name)
        .bind(batch.now_micros)
        .execute(&mut *batch.connection)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::BucketExists);
        }
        Ok(())
    }
}

/// Removes a bucket that holds nothing: no version of an object, and no upload that could become one.
pub(crate) struct DeleteBucket {
    pub name: String,
}

#[async_trait]
impl Change for DeleteBucket {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        require_bucket(&mut *batch.connection, &self.name).await?;
        let used: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1)
                 OR EXISTS (SELECT 1 FROM versions WHERE bucket = ?1)
                 OR EXISTS (SELECT 1 FROM uploads WHERE bucket = ?1)",
        )
        .bind(&self.name)
        .fetch_one(&mut *batch.connection)
        .await?;
        if used {
            return Err(StoreError::BucketNotEmpty);
        }
        sqlx::query("DELETE FROM buckets WHERE name = ?")
            .bind(&self.name)
            .execute(&mut *batch.connection)
            .await?;
        Ok(())
    }
}

/// Whether the bucket, which must be there, keeps versions.
pub(crate) async fn versioning_of(
    executor: impl SqliteExecutor<'_>,
    bucket: &str,
) -> Result<Versioning, StoreError> {
    let column: Option<Option<String>> =
        sqlx::query_scalar("SELECT versioning FROM buckets WHERE name = ?")
            .bind(bucket)
            .fetch_optional(executor)
            .await?;
    let column = column.ok_or(StoreError::NoSuchBucket)?;
    Ok(Versioning::of(column.as_deref()))
}

pub(crate) async fn require_bucket(
    executor: impl SqliteExecutor<'_>,
    bucket: &str,
) -> Result<(), StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM buckets WHERE name = ?)")
        .bind(bucket)
        .fetch_one(executor)
        .await?;
    if exists {
        Ok(())
    } else {
        Err(StoreError::NoSuchBucket)
    }
}
