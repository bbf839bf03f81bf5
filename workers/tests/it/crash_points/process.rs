//! Processes of workers: one that may die at any of its calls, and those that come after it.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches as _};
use muniment_fault_proxy::FaultProxy;
use muniment_model::{QueueName, Status};
use muniment_registry_client::{PageRequest, RegistryClient, WorkItemQuery};
use muniment_runtime::{Services, Shutdown, Sweep, WorkerEntry};
use muniment_work::{Queue, Release, WorkStore};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use workers::apt_queue::AptQueue;
use workers::ingest_bucket_reader::IngestBucketReader;

use super::crash::{CallsTo, Crash};
use super::site::{AFTERWARDS, Site, time};
use crate::ingest::bucket;
use crate::kit::{STAGING, WITHIN, s3_settings};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a runtime may take to drop its tasks, all of which wait for something.
const DROPPED_WITHIN: Duration = Duration::from_mins(1);

pub(super) fn entry_of(name: &str) -> &'static WorkerEntry {
    let found = workers::all().iter().find(|worker| worker.name == name);
    found.expect("it is there")
}

/// Runs one worker in a process of its own, until it dies or has done what there is to do.
pub(super) async fn run_alone(site: &Site, worker: &'static WorkerEntry, crash: &Arc<Crash>) {
    let calls_to = |service| CallsTo {
        service,
        crash: Arc::clone(crash),
    };
    let before = async |url: &str, service| {
        let url = url.trim_end_matches('/');
        let proxy = FaultProxy::watched(url, Arc::new(calls_to(service))).await;
        proxy.expect("a proxy")
    };
    let s3 = before(&site.s3_url, "S3").await;
    let registry = before(&site.registry_url, "registry").await;
    let alone = Alone {
        worker,
        flags: {
            let url = format!("{}/", s3.url());
            s3_settings(&url, &url)
        },
        registry: site.registry_at(&format!("{}/", registry.url())),
        clock: Arc::clone(&site.clock) as _,
    };
    let (door, work_clock) = (site.work.door(), Arc::clone(&site.work_clock));
    let (watched_door, _wire) = site.work.watched_door(calls_to(super::WORK_STORE)).await;
    let crash = Arc::clone(crash);
    let ended = spawn_blocking(move || {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            let work = door.open(&work_clock).await;
            let working = async {
                let watched = watched_door.open(&work_clock).await;
                alone.work(watched, work.as_ref(), &crash).await;
            };
            tokio::select! {
                () = crash.death() => {}
                () = working => {}
            }
        });
        // As a process that is killed: whatever it was about is dropped where it is.
        runtime.shutdown_timeout(DROPPED_WITHIN);
    });
    ended.await.expect("it does not panic");
}

/// What a process is started with.
struct Alone {
    worker: &'static WorkerEntry,
    flags: Vec<(String, String)>,
    registry: RegistryClient,
    clock: Arc<dyn muniment_model::Clock>,
}

impl Alone {
    /// Its claims are those of one job at a time, so that its calls come in one order as far as they can.
    async fn work(&self, work: Arc<dyn WorkStore>, seen: &dyn Queue, crash: &Crash) {
        let clock = Arc::clone(&self.clock);
        let shutdown = Shutdown::default();
        let services = Services::new(work, &self.registry, clock, "first", &shutdown);
        let Some(queue) = self.worker.queue else {
            return self.sweep_once(&services).await;
        };
        let running = start(self.worker, &self.flags, &services, &shutdown).await;
        let done = async {
            until_empty(seen, queue).await;
            // The answer to what emptied the queue may be what it dies at.
            wait_until(async || crash.is_quiet()).await;
        };
        tokio::select! {
            ended = running => ended.expect("works"),
            () = done => {}
        }
    }

    async fn sweep_once(&self, services: &Services) {
        match self.worker.name {
            IngestBucketReader::NAME => self.sweep::<IngestBucketReader>(services).await,
            AptQueue::NAME => self.sweep::<AptQueue>(services).await,
            other => panic!("{other} is no sweep"),
        }
    }

    async fn sweep<S: Sweep>(&self, services: &Services) {
        let command = S::Settings::augment_args(Command::new(S::NAME));
        let flags = self.flags.iter();
        let flags = flags.map(|(flag, value)| (flag.as_str(), value.as_str()));
        let arguments = self.worker.arguments(&command, flags);
        let matches = command.get_matches_from(arguments);
        let settings = S::Settings::from_arg_matches(&matches).expect("settings");
        let sweep = S::connect(&settings, services).await.expect("connects");
        let swept = sweep.sweep(&CancellationToken::new()).await;
        swept.expect("sweeps");
    }
}

async fn start(
    worker: &WorkerEntry,
    flags: &[(String, String)],
    services: &Services,
    shutdown: &Shutdown,
) -> muniment_runtime::Running {
    let pace = [("jobs", "1"), ("every", "200ms")];
    let flags = flags.iter();
    let flags = flags.map(|(flag, value)| (flag.as_str(), value.as_str()));
    let command = worker.command();
    let arguments = worker.arguments(&command, flags.chain(pace));
    let matches = command.get_matches_from(arguments);
    let started = worker.start(&matches, services, shutdown).await;
    started.expect("starts")
}

/// Workers of one process that does not die.
pub(super) struct Successors(JoinSet<()>);

impl Successors {
    pub(super) async fn start(site: &Site, wanted: impl Fn(&WorkerEntry) -> bool) -> Self {
        let clock = Arc::clone(&site.clock);
        let shutdown = Shutdown::default();
        let work = site.open_work().await;
        let services = Services::new(work, &site.registry, clock, "second", &shutdown);
        let flags = s3_settings(&site.s3_url, &site.s3_url);
        let mut running = JoinSet::new();
        for worker in workers::all().iter().filter(|worker| wanted(worker)) {
            let worker = start(worker, &flags, &services, &shutdown).await;
            running.spawn(async { worker.await.expect("works") });
        }
        Self(running)
    }

    pub(super) async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

/// Lets so much time pass that the leases of the dead run out, as their neighbours notice who go on claiming.
pub(super) async fn let_leases_run_out(site: &Site, queue: Option<QueueName>) {
    site.clock.set(time(AFTERWARDS));
    let work = site.open_work().await;
    for _ in 0..3 {
        // Less than what is taken for an absence of the store itself, during which nobody could renew.
        site.work_clock.advance_seconds(25);
        let claim = match queue {
            Some(queue) => work.claim(queue, Duration::ZERO).await.expect("answers"),
            None => None,
        };
        if let Some(claim) = claim {
            let released = work.release(&claim.lease, Release::Now).await;
            released.expect("released");
        }
    }
    // What a holder left that vanished is claimed again after a moment.
    site.work_clock.advance_seconds(25);
}

/// Waits until so many items have ended and nothing of them is left where work is kept.
pub(super) async fn wait_for_the_end(site: &Site, items: usize) {
    let work = site.open_work().await;
    wait_until(async || {
        let query = WorkItemQuery::default();
        let known = site.registry.work_items(&query, PageRequest::LONGEST).await;
        let known = known.expect("answers").results;
        // One that waits for an operator goes no further.
        known.iter().any(|item| item.status == Status::Suspended)
            || known.len() == items
                && known.iter().all(|item| item.status.is_ended())
                && is_empty(work.as_ref()).await
                && is_nothing_staged(site).await
    })
    .await;
}

async fn is_nothing_staged(site: &Site) -> bool {
    let staging = bucket(STAGING);
    let staged = site.observer.keys(&staging, "").await;
    staged.expect("keys").is_empty()
}

async fn is_empty(work: &dyn WorkStore) -> bool {
    let left = work.items_after(muniment_model::WorkItemId(0), 1).await;
    left.expect("answers").is_empty()
}

/// Waits until a message of the queue waits to be claimed.
pub(super) async fn wait_for_work(site: &Site, queue: QueueName) {
    let work = site.open_work().await;
    wait_until(async || work.backlog().await.expect("counted")[&queue].ready > 0).await;
}

async fn until_empty(work: &dyn Queue, queue: QueueName) {
    wait_until(async || {
        let here = work.backlog().await.expect("counted")[&queue];
        here.ready + here.leased + here.due == 0
    })
    .await;
}

async fn wait_until(mut reached: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(LOOK_EVERY);
    let waited = timeout(WITHIN, async {
        while !reached().await {
            ticks.tick().await;
        }
    });
    waited.await.expect("it does not come to that");
}
