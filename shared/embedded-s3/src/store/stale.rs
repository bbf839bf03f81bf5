//! Uploads that nobody completed or aborted, and what their parts take on the disk.
//!
//! Looks every hour for as long as the store is there, and goes by when an upload was started. What it
//! missed the next look finds, so it may end at any point.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::writer::{Batch, Change, Queued};
use super::{StoreError, submit_to};

/// An upload of ours is completed within hours. One that a depositor left has a week to go on, as
/// many owners of buckets on S3 have it.
const AGE_MAX: Duration = Duration::from_hours(7 * 24);
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// How many go with one change, so that requests do not wait for it.
const TOGETHER_MAX: u32 = 64;

/// Removes the oldest uploads that were started before this age; answers how many.
pub(super) struct ClearUploads {
    pub age: Duration,
}

#[async_trait]
impl Change for ClearUploads {
    type Answer = usize;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<usize, StoreError> {
        let age = i64::try_from(self.age.as_micros()).unwrap_or(i64::MAX);
        let stale: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM uploads WHERE started_micros <= ? ORDER BY started_micros LIMIT ?",
        )
        .bind(batch.now_micros.saturating_sub(age))
        .bind(TOGETHER_MAX)
        .fetch_all(&mut *batch.connection)
        .await?;
        for upload in &stale {
            batch.drop_upload(upload).await?;
        }
        Ok(stale.len())
    }
}

/// Looks until the store is gone.
pub(super) async fn sweep(queue: mpsc::Sender<Box<dyn Queued>>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match submit_to(&queue, ClearUploads { age: AGE_MAX }).await {
            Ok(0) => {}
            Ok(removed) => {
                info!(removed, "removed uploads that were left open for a week");
                looks.reset_immediately();
            }
            Err(StoreError::Stopping) => return,
            Err(error) => warn!(%error, "could not look for uploads that were left open"),
        }
    }
}
