//! What outlives the process of a worker: S3 endpoint, registry and work store over a folder, which can be
//! copied as it is.
//!
//! All but the leases live in times that are told to them, so that what was written in the run under test is
//! known from what was there before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use muniment_embedded_s3::{Clock as S3Clock, Credentials, EmbeddedS3, Options};
use muniment_model::Clock;
use muniment_observer::Observer;
use muniment_registry::{Registry, Role};
use muniment_registry_client::{RegistryClient, RegistrySettings};
use muniment_runtime::SystemClock;
use muniment_testkit::MockClock;
use muniment_work::WorkStore;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::work_place::{KeptWork, Kind, WorkPlace};
use crate::ingest::observer_at;
use crate::kit::{ACCESS_KEY, ADMIN, SECRET_KEY, buckets, institutions, listen};

/// How long closed databases may take to fold their logs into their files. What is left then is copied.
const FOLDED_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// When what a site begins with was made; when the process under test ran; and when its successors did.
const BEFORE: &str = "2026-01-01T00:00:00Z";
pub(super) const DURING: &str = "2026-01-01T01:00:00Z";
pub(super) const AFTERWARDS: &str = "2026-01-01T02:00:00Z";

pub(super) fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// The time of the machine and as much more as a test wants, so that leases run out and delays end.
#[derive(Default)]
pub(super) struct AheadClock(AtomicI64);

impl AheadClock {
    pub(super) fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// What sites begin with, each with a copy.
pub(super) struct Template {
    folder: TempDir,
    work: KeptWork,
    api_key: String,
}

pub(super) struct Site {
    pub(super) s3_url: String,
    pub(super) registry_url: String,
    pub(super) clock: Arc<MockClock>,
    pub(super) work: WorkPlace,
    pub(super) work_clock: Arc<AheadClock>,
    pub(super) registry: RegistryClient,
    pub(super) observer: Observer,
    api_key: String,
    folder: TempDir,
    services: JoinSet<()>,
}

impl Site {
    /// With buckets, institutions and a user, and nothing else.
    pub(super) async fn new(kind: Kind) -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(MockClock::at(time(BEFORE)));
        let registry = open_registry(folder.path(), &clock).await;
        institutions(&registry).await;
        let made = registry.ensure_user(ADMIN, Role::Admin, None).await;
        made.expect("made");
        let api_key = registry.issue_api_key(ADMIN).await.expect("issued");
        let s3 = open_s3(folder.path(), &clock).await;
        for bucket in buckets() {
            s3.create_bucket(bucket.as_str()).await.expect("made");
        }
        let work = WorkPlace::new(kind, folder.path()).await;
        Self::serve((folder, work), api_key, clock, (s3, registry)).await
    }

    async fn serve(
        (folder, work): (TempDir, WorkPlace),
        api_key: String,
        clock: Arc<MockClock>,
        (s3, registry): (EmbeddedS3, Registry),
    ) -> Self {
        let (of_s3, of_registry) = (listen().await, listen().await);
        let [s3_url, registry_url] = [&of_s3, &of_registry].map(|listener| {
            let address = listener.local_addr().expect("an address");
            format!("http://{address}/")
        });
        let mut services = JoinSet::new();
        services.spawn(async move { s3.serve(of_s3, CancellationToken::new()).await });
        services.spawn(async move {
            let served = registry.serve(of_registry, CancellationToken::new()).await;
            served.expect("serves");
        });
        Self {
            registry: registry_at(&registry_url, &api_key),
            observer: observer_at(&s3_url, (&registry_url, &api_key)),
            s3_url,
            registry_url,
            clock,
            work,
            work_clock: Arc::default(),
            api_key,
            folder,
            services,
        }
    }

    /// Ends the services. Nobody may use them any more.
    pub(super) async fn close(mut self) -> Template {
        self.services.shutdown().await;
        let mut ticks = interval(LOOK_EVERY);
        let folded = timeout(FOLDED_WITHIN, async {
            while has_logs(self.folder.path()) {
                ticks.tick().await;
            }
        });
        drop(folded.await);
        Template {
            work: self.work.close().await,
            folder: self.folder,
            api_key: self.api_key,
        }
    }

    /// A view of the work store as every process has one of its own.
    pub(super) async fn open_work(&self) -> Arc<dyn WorkStore> {
        self.work.door().open(&self.work_clock).await
    }

    /// The registry behind another address.
    pub(super) fn registry_at(&self, url: &str) -> RegistryClient {
        registry_at(url, &self.api_key)
    }
}

impl Template {
    /// A site as the template was when it was closed.
    pub(super) async fn site(&self) -> Site {
        let folder = TempDir::new().expect("a folder");
        copy_folder(self.folder.path(), folder.path());
        let clock = Arc::new(MockClock::at(time(DURING)));
        let (s3, registry) = tokio::join!(
            open_s3(folder.path(), &clock),
            open_registry(folder.path(), &clock)
        );
        let work = WorkPlace::of(&self.work, folder.path()).await;
        let api_key = self.api_key.clone();
        Site::serve((folder, work), api_key, clock, (s3, registry)).await
    }

    /// As a machine does that is replaced.
    pub(super) fn lose_work_store(&mut self) {
        self.work.lose(self.folder.path());
    }
}

fn registry_at(url: &str, api_key: &str) -> RegistryClient {
    let settings = RegistrySettings {
        registry_url: url.parse().expect("a URL"),
        registry_api_user: ADMIN.to_owned(),
        registry_api_key: api_key.to_owned().into(),
        registry_timeout: Duration::from_secs(30).into(),
    };
    settings.connect().expect("connects")
}

async fn open_registry(folder: &Path, clock: &Arc<MockClock>) -> Registry {
    let clock = Arc::<MockClock>::clone(clock);
    let registry = Registry::open(folder.join("registry.db"), clock).await;
    registry.expect("opens")
}

async fn open_s3(folder: &Path, clock: &Arc<MockClock>) -> EmbeddedS3 {
    let credentials = Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    };
    let clock = Arc::<MockClock>::clone(clock);
    let options = Options {
        clock: S3Clock::new(move || SystemTime::from(clock.now())),
        ..Options::default()
    };
    let s3 = EmbeddedS3::open_with(&folder.join("s3"), credentials, options).await;
    s3.expect("opens")
}

fn has_logs(folder: &Path) -> bool {
    files_of(folder).iter().any(|path| is(path, "-wal"))
}

/// Without what databases make anew.
fn copy_folder(from: &Path, to: &Path) {
    for path in files_of(from).iter().filter(|path| !is(path, "-shm")) {
        let target = to.join(path.strip_prefix(from).expect("is inside"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::copy(path, target).expect("copied");
    }
}

fn is(path: &Path, ending: &str) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .ends_with(ending.as_bytes())
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let found = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            found.push(path);
        }
    }
    files
}
