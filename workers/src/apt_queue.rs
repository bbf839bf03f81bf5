//! The reconciler: open work items that have no message, lease or due time get one again.
//!
//! A sweep. The registry is the truth and the queue a cache of hints, so whatever loses a message
//! (a crash between two effects, the loss of the whole work store) is repaired here.
//!
//! Safe to repeat: publishing a message that is there changes nothing. It cannot write to the
//! registry.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::Status;
use muniment_model::registry::WorkItem;
use muniment_registry_client::RegistryClient;
use muniment_runtime::{JobError, Sweep};
use muniment_work::{Message, WorkStore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How soon a lost message is noticed (fault matrix, R7: within five minutes).
pub const PERIOD: Duration = Duration::from_mins(1);

pub struct AptQueue {
    pub registry: RegistryClient,
    pub work: Arc<dyn WorkStore>,
}

#[async_trait]
impl Sweep for AptQueue {
    const NAME: &'static str = "apt_queue";

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), JobError> {
        let mut pages = self.registry.open_work_items();
        while let Some(page) = pages.next().await? {
            for item in &page {
                if stop.is_cancelled() {
                    return Err(JobError::Stopped);
                }
                self.requeue_if_lost(item).await?;
            }
        }
        Ok(())
    }
}

impl AptQueue {
    async fn requeue_if_lost(&self, item: &WorkItem) -> Result<(), JobError> {
        // A suspended item waits for an operator, not for a worker.
        let Some(queue) = item
            .stage
            .queue()
            .filter(|_| item.status != Status::Suspended)
        else {
            return Ok(());
        };
        if self.work.is_known(item.id).await? {
            return Ok(());
        }
        warn!(worker = Self::NAME, work_item = %item.id, stage = %item.stage,
            "had no message; queued again");
        let message = Message {
            item: item.id,
            queue,
            batch: None,
            institution: item.institution_id,
            size_bytes: item.size,
        };
        Ok(self.work.publish(&message).await?)
    }
}
