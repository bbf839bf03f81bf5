//! What a worker asks of the services that it uses: calls, bytes and how long they took, counted where they are
//! made; and what jobs it does.
//!
//! The S3 layer, the registry's client and the work store each count every request that they send, also
//! the repeated one, and the run loop counts jobs. The counts show whether the cost budget is kept
//! (docs/PERFORMANCE.md), are logged when a worker stops, and are served to who asks for its metrics.
//!
//! It knows no clock, and forgets nothing until the process ends.

mod jobs;
mod latency;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use jobs::{BatchWork, Jobs};
pub use latency::{LATENCY_BOUNDS, Latency};

/// The kinds of calls that are told apart for one service: three times what any of ours has. The rest are
/// counted together as [`OTHER`], so that no name taken from an answer can make the counts grow.
const KINDS_MAX: usize = 64;
const OTHER: &str = "other";

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    S3,
    WorkStore,
    Registry,
}

/// Of one kind of call, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that were sent, repetitions included.
    pub calls: u64,
    /// Those among them that were not answered well: refused, failed, or not answered.
    pub failed: u64,
    /// In bodies, as far as their length was known.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

impl Tally {
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failed: self.failed.saturating_add(other.failed),
            sent_bytes: self.sent_bytes.saturating_add(other.sent_bytes),
            received_bytes: self.received_bytes.saturating_add(other.received_bytes),
        }
    }
}

/// All kinds of calls to all services, by name.
pub type Counts = BTreeMap<Service, BTreeMap<String, Tally>>;

/// How long each kind of call took that was answered, well or not.
pub type Latencies = BTreeMap<Service, BTreeMap<String, Latency>>;

/// Counts what one worker asks and does. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Metered>>);

#[derive(Debug, Default)]
struct Metered {
    counts: Counts,
    latencies: Latencies,
    jobs: Jobs,
}

impl Meter {
    /// A request is sent. `kind` is the service's own name for it: `PutObject`, `save_files`.
    pub fn sent(&self, service: Service, kind: &str, bytes: u64) {
        self.add(
            (service, kind),
            Tally {
                calls: 1,
                sent_bytes: bytes,
                ..Tally::default()
            },
        );
    }

    /// An answer has come to a request that was counted by [`Self::sent`].
    pub fn received(&self, service: Service, kind: &str, bytes: u64) {
        self.add(
            (service, kind),
            Tally {
                received_bytes: bytes,
                ..Tally::default()
            },
        );
    }

    /// A request that was counted by [`Self::sent`] did not do what it was sent for.
    pub fn failed(&self, service: Service, kind: &str) {
        self.add(
            (service, kind),
            Tally {
                failed: 1,
                ..Tally::default()
            },
        );
    }

    /// How long a request took that was counted by [`Self::sent`].
    pub fn took(&self, service: Service, kind: &str, took: Duration) {
        let mut metered = self.lock();
        let kinds = metered.latencies.entry(service).or_default();
        change(kinds, kind, |latency| latency.add(took));
    }

    /// The worker does so many jobs at a time, at most.
    pub fn jobs_at_a_time(&self, jobs: usize) {
        self.lock().jobs.at_a_time = u64::try_from(jobs).unwrap_or(u64::MAX);
    }

    /// A job has begun. It runs until what this answers is dropped, however that comes.
    #[must_use]
    pub fn job(&self) -> RunningJob {
        let mut metered = self.lock();
        metered.jobs.attempts += 1;
        metered.jobs.running += 1;
        RunningJob(self.clone())
    }

    pub fn job_ended(&self, ending: &'static str, batch: BatchWork) {
        let mut metered = self.lock();
        let jobs = &mut metered.jobs;
        *jobs.endings.entry(ending).or_default() += 1;
        jobs.batch_files = jobs.batch_files.saturating_add(batch.files);
        jobs.batch_bytes = jobs.batch_bytes.saturating_add(batch.bytes);
    }

    pub fn lease_lost(&self) {
        self.lock().jobs.leases_lost += 1;
    }

    /// All counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    pub fn latencies(&self) -> Latencies {
        self.lock().latencies.clone()
    }

    pub fn jobs(&self) -> Jobs {
        self.lock().jobs.clone()
    }

    fn add(&self, (service, kind): (Service, &str), more: Tally) {
        let mut metered = self.lock();
        let kinds = metered.counts.entry(service).or_default();
        change(kinds, kind, |tally| *tally = tally.and(more));
    }

    fn lock(&self) -> MutexGuard<'_, Metered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One job that runs.
#[derive(Debug)]
pub struct RunningJob(Meter);

impl Drop for RunningJob {
    fn drop(&mut self) {
        let mut metered = self.0.lock();
        metered.jobs.running = metered.jobs.running.saturating_sub(1);
    }
}

/// A kind that is known is changed without an allocation: it is by every call.
fn change<T: Default>(kinds: &mut BTreeMap<String, T>, kind: &str, change: impl FnOnce(&mut T)) {
    if let Some(known) = kinds.get_mut(kind) {
        return change(known);
    }
    let kind = if kinds.len() < KINDS_MAX { kind } else { OTHER };
    change(kinds.entry(kind.to_owned()).or_default());
}

/// The meters of one process's workers, by their names.
#[derive(Clone, Debug, Default)]
pub struct Meters(Arc<Mutex<BTreeMap<&'static str, Meter>>>);

impl Meters {
    /// The worker's meter, the same each time.
    pub fn of(&self, worker: &'static str) -> Meter {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.entry(worker).or_default().clone()
    }

    /// Each worker's meter.
    pub fn all(&self) -> BTreeMap<&'static str, Meter> {
        let meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.clone()
    }

    /// What each worker has asked so far.
    pub fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = meters
            .iter()
            .map(|(worker, meter)| (*worker, meter.counts()));
        counts.collect()
    }
}

/// All kinds of calls to one service together.
pub fn total(counts: &Counts, service: Service) -> Tally {
    let kinds = counts.get(&service).into_iter().flat_map(BTreeMap::values);
    kinds.fold(Tally::default(), |sum, tally| sum.and(*tally))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_service_and_kind() {
        let meters = Meters::default();
        let meter = meters.of("ingest_recorder");

        meter.sent(Service::S3, "PutObject", 100);
        meter.sent(Service::S3, "PutObject", 1);
        meter.failed(Service::S3, "PutObject");
        meter.sent(Service::S3, "GetObject", 0);
        meter.received(Service::S3, "GetObject", 7);
        meters
            .of("ingest_recorder")
            .sent(Service::Registry, "GET items", 0);

        let counts = &meters.counts()["ingest_recorder"];
        let put = counts[&Service::S3]["PutObject"];
        assert_eq!((put.calls, put.failed, put.sent_bytes), (2, 1, 101));
        let s3 = total(counts, Service::S3);
        assert_eq!((s3.calls, s3.sent_bytes, s3.received_bytes), (3, 101, 7));
        assert_eq!(total(counts, Service::Registry).calls, 1);
        assert_eq!(total(counts, Service::WorkStore), Tally::default());
    }

    #[test]
    fn a_job_runs_until_it_is_dropped() {
        let meter = Meter::default();
        let first = meter.job();
        let second = meter.job();

        drop(first);
        meter.job_ended("completed", BatchWork { files: 3, bytes: 5 });

        let jobs = meter.jobs();
        assert_eq!((jobs.attempts, jobs.running), (2, 1));
        assert_eq!((jobs.batch_files, jobs.batch_bytes), (3, 5));
        assert_eq!(jobs.endings, [("completed", 1)].into());
        drop(second);
        assert_eq!(meter.jobs().running, 0);
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let meter = Meter::default();

        for number in 0..1_000 {
            meter.sent(Service::S3, &format!("kind {number}"), 0);
        }

        let counts = meter.counts();
        assert_eq!(counts[&Service::S3].len(), KINDS_MAX + 1);
        assert_eq!(total(&counts, Service::S3).calls, 1_000);
    }
}
