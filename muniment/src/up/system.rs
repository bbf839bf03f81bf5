//! The whole system as one value: started, used, stopped.
//!
//! Order of the start: lock the folder, decide which store is its own, look at that one and make it the folder's
//! if it is elsewhere ([`super::store`]), revoke the leases of the last holder, make buckets, institutions and keys
//! that are missing, answer, write `instance.json` and the depositors' files, claim work. Everything in it
//! may be repeated, so a start that was killed is simply done again. Order of the stop: workers, which still
//! need S3 and registry to release their leases; then those two; then the lock.
//!
//! `up`, `demo` and the tests all start it here.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muniment_embedded_s3::Copies;
use muniment_meter::Meters;
use muniment_model::{Clock, InvalidName};
use muniment_objects::StorageError;
use muniment_registry_client::{ClientError, RegistryClient};
use muniment_runtime::{RELEASE_LIMIT, SOFT_LIMIT, Services, Shutdown, SystemClock};
use muniment_work::{SqliteWork, WorkError};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::{error, warn};

use super::instance::{Instance, InstanceError};
use super::lock::{FolderLock, LockError};
use super::plan::plan;
use super::services::{self, Endpoints, ServiceError};
use super::store::{self, Store, StoreError, StoreOptions};
use super::tasks::Tasks;
use super::wiring;
use super::{depositor, folder};

/// How long S3 endpoint and registry may take to finish what they are answering. They give
/// themselves 10 and 5 seconds, and say which requests they cut off then.
const SERVICES_LIMIT: Duration = Duration::from_secs(12);

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    pub folder: PathBuf,
    /// Where the buckets are, if not in the folder.
    pub store: StoreOptions,
    /// `None`: the one of the last start, or any free one.
    pub s3_port: Option<u16>,
    /// `None`: the one of the last start, or any free one.
    pub registry_port: Option<u16>,
    /// Those that are there stay. None at all in a new folder means the usual two.
    pub institutions: Vec<String>,
    /// `None`: the one of the last start.
    pub storage_host: Option<String>,
    /// Whether the copies of a file share their bytes.
    pub copies: Copies,
    /// Stops the system from outside, by signals for instance.
    pub shutdown: Shutdown,
}

impl Options {
    /// A folder, and nothing special.
    pub fn on(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            store: StoreOptions::default(),
            s3_port: None,
            registry_port: None,
            institutions: Vec::new(),
            storage_host: None,
            copies: Copies::Apart,
            shutdown: Shutdown::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot make the folder {}", folder.display())]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("cannot open the work store")]
    Work(#[from] WorkError),
    #[error("the registry does not answer as it should")]
    Registry(#[from] ClientError),
    #[error("the S3 endpoint does not answer as it should")]
    Storage(#[from] StorageError),
    #[error("a worker does not start")]
    Worker(#[from] muniment_runtime::StartError),
    #[error("{institution:?} cannot name an institution: it has to be a domain such as test.edu")]
    Institution {
        institution: String,
        source: InvalidName,
    },
}

/// Something that runs for as long as the system does has ended.
#[derive(Debug, thiserror::Error)]
#[error("{part} ended by itself; the log says why")]
pub struct SystemDied {
    part: &'static str,
}

/// The registry's file in the data folder.
pub(super) const REGISTRY: &str = "registry.db";

/// The work store's file in the data folder.
pub(crate) const WORK: &str = "work.db";

/// As the holder of work items: this process is the only one there is.
const NODE: &str = "muniment-up";

/// A system that answers and works.
pub struct System {
    instance: Instance,
    registry: RegistryClient,
    work: Arc<SqliteWork>,
    meters: Meters,
    shutdown: Shutdown,
    workers: Mutex<Tasks>,
    endpoints: Endpoints,
    _lock: FolderLock,
}

impl System {
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        let folder = &options.folder;
        folder::make(folder).map_err(|source| StartError::Folder {
            folder: folder.clone(),
            source,
        })?;
        let lock = FolderLock::take(folder)?;
        let last = Instance::find(folder)?;
        let last = last.as_ref();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let plan = plan_on_store(options, last, clock.as_ref()).await?;
        if last.is_none() && was_in_use(folder) {
            warn!(
                "instance.json is gone from a data folder that was in use: all keys are new, and \
                 institutions other than the first two have to be named again with --institution"
            );
        }
        let (work, endpoints) = tokio::join!(
            open_work(options, Arc::clone(&clock)),
            services::start(options, last, plan, Arc::clone(&clock)),
        );
        let (work, (endpoints, instance, keys)) = (work?, endpoints?);

        let registry = instance.registry.settings().connect()?;
        let services = Services::new(
            Arc::<SqliteWork>::clone(&work),
            &registry,
            clock,
            NODE,
            &options.shutdown,
        );
        // Shows that S3 answers, before it is said that it does; the workers ask the registry.
        let receiving = instance.receiving().connect(&services.s3);
        receiving.names().await?;
        let connected = wiring::connect(&instance, &keys, &services, &options.shutdown).await?;
        // Before any work: what it says of the places of copies is what the next start goes by.
        instance.write(folder)?;
        depositor::write_all(&instance, folder)?;
        let mut workers = Tasks::default();
        for (name, running) in connected {
            workers.spawn(name, async move {
                if let Err(cause) = running.await {
                    error!(worker = name, %cause, "it ended");
                }
            });
        }
        Ok(Self {
            instance,
            registry,
            work,
            meters: services.meters.clone(),
            shutdown: options.shutdown.clone(),
            workers: Mutex::new(workers),
            endpoints,
            _lock: lock,
        })
    }

    /// How to reach it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    pub fn registry(&self) -> &RegistryClient {
        &self.registry
    }

    /// What the workers tell each other. To look at: nobody but them writes it.
    pub fn work(&self) -> &Arc<SqliteWork> {
        &self.work
    }

    /// What each worker has asked of S3, registry and work store.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Answers when a part has ended that should not have: S3 endpoint, registry, a worker.
    pub async fn died(&self) -> SystemDied {
        let part = tokio::select! {
            part = self.endpoints.died() => part,
            part = self.worker_died() => part,
        };
        SystemDied { part }
    }

    /// Never answers once the stop has begun: from then on workers end because they are told to.
    async fn worker_died(&self) -> &'static str {
        let next = async { self.workers.lock().await.next_ended().await };
        tokio::select! {
            biased;
            () = self.shutdown.soft.cancelled() => pending().await,
            () = self.shutdown.hard.cancelled() => pending().await,
            ended = next => ended.unwrap_or("a worker"),
        }
    }

    /// Lets jobs stop at their next checkpoint, releases the leases they leave, and ends everything.
    pub async fn stop(&self) {
        self.shutdown.soft.cancel();
        let mut workers = self.workers.lock().await;
        if timeout(SOFT_LIMIT, workers.all_ended()).await.is_err() {
            self.shutdown.hard.cancel();
            if timeout(RELEASE_LIMIT, workers.all_ended()).await.is_err() {
                warn!("some leases were not released; the next start revokes them");
                workers.abort().await;
            }
        }
        // Requests that still wait between two attempts are nobody's any more.
        self.shutdown.hard.cancel();
        if timeout(SERVICES_LIMIT, self.endpoints.stop())
            .await
            .is_err()
        {
            warn!("the S3 endpoint or the registry did not finish in time");
        }
    }
}

/// The instance as it will be, on a store that is there and the folder's own. Nothing but a store elsewhere is
/// touched yet, and that only if it is, or becomes, this folder's.
async fn plan_on_store(
    options: &Options,
    last: Option<&Instance>,
    clock: &dyn Clock,
) -> Result<Instance, StartError> {
    let store = store::decide(options, last)?;
    let plan = plan(options, last, &store)?;
    if let Store::Elsewhere(elsewhere) = &store {
        let (now, stop) = (clock.now(), &options.shutdown.soft);
        store::claim(elsewhere, &plan, &options.folder, (now, stop)).await?;
    }
    Ok(plan)
}

/// Whether there is more in the folder than its `instance.json` knows.
pub(super) fn was_in_use(folder: &Path) -> bool {
    folder.join(REGISTRY).exists()
}

/// The holders of these leases are dead: we have the lock.
async fn open_work(
    options: &Options,
    clock: Arc<dyn Clock>,
) -> Result<Arc<SqliteWork>, StartError> {
    let work = SqliteWork::open(&options.folder.join(WORK), clock).await?;
    let revoked = work.revoke_all_leases().await?;
    if revoked > 0 {
        tracing::info!(revoked, "took over the jobs of a process that is gone");
    }
    Ok(Arc::new(work))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use bytes::Bytes;
    use muniment_model::ObjectKey;
    use muniment_objects::Connections;

    use super::*;

    /// As seven bytes overwritten in the blob of a copy once were not: Storage Validation passed.
    #[tokio::test]
    async fn what_storage_validation_asks_is_answered_from_the_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let system = System::start(&Options::on(folder.path()))
            .await
            .expect("the system starts");
        let preserved = system.instance.preservation_buckets.values().next();
        let bucket = preserved.expect("there are some").clone();
        let connections = Connections::default();
        let receiving = system.instance.receiving();
        let bucket = receiving.connect_depositor(&connections, bucket);
        let key = ObjectKey::new("copy").expect("a key");
        let mut writer = bucket.writer(&key);
        let body = Bytes::from(vec![7; 100_000]);
        writer.write(body).await.expect("written");
        writer.finish(None).await.expect("stored");
        let stored = bucket.head(&key).await.expect("is there").crc64nvme;

        let blob = std::fs::File::options()
            .write(true)
            .open(blob(folder.path()));
        let blob = blob.expect("opens");
        blob.write_all_at(b"changed", 500).expect("changes");

        let found = bucket.head(&key).await.expect("is there").crc64nvme;
        assert_ne!(found, stored);
        system.stop().await;
    }

    #[tokio::test]
    async fn ports_and_keys_stay_over_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = once(folder.path()).await;

        let again = once(folder.path()).await;

        assert_eq!(again.s3.endpoint, first.s3.endpoint);
        assert_eq!(again.registry.url, first.registry.url);
        assert!(again.s3 == first.s3);

        // Something else has the port by now.
        let address = ("127.0.0.1", first.s3.endpoint.port().expect("a port"));
        let _other = std::net::TcpListener::bind(address).expect("is free");
        let moved = once(folder.path()).await;
        assert_ne!(moved.s3.endpoint, first.s3.endpoint);
        assert_eq!(moved.registry.url, first.registry.url);
    }

    #[tokio::test]
    async fn a_folder_that_was_in_use_is_told_from_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!was_in_use(folder.path()));
        once(folder.path()).await;

        std::fs::remove_file(folder.path().join("instance.json")).expect("removed");

        assert!(was_in_use(folder.path()));
        once(folder.path()).await;
    }

    /// A start and a stop.
    async fn once(folder: &Path) -> Instance {
        let system = System::start(&Options::on(folder)).await.expect("starts");
        system.stop().await;
        system.instance.clone()
    }

    /// The one file of the S3 endpoint.
    fn blob(folder: &Path) -> PathBuf {
        let mut path = folder.join("s3/blobs");
        while path.is_dir() {
            let mut entries = std::fs::read_dir(&path).expect("a folder");
            path = entries.next().expect("not empty").expect("readable").path();
        }
        path
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_noticed_unless_the_system_stops() {
        let folder = tempfile::tempdir().expect("a folder");
        let system = System::start(&Options::on(folder.path()))
            .await
            .expect("the system starts");

        let clumsy = async { panic!("a mistake of ours") };
        system.workers.lock().await.spawn("the clumsy one", clumsy);
        assert_eq!(system.died().await.part, "the clumsy one");

        system.shutdown.soft.cancel();
        system.workers.lock().await.all_ended().await;
        let died = timeout(Duration::ZERO, system.worker_died()).await;
        assert!(died.is_err(), "{died:?}");
        system.stop().await;
    }
}
