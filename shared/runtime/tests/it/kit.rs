//! A registry, a work store, and workers that do as they are told.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use muniment_model::registry::{Institution, InstitutionKind, WorkItem};
use muniment_model::{Action, BatchNumber, InstitutionId, MemberKind, QueueName, Stage, Status};
use muniment_registry::{Registry, Role};
use muniment_registry_client::{RegistryClient, RegistrySettings};
use muniment_runtime::{
    Completed, Job, JobError, Runner, Services, Shutdown, StartError, SystemClock, Worker,
};
use muniment_testkit::records;
use muniment_work::{
    Backlog, FileWrite, Message, Progress, Queue, Records, SqliteWork, Subject, WorkStore,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

const ADMIN: &str = "system@muniment.org";
/// Far longer than anything here takes on a busy machine.
const WITHIN: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const A_WHILE: Duration = Duration::from_secs(4);

/// Where the fake ingest worker works.
pub(crate) const QUEUE: QueueName = QueueName::IngestFormatIdentifier;
pub(crate) const STAGE: Stage = Stage::FormatIdentification;
pub(crate) const NEXT: QueueName = QueueName::IngestPreservationUploader;

pub(crate) struct Site {
    pub(crate) work: Arc<SqliteWork>,
    pub(crate) registry: RegistryClient,
    pub(crate) shutdown: Shutdown,
    pub(crate) registry_url: String,
    api_key: String,
    institution: InstitutionId,
    registry_stop: CancellationToken,
    tasks: JoinSet<()>,
    folder: TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(SystemClock);
        let registry = Registry::open(
            folder.path().join("registry.db"),
            Arc::<SystemClock>::clone(&clock),
        )
        .await
        .expect("opens");
        let institution = registry
            .ensure_institution(&Institution {
                name: "Test".to_owned(),
                identifier: "test.edu".to_owned(),
                kind: InstitutionKind::Member,
                receiving_bucket: "receiving.test.edu".to_owned(),
                ..Institution::default()
            })
            .await
            .expect("made")
            .id;
        let made = registry.ensure_user(ADMIN, Role::Admin, None).await;
        made.expect("made");
        let key = registry.issue_api_key(ADMIN).await.expect("issued");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("listens");
        let address = listener.local_addr().expect("an address");
        let registry_stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stop = registry_stop.clone();
        tasks.spawn(async move {
            registry.serve(listener, stop).await.expect("serves");
        });
        let registry_url = format!("http://{address}");
        let client = client_at(&registry_url, &key);
        let work = SqliteWork::open(&folder.path().join("work.db"), clock).await;
        Self {
            work: Arc::new(work.expect("opens")),
            registry: client,
            registry_url,
            api_key: key,
            shutdown: Shutdown::default(),
            institution,
            registry_stop,
            tasks,
            folder,
        }
    }

    pub(crate) fn services(&self) -> Services {
        self.services_with(self.store())
    }

    pub(crate) fn store(&self) -> Arc<dyn WorkStore> {
        Arc::<SqliteWork>::clone(&self.work)
    }

    /// As [`Self::services`], with the registry behind another address.
    pub(crate) fn services_behind(&self, registry_url: &str) -> Services {
        let mut services = self.services();
        let registry = client_at(registry_url, &self.api_key);
        services.registry = registry.with_stop(self.shutdown.soft.clone());
        services
    }

    pub(crate) fn services_with(&self, work: Arc<dyn WorkStore>) -> Services {
        Services::new(
            work,
            &self.registry,
            Arc::new(SystemClock),
            "host",
            &self.shutdown,
        )
    }

    /// A pending item, not yet published.
    pub(crate) async fn item(&self, action: Action, stage: Stage) -> WorkItem {
        self.named_item("photos.tar", action, stage).await
    }

    pub(crate) async fn named_item(&self, name: &str, action: Action, stage: Stage) -> WorkItem {
        let wanted = WorkItem {
            name: name.to_owned(),
            action,
            stage: if action == Action::Ingest {
                Stage::Receive
            } else {
                stage
            },
            institution_id: self.institution,
            ..template()
        };
        let made = self.registry.create_work_item(&wanted).await;
        let item = made.expect("made").into_item();
        if item.stage == stage {
            return item;
        }
        let moved = WorkItem { stage, ..item };
        self.registry.update_work_item(&moved).await.expect("moved")
    }

    /// An item at the fake worker's stage, and its message.
    pub(crate) async fn ready_item(&self) -> WorkItem {
        let item = self.item(Action::Ingest, STAGE).await;
        self.publish(&item, QUEUE, None).await;
        item
    }

    pub(crate) async fn publish(
        &self,
        item: &WorkItem,
        queue: QueueName,
        batch: Option<BatchNumber>,
    ) {
        let message = Message {
            subject: Subject::Item(item.id),
            queue,
            batch,
            institution: item.institution_id,
            size_bytes: item.size,
            files: 0,
        };
        self.work.publish(&[message]).await.expect("published");
    }

    /// Records of an item with so many batches of one file each.
    pub(crate) async fn give_records(&self, item: &WorkItem, batches: u32) {
        let elsewhere = QueueName::IngestCleanup;
        self.publish(item, elsewhere, None).await;
        let claim = self.work.claim(elsewhere, WITHIN).await.expect("answers");
        let lease = claim.expect("ready").lease;
        let mut object = records::object(Vec::new());
        object.item = item.id;
        if let Some(received) = &mut object.received {
            received.batches = batches;
            received.files = u64::from(batches);
        }
        self.work.save_object(&lease, &object).await.expect("saved");
        for number in 0..batches {
            let mut file = records::file(&format!("data/{number}"), MemberKind::Payload, &[]);
            file.tar_offset = u64::from(number) * 1_024;
            let write = FileWrite {
                batch: BatchNumber(number),
                from_index: 0,
                records: &[file],
                checkpoint: None,
                progress: Progress::NotMade,
            };
            self.work.save_files(&lease, write).await.expect("saved");
        }
        self.work.acknowledge(&lease).await.expect("acknowledged");
    }

    /// Runs the worker until the shutdown.
    pub(crate) fn run<W: Worker>(&mut self, worker: W, jobs: usize) {
        self.run_on(self.services(), worker, jobs);
    }

    pub(crate) fn run_on<W: Worker>(&mut self, services: Services, worker: W, jobs: usize) {
        let runner = Runner::new(worker, services, self.shutdown.clone());
        self.tasks.spawn(runner.run(jobs));
    }

    /// Runs until the shutdown.
    pub(crate) fn spawn(&mut self, running: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(running);
    }

    pub(crate) async fn look(&self, item: &WorkItem) -> WorkItem {
        let found = self.registry.work_item(item.id).await.expect("answers");
        found.expect("the item")
    }

    /// The item, once it is as wanted.
    pub(crate) async fn wait_for(
        &self,
        item: &WorkItem,
        wanted: impl Fn(&WorkItem) -> bool,
    ) -> WorkItem {
        let mut ticks = interval(LOOK_EVERY);
        let mut seen = item.clone();
        let found = timeout(WITHIN, async {
            loop {
                ticks.tick().await;
                seen = self.look(item).await;
                if wanted(&seen) {
                    return;
                }
            }
        })
        .await;
        assert!(found.is_ok(), "not as wanted: {seen:?}");
        seen
    }

    /// Whether the item is as wanted within some seconds.
    pub(crate) async fn wait_a_while_for(
        &self,
        item: &WorkItem,
        wanted: impl Fn(&WorkItem) -> bool,
    ) -> bool {
        let mut ticks = interval(LOOK_EVERY);
        let looked = timeout(A_WHILE, async {
            while !wanted(&self.look(item).await) {
                ticks.tick().await;
            }
        });
        looked.await.is_ok()
    }

    /// Waits until the queue is as wanted.
    pub(crate) async fn wait_for_backlog(
        &self,
        queue: QueueName,
        wanted: impl Fn(&Backlog) -> bool,
    ) {
        let mut ticks = interval(LOOK_EVERY);
        let mut seen = Backlog::default();
        let found = timeout(WITHIN, async {
            loop {
                ticks.tick().await;
                seen = self.work.backlog().await.expect("counted")[&queue];
                if wanted(&seen) {
                    return;
                }
            }
        })
        .await;
        assert!(found.is_ok(), "{queue} is not as wanted: {seen:?}");
    }

    /// Tells the workers to stop and waits until they have.
    pub(crate) async fn stop_workers(&mut self) {
        self.shutdown.soft.cancel();
        let only_the_registry = async {
            while self.tasks.len() > 1 {
                self.tasks
                    .join_next()
                    .await
                    .expect("a task")
                    .expect("no panic");
            }
        };
        let stopped = timeout(WITHIN, only_the_registry).await;
        assert!(stopped.is_ok(), "the workers did not stop");
    }

    pub(crate) async fn end(mut self) {
        self.stop_workers().await;
        self.registry_stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
        drop(self.folder);
    }
}

fn client_at(registry_url: &str, api_key: &str) -> RegistryClient {
    let settings = RegistrySettings {
        registry_url: registry_url.parse().expect("a URL"),
        registry_api_user: ADMIN.to_owned(),
        registry_api_key: api_key.to_owned().into(),
        registry_timeout: Duration::from_secs(30).into(),
    };
    settings.connect().expect("connects")
}

fn template() -> WorkItem {
    let json = serde_json::json!({
        "name": "photos.tar",
        "etag": "0123456789abcdef0123456789abcdef",
        "institution_id": 1,
        "bucket": "receiving.test.edu",
        "user": ADMIN,
        "note": "Bag is in receiving bucket",
        "action": "Ingest",
        "stage": "Receive",
        "status": "Pending",
        "outcome": "Item is pending ingest",
        "bag_date": "2026-01-01T00:00:00Z",
        "date_processed": "2026-01-01T00:00:00Z",
        "retry": true,
        "size": 2048,
    });
    serde_json::from_value(json).expect("a work item")
}

/// What a fake worker does with a job.
pub(crate) type Act =
    Arc<dyn for<'a> Fn(&'a Job) -> BoxFuture<'a, Result<Completed, JobError>> + Send + Sync>;

/// Makes an act of a result that is the same for every job.
pub(crate) fn always(
    result: impl Fn() -> Result<Completed, JobError> + Send + Sync + 'static,
) -> Act {
    Arc::new(move |_job| {
        let result = result();
        Box::pin(async move { result })
    })
}

/// A worker of the ingest that performs its acts one after the other, the last one for ever.
#[derive(Clone)]
pub(crate) struct Fake {
    acts: Arc<Mutex<VecDeque<Act>>>,
    ran: Arc<Mutex<u32>>,
}

impl Fake {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            acts: Arc::new(Mutex::new(acts.into_iter().collect())),
            ran: Arc::default(),
        }
    }

    /// How many jobs it has begun.
    pub(crate) fn ran(&self) -> u32 {
        *self.ran.lock().expect("not poisoned")
    }

    pub(crate) async fn wait_until_running(&self) {
        let mut ticks = interval(LOOK_EVERY);
        let running = timeout(WITHIN, async {
            while self.ran() == 0 {
                ticks.tick().await;
            }
        });
        running.await.expect("it runs");
    }

    fn next(&self) -> Act {
        *self.ran.lock().expect("not poisoned") += 1;
        let mut acts = self.acts.lock().expect("not poisoned");
        if acts.len() > 1 {
            return acts.pop_front().expect("more than one");
        }
        Arc::clone(acts.front().expect("at least one"))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct NoSettings {}

#[async_trait]
impl Worker for Fake {
    const QUEUE: QueueName = QUEUE;
    const ABOUT: &'static str = "does as it is told";
    type Subject = WorkItem;
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self::new([always(|| Ok(Completed::step()))]))
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        let act = self.next();
        act(job).await
    }
}

pub(crate) fn is_at(stage: Stage, status: Status) -> impl Fn(&WorkItem) -> bool {
    move |item| item.stage == stage && item.status == status
}
