//! Claims messages, runs jobs and records how they end.
//!
//! Order of effects for every ending: the registry's work item first, then the next message, then
//! the acknowledgement. A crash between any two of them repeats the last message, whose claim
//! finds the item moved on ([`crate::gate`]) and publishes its present stage again: a duplicate is
//! harmless, so nothing is lost and nothing is done twice with effect.
//!
//! What it cannot do: write to a work item after the lease is lost. The lease is renewed before
//! every ending is written, and each write carries the version of the item that was read.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use muniment_model::{Chain, Clock};
use muniment_registry_client::RegistryClient;
use muniment_work::{Claim, Lease, WorkError, WorkStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::item_writes::Holder;
use crate::job::{JobError, Step, Worker};
use crate::shutdown::{Shutdown, pause};

mod endings;
mod items;

use items::ItemCache;

/// How long one claim waits for work, and so at most how long a stop waits for a claim.
const CLAIM_WAIT: Duration = Duration::from_secs(1);
/// A lease lasts 60 s; three renewals fit in, so one lost answer loses no lease.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// The lease counts as lost one renewal before it expires, so that work stops before another
/// worker can begin.
const RENEW_WITHIN: Duration = Duration::from_secs(40);
/// How long claims pause when the work store itself does not answer.
const CLAIM_FAILED_PAUSE: Duration = Duration::from_secs(2);

/// What every worker is given.
#[derive(Clone)]
pub struct Services {
    pub work: Arc<dyn WorkStore>,
    pub registry: RegistryClient,
    pub clock: Arc<dyn Clock>,
    /// The name of this host or container, unique among those that run at one time.
    pub node: String,
    /// Ends every wait for a service: the hard phase of the shutdown.
    pub stop: CancellationToken,
}

impl Services {
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub fn work(&self) -> Arc<dyn WorkStore> {
        Arc::clone(&self.work)
    }
}

/// Runs one worker's jobs.
pub struct Runner<W> {
    worker: W,
    services: Services,
    shutdown: Shutdown,
    holder: Holder,
    items: ItemCache,
    /// Claims pause until then: a service that this worker needs is away.
    paused_until: Mutex<Option<Instant>>,
}

impl<W: Worker> Runner<W> {
    pub fn new(worker: W, services: Services, shutdown: Shutdown) -> Self {
        let holder = Holder {
            node: services.node.clone(),
            pid: i64::from(std::process::id()),
        };
        Self {
            worker,
            services,
            shutdown,
            holder,
            items: ItemCache::default(),
            paused_until: Mutex::new(None),
        }
    }

    /// Works until told to stop, on at most `jobs_max` jobs at a time. One claim at a time waits
    /// for work, so an idle worker costs the work store little.
    pub async fn run(self, jobs_max: usize) {
        let runner = Arc::new(self);
        let slots = Arc::new(Semaphore::new(jobs_max));
        let mut jobs = JoinSet::new();
        while let Some(slot) = runner.free_slot(&slots).await {
            if let Some(claim) = runner.claim().await {
                let runner = Arc::clone(&runner);
                jobs.spawn(async move {
                    runner.drive(&claim).await;
                    drop(slot);
                });
            }
            while let Some(ended) = jobs.try_join_next() {
                runner.report(ended);
            }
        }
        while let Some(ended) = jobs.join_next().await {
            runner.report(ended);
        }
        info!(worker = %W::SPEC.queue, "stopped");
    }

    fn report(&self, ended: Result<(), JoinError>) {
        if let Err(cause) = ended {
            error!(worker = %W::SPEC.queue, node = self.services.node, %cause, "a job's task died");
        }
    }

    /// `None` when told to stop.
    async fn free_slot(&self, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let soft = &self.shutdown.soft;
        while let Some(left) = self.pause_left()
            && !soft.is_cancelled()
        {
            pause(left, soft).await;
        }
        tokio::select! {
            biased;
            () = soft.cancelled() => None,
            slot = Arc::clone(slots).acquire_owned() => slot.ok(),
        }
    }

    /// Waits a short while for work. Seen to its end also when told to stop: a claim that is
    /// dropped halfway may have been granted.
    async fn claim(&self) -> Option<Claim> {
        match self.services.work.claim(W::SPEC.queue, CLAIM_WAIT).await {
            Ok(claim) => claim,
            Err(cause) => {
                error!(worker = %W::SPEC.queue, cause = %Chain(&cause), "cannot claim work");
                pause(CLAIM_FAILED_PAUSE, &self.shutdown.soft).await;
                None
            }
        }
    }

    /// Runs one job to an ending and records it.
    async fn drive(&self, claim: &Claim) {
        // Whichever arm wins, the others are dropped here. So the work has stopped before the
        // lease is given up below, and nobody else can have started it.
        let result = tokio::select! {
            result = AssertUnwindSafe(self.perform(claim)).catch_unwind() => match result {
                Ok(performed) => performed,
                Err(_panic) => Performed::Job(Err(JobError::panicked())),
            },
            () = self.shutdown.hard.cancelled() => Performed::Job(Err(JobError::Stopped)),
            () = self.lose_lease(&claim.lease) => {
                warn!(worker = %W::SPEC.queue, work_item = %claim.message.item,
                    "lease lost, dropping the job");
                return;
            }
        };
        let settled = match result {
            Performed::Gated(settlement) => self
                .services
                .work
                .settle(&claim.lease, settlement)
                .await
                .map_err(JobError::from),
            // The lease is kept while its ending is written, too.
            Performed::Job(result) => tokio::select! {
                ended = self.end(claim, self.excuse_if_stopping(result)) => ended,
                () = self.lose_lease(&claim.lease) => Err(JobError::LeaseLost),
            },
        };
        if let Err(cause) = settled {
            // The lease runs out on its own and the job is claimed again. Safe because every job
            // is safe to repeat.
            error!(worker = %W::SPEC.queue, work_item = %claim.message.item, ?cause,
                "the ending was not recorded; the job will be repeated");
        }
    }

    /// Ends when the lease can no longer be counted on; until then renews it.
    async fn lose_lease(&self, lease: &Lease) {
        let mut renewed_at = Instant::now();
        loop {
            tokio::time::sleep_until(Instant::now() + RENEW_EVERY).await;
            let before = Instant::now();
            match self.services.work.renew(lease).await {
                Ok(()) => renewed_at = before,
                Err(WorkError::LeaseLost { .. }) => return,
                Err(cause) => {
                    warn!(worker = %W::SPEC.queue, cause = %Chain(&cause), "lease not renewed");
                    if renewed_at.elapsed() > RENEW_WITHIN {
                        return;
                    }
                }
            }
        }
    }

    /// Connections break while a task is being stopped. That is not the job's fault, so it must
    /// not use up an attempt.
    fn excuse_if_stopping(&self, result: Result<Step, JobError>) -> Result<Step, JobError> {
        match result {
            Err(JobError::Retry { .. } | JobError::Outage { .. })
                if self.shutdown.soft.is_cancelled() =>
            {
                Err(JobError::Stopped)
            }
            other => other,
        }
    }

    fn pause_left(&self) -> Option<Duration> {
        let until = *self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .filter(|left| !left.is_zero())
    }

    fn pause_claims(&self, delay: Duration) {
        let mut until = self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + delay);
    }
}

/// What became of a claim.
enum Performed {
    /// The message was not right; it is settled without a job.
    Gated(muniment_work::Settlement),
    Job(Result<Step, JobError>),
}
