//! The reconciler: open work items that have no message, lease or due time get one again, and what
//! ended items left is cleared ([`leftovers`]).
//!
//! A sweep. The registry is the truth and the queue a cache of hints, so whatever loses a message
//! (a crash between two effects, the loss of the whole work store) is repaired here. It asks about
//! an item at its present stage, so that no message of another stage can hide a stuck item.
//!
//! Idempotent: publishing a message that is there changes nothing. It cannot write to the
//! registry.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{QueueName, Status};
use muniment_objects::StagingSettings;
use muniment_registry_client::RegistryClient;
use muniment_runtime::{JobError, Services, StartError, Sweep};
use muniment_work::{Subject, WorkStore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::planner_of;
use leftovers::Leftovers;

mod leftovers;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    staging: StagingSettings,
}

pub struct AptQueue {
    registry: RegistryClient,
    work: Arc<dyn WorkStore>,
    leftovers: Leftovers,
}

#[async_trait]
impl Sweep for AptQueue {
    const NAME: &'static str = "apt_queue";
    const ABOUT: &'static str =
        "Gives open work items that have no message one again, and clears what ended ones left";
    // How soon a lost message is noticed (fault matrix, R7: within five minutes).
    const EVERY: &'static str = "1m";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        let registry = services.registry.clone();
        let staging = settings.staging.connect(&services.s3);
        Ok(Self {
            leftovers: Leftovers::new(registry.clone(), staging, services.work()),
            registry,
            work: services.work(),
        })
    }

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), JobError> {
        let mut open = HashSet::new();
        let mut pages = self.registry.open_work_items();
        while let Some(page) = pages.next().await? {
            if stop.is_cancelled() {
                return Err(JobError::Stopped);
            }
            self.requeue_lost(&page).await?;
            open.extend(page.iter().map(|item| item.id));
        }
        self.leftovers.clear(&open, stop).await
    }
}

/// The queue that must have a message of the item; `None` when no worker is to touch it. A suspended
/// item waits for an operator.
fn awaited(item: &WorkItem) -> Option<QueueName> {
    if item.status.is_ended() || item.status == Status::Suspended {
        return None;
    }
    Some(item.step()?.queue)
}

impl AptQueue {
    async fn requeue_lost(&self, page: &[WorkItem]) -> Result<(), JobError> {
        let waiting: Vec<(&WorkItem, QueueName)> = page
            .iter()
            .filter_map(|item| Some((item, awaited(item)?)))
            .collect();
        let asked: Vec<_> = waiting
            .iter()
            .map(|(item, queue)| (Subject::Item(item.id), *queue))
            .collect();
        let known = self.work.are_known(&asked).await?;
        let lost = waiting
            .into_iter()
            .zip(known)
            .filter(|(_, known)| !known)
            .map(|((item, queue), _)| {
                warn!(worker = Self::NAME, work_item = %item.id, stage = %item.stage,
                    "had no message; queued again");
                planner_of(item, queue)
            });
        let lost: Vec<_> = lost.collect();
        if !lost.is_empty() {
            self.work.publish(&lost).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
