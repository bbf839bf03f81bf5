//! Claims messages, runs jobs and applies what follows from them.
//!
//! Order of effects for every ending: the registry's work item first, then the next message, then
//! the end of the claim. A crash between any two of them repeats the last message, whose claim
//! finds the item moved on ([`crate::gate`]) and publishes its present stage, or drops what an
//! ended item has left: a duplicate is harmless, so nothing is lost and nothing is done twice with
//! effect.
//!
//! Failing to record an ending counts nothing: it is tried again for as long as the lease holds.
//!
//! What it cannot do: write to a work item after the lease is lost. The lease is renewed before
//! every ending is applied, and each write carries the version of the item that was read.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use muniment_meter::BatchWork;
use muniment_model::{Chain, Dependency, QueueName};
use muniment_retry::pause;
use muniment_work::{BatchSize, Claim, Message, Release};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use crate::ending::{
    ClaimEnd, Ending, Facts, Plan, Publish, VANISHED_BEFORE_ALONE, ending_of, ends_its_process,
};
use crate::job::{Completed, Job, JobError, Worker};
use crate::lease::LeaseClock;
use crate::outages::{Met, Probe, Turn};
use crate::services::Services;
use crate::shutdown::Shutdown;
use crate::subject::{Aside, Desk, Subject};

/// How long one claim waits for work: as long may it take until a job whose task died is reported.
const CLAIM_WAIT: Duration = Duration::from_secs(10);
/// How long claims pause when the work store itself does not answer.
const CLAIM_FAILED_PAUSE: Duration = Duration::from_secs(2);
/// How long work that has to run alone waits for the other jobs of its process to end, and keeps
/// new ones from beginning. As long do others wait for work that runs alone.
const ALONE_WAIT: Duration = Duration::from_secs(30);
/// How soon it tries again when they did not.
const ALONE_DELAY: Duration = Duration::from_mins(1);
/// How long a claim waits for the end of the one job that is done at a time while all jobs meet
/// outages. Longer than a job needs to meet one; a job that takes longer does work.
const SINGLE_WAIT: Duration = Duration::from_secs(30);
/// How soon an ending is recorded again after the registry or the work store did not answer.
const RECORD_AGAIN: Duration = Duration::from_secs(3);
/// How often that is tried once the process was told to stop: the lease is to be released in time. That
/// a job was stopped is said once.
const RECORD_STOPPING_MAX: u32 = 2;
/// How soon a job is repeated whose ending was refused: at once would only ask for the same refusal.
const UNRECORDED_DELAY: Duration = Duration::from_mins(1);

/// Runs one worker's jobs.
pub struct Runner<W> {
    worker: W,
    desk: Desk,
    shutdown: Shutdown,
    met: Met,
    /// Held by a job that began while all jobs met outages.
    single: Arc<Semaphore>,
    /// Since the last claim that was answered: said once, not at each claim.
    claims_fail: AtomicBool,
}

impl<W: Worker> Runner<W> {
    pub fn new(worker: W, services: Services, shutdown: Shutdown) -> Self {
        Self {
            worker,
            desk: Desk::new(services, W::QUEUE),
            shutdown,
            met: Met::default(),
            single: Arc::new(Semaphore::new(1)),
            claims_fail: AtomicBool::new(false),
        }
    }

    /// Works until told to stop, on at most `jobs_max` jobs at a time. One claim at a time waits
    /// for work, so an idle worker costs the work store little.
    pub async fn run(self, jobs_max: usize) {
        info!(worker = %W::QUEUE, jobs_max, "claiming work");
        self.desk.services.meter.jobs_at_a_time(jobs_max);
        let runner = Arc::new(self);
        let slots = Arc::new(Semaphore::new(jobs_max));
        let mut jobs = JoinSet::new();
        while let Some(slot) = runner.free_slot(&slots).await {
            // A time before the claim: the holder's own account of the lease is the shorter one.
            let claimed_at = Instant::now();
            if let Some(claim) = runner.claim().await {
                let runner = Arc::clone(&runner);
                jobs.spawn(async move { runner.drive(&claim, claimed_at, slot).await });
            }
            while let Some(ended) = jobs.try_join_next() {
                runner.report(ended);
            }
        }
        while let Some(ended) = jobs.join_next().await {
            runner.report(ended);
        }
        info!(worker = %W::QUEUE, "stopped");
    }

    fn report(&self, ended: Result<(), JoinError>) {
        if let Err(cause) = ended {
            error!(worker = %W::QUEUE, node = self.desk.holder.node, %cause, "a job's task died");
        }
    }

    /// `None` when told to stop.
    async fn free_slot(&self, slots: &Arc<Semaphore>) -> Option<Slot> {
        let free = async {
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            let single = if self.met.only_outages() {
                let single = Arc::clone(&self.single).acquire_owned();
                timeout(SINGLE_WAIT, single).await.ok()
            } else {
                None
            };
            Some(Slot {
                _slot: slot,
                _single: single.and_then(Result::ok),
            })
        };
        tokio::select! {
            biased;
            () = self.shutdown.soft.cancelled() => None,
            slot = free => slot,
        }
    }

    /// Waits a while for work, and not once told to stop; but a claim that is under way then is seen to its
    /// end: it may have been granted.
    async fn claim(&self) -> Option<Claim> {
        let stop = &self.shutdown.soft;
        let work = &self.desk.services.work;
        match work.claim_until(W::QUEUE, CLAIM_WAIT, stop).await {
            Ok(claim) => {
                if self.claims_fail.swap(false, Ordering::Relaxed) {
                    info!(worker = %W::QUEUE, "claiming work again");
                }
                claim
            }
            Err(cause) => {
                if !self.claims_fail.swap(true, Ordering::Relaxed) {
                    error!(worker = %W::QUEUE, cause = %Chain(&cause),
                        "cannot claim work; trying again until it can");
                }
                pause(CLAIM_FAILED_PAUSE, &self.shutdown.soft).await;
                None
            }
        }
    }

    /// Runs one job to an ending and records it, for as long as the lease holds.
    async fn drive(&self, claim: &Claim, claimed_at: Instant, slot: Slot) {
        let meter = &self.desk.services.meter;
        let (_running, _busy) = (meter.job(), self.desk.services.busy.begin());
        let clock = Arc::new(LeaseClock::new(claimed_at));
        let work = self.desk.services.work();
        tokio::select! {
            () = self.work_on(claim, &clock, slot) => {}
            // The other arm is dropped, so the work has stopped before anybody else begins.
            () = clock.keep(claim.lease.identity, || work.renew(&claim.lease)) => {
                warn!(worker = %W::QUEUE, subject = %claim.message.subject,
                    "lease lost, dropping the job");
                meter.lease_lost();
            }
        }
    }

    async fn work_on(&self, claim: &Claim, clock: &Arc<LeaseClock>, slot: Slot) {
        let probes = match self.turn(&claim.message) {
            Ok(probes) => probes,
            Err(rest) => {
                let rests = Plan::aside(Aside::Later(rest));
                return self.record(claim, rests, slot).await;
            }
        };
        let result = tokio::select! {
            result = AssertUnwindSafe(self.perform(claim, clock)).catch_unwind() => {
                result.unwrap_or_else(|_panic| Err(JobError::retry(
                    "the worker panicked; its log says where",
                )))
            }
            () = self.shutdown.hard.cancelled() => Err(JobError::Stopped),
        };
        self.learn(&claim.message, &result, &probes);
        drop(probes);
        let plan = match result {
            Ok(Performed::Job(completed)) => self.plan(claim, Ok(completed)),
            Ok(Performed::Aside(aside)) => Plan::aside(aside),
            Err(error) => self.plan(claim, Err(error)),
        };
        self.record(claim, plan, slot).await;
    }

    /// Whether a job may begin, as far as is known what it needs; if not, how long it rests.
    fn turn(&self, message: &Message) -> Result<Vec<Probe<'_>>, Duration> {
        let mut needs = Vec::from_iter(self.met.need_of(message));
        if W::Subject::asks_registry(&self.desk, message) && !needs.contains(&Dependency::Registry)
        {
            needs.push(Dependency::Registry);
        }
        let mut probes = Vec::new();
        for dependency in &needs {
            match self.desk.services.outages.turn(dependency) {
                Turn::Begin => {}
                Turn::Probe(probe) => probes.push(probe),
                Turn::Rest(rest) => return Err(rest),
            }
        }
        Ok(probes)
    }

    /// What the end of a job tells about outages. One that was stopped tells nothing.
    fn learn(&self, message: &Message, result: &Result<Performed, JobError>, probes: &[Probe<'_>]) {
        match result {
            Err(JobError::Outage { dependency, .. }) => self.met.outage(message, dependency),
            Err(JobError::Stopped | JobError::LeaseLost) | Ok(Performed::Aside(_)) => {}
            Ok(Performed::Job(_))
            | Err(
                JobError::Retry { .. }
                | JobError::RecordsLost
                | JobError::GoBack { .. }
                | JobError::Reject(_)
                | JobError::Cancel { .. }
                | JobError::Halt { .. }
                | JobError::Wait { .. },
            ) => {
                self.met.no_outage(message);
                probes.iter().for_each(Probe::is_back);
            }
        }
    }

    fn plan(&self, claim: &Claim, result: Result<Completed, JobError>) -> Plan {
        let stopping = self.shutdown.soft.is_cancelled();
        let outage_delay = match &result {
            Err(JobError::Outage { dependency, .. }) if !stopping => {
                self.desk.services.outages.meet(dependency)
            }
            Ok(_) | Err(_) => Duration::ZERO,
        };
        let facts = Facts {
            attempt: claim.attempt,
            batch: claim.message.batch,
            stopping,
            outage_delay,
        };
        ending_of(result, facts, W::QUEUE)
    }

    /// Looks at the subject, marks it as started, and does the work.
    async fn perform(&self, claim: &Claim, clock: &Arc<LeaseClock>) -> Result<Performed, JobError> {
        if let Some(halted) = ends_its_process(claim) {
            return Err(halted);
        }
        let services = &self.desk.services;
        let (_alone, _beside) = if claim.vanished >= VANISHED_BEFORE_ALONE {
            let Ok(alone) = timeout(ALONE_WAIT, services.jobs.write()).await else {
                return Ok(Performed::Aside(Aside::Later(ALONE_DELAY)));
            };
            services.work.run_alone(&claim.lease).await?;
            (Some(alone), None)
        } else {
            // Work that runs alone may take hours, and another process can do this meanwhile.
            let Ok(beside) = timeout(ALONE_WAIT, services.jobs.read()).await else {
                return Ok(Performed::Aside(Aside::Later(ALONE_DELAY)));
            };
            (None, Some(beside))
        };
        let seen = match W::Subject::look(&self.desk, claim).await? {
            Ok(subject) => subject,
            Err(aside) => return Ok(Performed::Aside(aside)),
        };
        let stop = self.shutdown.soft.child_token();
        let job = Job::new(
            seen.clone(),
            claim,
            Arc::clone(clock),
            services.work(),
            stop,
        );
        self.worker.may_begin(&job).await?;
        match W::Subject::start(&self.desk, claim, seen).await? {
            Ok(started) => {
                let job = job.about(started);
                Ok(Performed::Job(self.worker.run(&job).await?))
            }
            Err(aside) => Ok(Performed::Aside(aside)),
        }
    }

    /// Applies the plan, again and again while a service does not answer; from the second time on
    /// beside the jobs, which may not need that service.
    async fn record(&self, claim: &Claim, mut plan: Plan, slot: Slot) {
        let subject = claim.message.subject;
        say(W::QUEUE, claim, &plan);
        let meter = &self.desk.services.meter;
        meter.job_ended(plan.ending.word(), batch_of(claim, &plan));
        let mut slot = Some(slot);
        let mut tries = 0;
        while let Err(cause) = self.apply(claim, &mut plan).await {
            tries += 1;
            drop(slot.take());
            if let JobError::Outage { dependency, .. } = &cause {
                self.desk.services.outages.meet(dependency);
            }
            if let Some(refused) = plan.refused(&cause) {
                plan = refused;
                continue;
            }
            let stopping = self.shutdown.soft.is_cancelled();
            let may_pass = matches!(cause, JobError::Outage { .. } | JobError::Retry { .. });
            let tries_max = if plan.ending == Ending::Stopped {
                1
            } else {
                RECORD_STOPPING_MAX
            };
            let given_up = stopping && tries >= tries_max;
            if !may_pass || given_up || self.shutdown.hard.is_cancelled() {
                self.give_up_recording(claim, &cause).await;
                return;
            }
            warn!(worker = %W::QUEUE, %subject, ?cause, "the ending is recorded again");
            pause(RECORD_AGAIN, &self.shutdown.hard).await;
        }
    }

    /// The job will be repeated. Safe because every job is idempotent.
    async fn give_up_recording(&self, claim: &Claim, cause: &JobError) {
        let subject = claim.message.subject;
        if matches!(cause, JobError::LeaseLost) {
            // Also what a second try hears when the first has ended the claim and its answer was lost.
            warn!(worker = %W::QUEUE, %subject, "the lease is gone before the ending was recorded");
            return;
        }
        error!(worker = %W::QUEUE, %subject, ?cause,
            "the ending was not recorded; the job will be repeated");
        let release = if self.shutdown.soft.is_cancelled() {
            Release::Now
        } else {
            Release::Later(UNRECORDED_DELAY)
        };
        let released = self.desk.services.work.release(&claim.lease, release);
        if let Err(error) = released.await {
            warn!(worker = %W::QUEUE, cause = %Chain(&error), "the lease runs out on its own");
        }
    }

    /// An item that is written is taken out of the plan: the next try goes on from there.
    async fn apply(&self, claim: &Claim, plan: &mut Plan) -> Result<(), JobError> {
        if plan.claim == ClaimEnd::Abandon {
            return Ok(());
        }
        let work = &self.desk.services.work;
        if let Some(write) = &plan.item {
            work.renew(&claim.lease).await?;
            match W::Subject::write(&self.desk, claim, write).await? {
                Ok(()) => plan.item = None,
                Err(aside) => *plan = Plan::aside(aside),
            }
        }
        let messages = plan
            .publish
            .messages(&claim.message, self.desk.bag_bytes(&claim.message));
        if !messages.is_empty() {
            work.publish(&messages).await?;
        }
        self.end_claim(claim, &plan.claim).await
    }

    async fn end_claim(&self, claim: &Claim, end: &ClaimEnd) -> Result<(), JobError> {
        let work = &self.desk.services.work;
        match end {
            ClaimEnd::Abandon => {}
            ClaimEnd::Acknowledge => work.acknowledge(&claim.lease).await?,
            ClaimEnd::Release(release) => work.release(&claim.lease, *release).await?,
            ClaimEnd::FinishBatch(done) => {
                let records = done.records.as_deref();
                work.finish_batch(&claim.lease, done.batch, records, done.batches)
                    .await?;
            }
            ClaimEnd::DropSubject => match claim.message.subject {
                muniment_work::Subject::Item(item) => work.drop_item(item).await?,
                muniment_work::Subject::File(_) => work.acknowledge(&claim.lease).await?,
            },
        }
        Ok(())
    }
}

/// The right to do one more job, for as long as it is held.
struct Slot {
    _slot: OwnedSemaphorePermit,
    _single: Option<OwnedSemaphorePermit>,
}

/// What became of a claim.
enum Performed {
    /// Its claim ends without a job.
    Aside(Aside),
    Job(Completed),
}

/// The batch that was completed, if it was one.
fn batch_of(claim: &Claim, plan: &Plan) -> BatchWork {
    if plan.ending != Ending::Completed || claim.message.batch.is_none() {
        return BatchWork::default();
    }
    BatchWork {
        files: claim.message.files.into(),
        bytes: claim.message.size_bytes,
    }
}

/// Logs an ending. Of a batch only that it is done: its records are many.
fn say(worker: QueueName, claim: &Claim, plan: &Plan) {
    let subject = claim.message.subject;
    let Plan {
        ending, item, away, ..
    } = plan;
    match ending {
        Ending::Halt => error!(%worker, %subject, ?item, "needs an operator"),
        Ending::Retry => {
            warn!(%worker, %subject, attempt = claim.attempt, ?item, "will be tried again");
        }
        Ending::Stopped if let Some(dependency) = away => {
            warn!(%worker, %subject, %dependency, ?item, "waits for a service that is away");
        }
        Ending::Completed | Ending::Reject if item.is_some() => {
            info!(%worker, %subject, ?ending, ?item);
        }
        Ending::Completed | Ending::Reject | Ending::Stopped => {
            debug!(%worker, %subject, ?ending, ?item);
        }
    }
}

impl Publish {
    /// A batch says its own size, a planner that of the bag.
    fn messages(&self, from: &Message, bag_bytes: u64) -> Vec<Message> {
        let message = |queue, batch, size: BatchSize| Message {
            queue,
            batch,
            size_bytes: size.bytes,
            files: size.files,
            ..from.clone()
        };
        let bag = BatchSize {
            files: 0,
            bytes: bag_bytes,
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::Planner(queue) => vec![message(*queue, None, bag)],
            Self::Batches(batches) => batches
                .iter()
                .map(|(batch, size)| message(from.queue, Some(*batch), *size))
                .collect(),
        }
    }
}
