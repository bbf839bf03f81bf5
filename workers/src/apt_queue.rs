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
use muniment_model::{Chain, QueueName, Status};
use muniment_objects::StagingSettings;
use muniment_registry_client::RegistryClient;
use muniment_runtime::{JobError, Services, StartError, Sweep};
use muniment_work::{Subject, WorkStore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::planner_of;
use leftovers::Leftovers;
use report::{Format, Report};

mod leftovers;
mod report;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    staging: StagingSettings,

    /// Sweep once, say on standard output what was stuck, orphaned and swept, and end
    ///
    /// As `text` for people or `json` for scripts. Exit code 0 when the sweep came to its end, 1 when a service
    /// did not answer; the log is on standard error.
    #[arg(long, value_name = "FORMAT")]
    report: Option<Format>,
}

pub struct AptQueue {
    registry: RegistryClient,
    work: Arc<dyn WorkStore>,
    leftovers: Leftovers,
    report: Option<Format>,
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
            report: settings.report,
            registry,
            work: services.work(),
        })
    }

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), JobError> {
        let mut report = Report::default();
        let swept = self.reconcile(&mut report, stop).await;
        // Also after a fault: what was done before it is said.
        if let Some(format) = self.report {
            report.is_whole = swept.is_ok() && self.leftovers.has_seen_all();
            let printed = report.print(format);
            printed.map_err(|cause| JobError::retry(Chain(&cause).to_string()))?;
        }
        swept
    }

    fn is_once(&self) -> bool {
        self.report.is_some()
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
    async fn reconcile(
        &self,
        report: &mut Report,
        stop: &CancellationToken,
    ) -> Result<(), JobError> {
        let mut open = HashSet::new();
        let mut pages = self.registry.open_work_items();
        while let Some(page) = pages.next().await? {
            if stop.is_cancelled() {
                return Err(JobError::Stopped);
            }
            report.see(&page);
            self.requeue_lost(&page, report).await?;
            open.extend(page.iter().map(|item| item.id));
        }
        self.leftovers.clear(&open, stop, &mut report.swept).await
    }

    async fn requeue_lost(&self, page: &[WorkItem], report: &mut Report) -> Result<(), JobError> {
        let waiting: Vec<(&WorkItem, QueueName)> = page
            .iter()
            .filter_map(|item| Some((item, awaited(item)?)))
            .collect();
        let asked: Vec<_> = waiting
            .iter()
            .map(|(item, queue)| (Subject::Item(item.id), *queue))
            .collect();
        let known = self.work.are_known(&asked).await?;
        let lost = waiting.into_iter().zip(known);
        let lost: Vec<_> = lost
            .filter(|(_, is_known)| !is_known)
            .map(|(lost, _)| lost)
            .collect();
        let messages: Vec<_> = lost
            .iter()
            .map(|(item, queue)| planner_of(item, *queue))
            .collect();
        if !messages.is_empty() {
            self.work.publish(&messages).await?;
        }
        for (item, _) in lost {
            warn!(worker = Self::NAME, work_item = %item.id, stage = %item.stage,
                "had no message; queued again");
            report.queued_again(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
