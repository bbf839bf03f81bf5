//! The services that worker processes need, and the processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use muniment_embedded_s3::{Credentials, EmbeddedS3};
use muniment_model::registry::{Institution, InstitutionKind, WorkItem};
use muniment_model::{
    BucketName, InstitutionId, QueueName, Stage, Status, StorageTarget, WorkItemId,
};
use muniment_registry::{Registry, Role};
use muniment_registry_client::{ClientError, RegistryClient, RegistrySettings};
use muniment_runtime::{SystemClock, WorkerEntry};
use muniment_work::{Backlog, Message, Queue, SqliteWork, Subject};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) const ADMIN: &str = "system@muniment.org";
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
pub(crate) const RECEIVING: &str = "receiving.test.edu";
pub(crate) const OTHER_RECEIVING: &str = "receiving.other.edu";
pub(crate) const STAGING: &str = "staging";
pub(crate) const RECORDS: &str = "records";
pub(crate) const STORAGE_HOST: &str = "storage.muniment.localhost";
/// Far longer than anything here takes on a busy machine.
pub(crate) const WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

macro_rules! paths {
    ($($name:literal,)+) => {
        [$(($name, env!(concat!("CARGO_BIN_EXE_", $name))),)+].into()
    };
}

/// The path of each binary whose step is not built, by its worker's name.
pub(crate) fn unbuilt_binaries() -> BTreeMap<&'static str, &'static str> {
    paths![
        "apt_delete",
        "apt_fixity",
        "apt_queue_fixity",
        "bag_restorer",
        "file_restorer",
        "glacier_restorer",
    ]
}

/// The path of each binary, by its worker's name.
pub(crate) fn binaries() -> BTreeMap<&'static str, &'static str> {
    paths![
        "apt_queue",
        "ingest_bucket_reader",
        "ingest_cleanup",
        "ingest_format_identifier",
        "ingest_pre_fetch",
        "ingest_preservation_uploader",
        "ingest_preservation_verifier",
        "ingest_recorder",
        "ingest_staging_uploader",
        "ingest_validator",
        "reingest_manager",
    ]
}

pub(crate) fn preservation_buckets() -> BTreeMap<StorageTarget, BucketName> {
    let name = |target| BucketName::new(format!("preservation-{target}")).expect("a name");
    let targets = StorageTarget::ALL.iter();
    targets.map(|target| (*target, name(target))).collect()
}

/// Every bucket that the workers use.
pub(crate) fn buckets() -> Vec<BucketName> {
    let others = [RECEIVING, OTHER_RECEIVING, STAGING, RECORDS];
    let others = others.map(|name| BucketName::new(name).expect("a name"));
    preservation_buckets().into_values().chain(others).collect()
}

pub(crate) struct Site {
    pub(crate) s3_url: String,
    /// Where the buckets at Wasabi are; workers take another address for another store.
    pub(crate) wasabi_url: String,
    pub(crate) registry_url: String,
    pub(crate) api_key: String,
    pub(crate) work: SqliteWork,
    /// What the processes are told: `work`, or another store.
    pub(crate) work_location: String,
    pub(crate) registry: RegistryClient,
    pub(crate) institution: InstitutionId,
    folder: TempDir,
    _tasks: JoinSet<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut tasks = JoinSet::new();
        let s3_url = start_s3(folder.path(), &mut tasks).await;
        let clock = Arc::new(SystemClock);
        let path = folder.path().join("registry.db");
        let registry = Registry::open(path, Arc::<SystemClock>::clone(&clock)).await;
        let registry = registry.expect("opens");
        let institution = institutions(&registry).await;
        let made = registry.ensure_user(ADMIN, Role::Admin, None).await;
        made.expect("made");
        let api_key = registry.issue_api_key(ADMIN).await.expect("issued");
        let listener = listen().await;
        let registry_url = format!("http://{}/", listener.local_addr().expect("an address"));
        tasks.spawn(async move {
            let served = registry.serve(listener, CancellationToken::new()).await;
            served.expect("serves");
        });
        let settings = RegistrySettings {
            registry_url: registry_url.parse().expect("a URL"),
            registry_api_user: ADMIN.to_owned(),
            registry_api_key: api_key.clone().into(),
            registry_timeout: Duration::from_secs(30).into(),
        };
        let file = folder.path().join("work.db");
        let work_location = format!("sqlite:{}", file.display());
        let work = SqliteWork::open(&file, clock).await;
        Self {
            wasabi_url: s3_url.clone(),
            s3_url,
            registry_url,
            api_key,
            work: work.expect("opens"),
            work_location,
            registry: settings.connect().expect("connects"),
            institution,
            folder,
            _tasks: tasks,
        }
    }

    /// Starts the worker's own binary and waits until it works.
    pub(crate) async fn spawn(&self, worker: &WorkerEntry) -> Process {
        self.spawn_behind(&self.registry_url, worker).await
    }

    /// As [`Self::spawn`], with the registry behind another address.
    pub(crate) async fn spawn_behind(&self, registry_url: &str, worker: &WorkerEntry) -> Process {
        let log = self.folder.path().join(format!("{}.log", worker.name));
        let arguments = self.arguments(registry_url, worker);
        let child = Command::new(binaries()[worker.name])
            .args(&arguments[1..])
            .env_clear()
            .stdout(Stdio::inherit())
            .stderr(File::create(&log).expect("a log"))
            .spawn();
        let mut process = Process {
            child: child.expect("starts"),
            log,
        };
        process.wait_until_working().await;
        process
    }

    /// Runs a worker that ends by itself, with more settings.
    pub(crate) async fn run_to_its_end(&self, worker: &WorkerEntry, more: &[&str]) -> Output {
        let mut command = Command::new(binaries()[worker.name]);
        command
            .args(&self.arguments(&self.registry_url, worker)[1..])
            .args(more)
            .env_clear();
        let ended = spawn_blocking(move || command.output()).await;
        ended.expect("no panic").expect("starts")
    }

    fn arguments(&self, registry_url: &str, worker: &WorkerEntry) -> Vec<String> {
        let own = [
            ("registry-url", registry_url),
            ("registry-api-user", ADMIN),
            ("registry-api-key", &self.api_key),
            ("work", &self.work_location),
            ("node", "host"),
            ("every", "1s"),
            ("listen", "127.0.0.1:0"),
        ];
        let s3 = s3_settings(&self.s3_url, &self.wasabi_url);
        let of_s3 = s3
            .iter()
            .map(|(flag, value)| (flag.as_str(), value.as_str()));
        let settings: Vec<(&str, &str)> = own.into_iter().chain(of_s3).collect();
        worker.arguments(&worker.process_command(), settings)
    }

    /// Items at the worker's stage, each with its message; of none is there an upload or a record.
    pub(crate) async fn give_work(&self, queue: QueueName, items: usize) -> Vec<WorkItem> {
        let mut made = Vec::new();
        for number in 0..items {
            let item = self.item(&format!("bag-{number}.tar"), queue).await;
            self.publish(&item, queue).await;
            made.push(item);
        }
        made
    }

    async fn item(&self, name: &str, queue: QueueName) -> WorkItem {
        let wanted: WorkItem = serde_json::from_value(json!({
            "name": name,
            "etag": "0123456789abcdef0123456789abcdef",
            "institution_id": self.institution,
            "bucket": RECEIVING,
            "user": ADMIN,
            "action": "Ingest",
            "stage": "Receive",
            "status": "Pending",
            "bag_date": "2026-01-01T00:00:00Z",
            "date_processed": "2026-01-01T00:00:00Z",
            "retry": true,
            "size": 2048,
            "note": "Bag is in receiving bucket",
            "outcome": "Item is pending ingest",
        }))
        .expect("a work item");
        let made = self.registry.create_work_item(&wanted).await;
        let item = made.expect("made").into_item();
        let stage = queue.step().stage.expect("a stage");
        if stage == Stage::Receive {
            return item;
        }
        let moved = WorkItem { stage, ..item };
        self.registry.update_work_item(&moved).await.expect("moved")
    }

    /// Puts an item, as the registry shows it, to the step of another queue, as an operator may. An
    /// item at Cleanup is to fail.
    pub(crate) async fn put_at(&self, item: &Value, queue: QueueName) {
        let id = WorkItemId(item["id"].as_i64().expect("an id"));
        let stage = queue.step().stage.expect("a stage");
        loop {
            let seen = self.registry.work_item(id).await.expect("answers");
            let moved = WorkItem {
                stage,
                status: Status::Pending,
                intended_status: (stage == Stage::Cleanup).then_some(Status::Failed),
                ..seen.expect("an item")
            };
            match self.registry.update_work_item(&moved).await {
                Ok(moved) => return self.publish(&moved, queue).await,
                // A worker has written it meanwhile.
                Err(ClientError::VersionConflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn publish(&self, item: &WorkItem, queue: QueueName) {
        let message = Message {
            subject: Subject::Item(item.id),
            queue,
            batch: None,
            institution: item.institution_id,
            size_bytes: item.size,
            files: 0,
        };
        self.work.publish(&[message]).await.expect("published");
    }

    /// Waits until at most so many messages of the queue are left.
    pub(crate) async fn wait_until_left(&self, queue: QueueName, most: u64) {
        let reached =
            self.wait_for_backlog(queue, |here| here.ready + here.leased + here.due <= most);
        assert!(reached.await, "{queue} is not worked off");
    }

    /// Waits until a message waits to be claimed.
    pub(crate) async fn wait_until_waiting(&self, queue: QueueName) {
        let reached = self.wait_for_backlog(queue, |here| here.ready > 0);
        assert!(reached.await, "nothing comes to {queue}");
    }

    /// Waits until a message is worked on or has been.
    pub(crate) async fn wait_until_claimed(&self, queue: QueueName) {
        let reached = self.wait_for_backlog(queue, |here| here.leased + here.due > 0);
        assert!(reached.await, "nothing of {queue} is claimed");
    }

    async fn wait_for_backlog(&self, queue: QueueName, wanted: impl Fn(&Backlog) -> bool) -> bool {
        let mut ticks = interval(LOOK_EVERY);
        let reached = timeout(WITHIN, async {
            while !wanted(&self.work.backlog().await.expect("counted")[&queue]) {
                ticks.tick().await;
            }
        });
        reached.await.is_ok()
    }
}

/// Where every worker finds its buckets: all of them at one endpoint.
pub(crate) fn s3_settings(url: &str, wasabi_url: &str) -> Vec<(String, String)> {
    let named = [
        ("receiving-prefix", "receiving."),
        ("staging-bucket", STAGING),
        ("records-bucket", RECORDS),
        ("aws-host", STORAGE_HOST),
        ("wasabi-host", STORAGE_HOST),
    ];
    let mut settings: Vec<(String, String)> = named
        .map(|(flag, value)| (flag.to_owned(), value.to_owned()))
        .into();
    for (store, at) in [
        ("receiving", url),
        ("staging", url),
        ("records", url),
        ("aws", url),
        ("wasabi", wasabi_url),
    ] {
        for (what, value) in [
            ("endpoint", at),
            ("access-key", ACCESS_KEY),
            ("secret-key", SECRET_KEY),
        ] {
            settings.push((format!("{store}-{what}"), value.to_owned()));
        }
    }
    let buckets = preservation_buckets();
    let of_target = |(target, bucket)| {
        let flag = "preservation-bucket".to_owned();
        (flag, format!("{target}={bucket}"))
    };
    settings.extend(buckets.iter().map(of_target));
    settings
}

pub(crate) async fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("listens")
}

async fn start_s3(folder: &Path, tasks: &mut JoinSet<()>) -> String {
    let credentials = Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    };
    let s3 = EmbeddedS3::open(&folder.join("s3"), credentials)
        .await
        .expect("opens");
    for bucket in buckets() {
        s3.create_bucket(bucket.as_str()).await.expect("made");
    }
    let listener = listen().await;
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tasks.spawn(async move { s3.serve(listener, CancellationToken::new()).await });
    url
}

/// The one that runs the installation, and two that deposit; answers the first of these.
pub(crate) async fn institutions(registry: &Registry) -> InstitutionId {
    let operator = Institution {
        name: "Muniment".to_owned(),
        identifier: "muniment.org".to_owned(),
        ..Institution::default()
    };
    registry.ensure_institution(&operator).await.expect("made");
    let depositor = |identifier: &str, receiving: &str| Institution {
        name: identifier.to_owned(),
        identifier: identifier.to_owned(),
        kind: InstitutionKind::Member,
        receiving_bucket: receiving.to_owned(),
        restore_bucket: format!("restore.{identifier}"),
        ..Institution::default()
    };
    let other = depositor("other.edu", OTHER_RECEIVING);
    registry.ensure_institution(&other).await.expect("made");
    let first = depositor("test.edu", RECEIVING);
    registry.ensure_institution(&first).await.expect("made").id
}

/// A worker's process, killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    async fn wait_until_working(&mut self) {
        let mut ticks = interval(LOOK_EVERY);
        let working = timeout(WITHIN, async {
            loop {
                ticks.tick().await;
                assert_eq!(
                    self.child.try_wait().expect("asked"),
                    None,
                    "{}",
                    self.logged()
                );
                let logged = self.logged();
                if logged.contains("claiming work") || logged.contains("sweeping every") {
                    return;
                }
            }
        });
        assert!(working.await.is_ok(), "it does not work");
    }

    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it tells its health and metrics.
    pub(crate) fn address(&self) -> SocketAddr {
        let logged = self.logged();
        let lines = logged.lines();
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = lines.find_map(|line| {
            let address = line["fields"]["address"].as_str()?;
            address.parse().ok()
        });
        address.expect("it says where")
    }

    /// Sends a signal by its name: `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: not every machine has the program.
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut ticks = interval(LOOK_EVERY);
        let ended = timeout(WITHIN, async {
            loop {
                ticks.tick().await;
                if let Some(status) = self.child.try_wait().expect("asked") {
                    return status;
                }
            }
        });
        ended.await.expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
