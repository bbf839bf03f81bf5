//! A system on a fresh folder, and an observer of it.

use std::path::Path;
use std::time::Duration;

use muniment::up::instance::Instance;
use muniment::up::{Options, System};
use muniment_model::{BatchNumber, QueueName};
use muniment_observer::{Observer, RegistryAccess, S3Access, Site as Place};
use muniment_registry_client::{PageRequest, WorkItemQuery};
use muniment_work::{Backlog, Queue, Records};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

/// How long the work store may keep what belongs to items that have ended: their records are dropped
/// after the final status is visible, and a late message is looked at again after some seconds. Far more
/// than that on a busy machine.
const IDLE_WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) const TEST_EDU: &str = "test.edu";
pub(crate) const EXAMPLE_EDU: &str = "example.edu";

pub(crate) struct Site {
    pub(crate) system: System,
    pub(crate) view: Observer,
    folder: TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::start_on(tempfile::tempdir().expect("a folder")).await
    }

    /// On a folder that may have been in use.
    pub(crate) async fn start_on(folder: TempDir) -> Self {
        let options = Options::on(folder.path());
        Self::start_as(folder, options).await
    }

    /// A system that asks an operator about every valid bag, at Reingest Check, before it has stored
    /// anything: its settings make URLs of copies that the registry would refuse.
    pub(crate) async fn start_halting() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options {
            storage_host: Some("no host".to_owned()),
            ..Options::on(folder.path())
        };
        Self::start_as(folder, options).await
    }

    /// The same system after a stop in the middle, with settings that are right.
    pub(crate) async fn mended(self) -> Self {
        self.system.stop().await;
        let Self {
            system,
            view: _,
            folder,
        } = self;
        drop(system);
        let options = Options {
            storage_host: Some("storage.muniment.localhost".to_owned()),
            ..Options::on(folder.path())
        };
        Self::start_as(folder, options).await
    }

    pub(crate) async fn start_as(folder: TempDir, options: Options) -> Self {
        let system = System::start(&options).await.expect("the system starts");
        Self {
            view: observer_of(system.instance()),
            system,
            folder,
        }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the system, having waited until it has nothing left to do.
    pub(crate) async fn stop(self) {
        self.has_nothing_left().await;
        self.system.stop().await;
    }

    /// Its folder, free again.
    pub(crate) async fn stopped(self) -> TempDir {
        self.system.stop().await;
        self.folder
    }

    /// Waits until it has nothing left to do.
    pub(crate) async fn has_nothing_left(&self) {
        let mut left = left_of(&self.system).await;
        let emptied = timeout(IDLE_WITHIN, async {
            let mut ticks = interval(LOOK_EVERY);
            while !left.is_empty() {
                ticks.tick().await;
                left = left_of(&self.system).await;
            }
        })
        .await;
        assert!(emptied.is_ok(), "work is left over: {left:?}");
    }
}

/// What the work store still holds: messages by queue, and records of the items there ever were.
async fn left_of(system: &System) -> Vec<String> {
    let work = system.work();
    let backlog = work.backlog().await.expect("counted");
    let mut left: Vec<String> = backlog
        .iter()
        .filter(|(_, queue)| **queue != Backlog::default())
        .map(|(queue, backlog)| format!("{queue}: {backlog:?}"))
        .collect();
    let query = WorkItemQuery::default();
    let items = system
        .registry()
        .work_items(&query, PageRequest::LONGEST)
        .await;
    for item in items.expect("listed").results {
        let batch = work.batch(item.id, BatchNumber(0)).await.expect("read");
        let checkpoint = work.checkpoint(item.id).await.expect("read");
        if batch.object.is_some() || !batch.files.is_empty() || checkpoint.is_some() {
            left.push(format!("records of item {}", item.id));
        }
        for queue in QueueName::ALL {
            let done = work.done_batches(item.id, *queue).await.expect("read");
            if !done.is_empty() {
                left.push(format!("done marks of item {}, {queue}", item.id));
            }
        }
    }
    left
}

/// What a depositor and an auditor can reach.
pub(crate) fn observer_of(instance: &Instance) -> Observer {
    let institutions = instance.institutions.iter();
    Observer::new(Place {
        s3: S3Access {
            endpoint: instance.s3.endpoint.clone(),
            region: instance.s3.region.clone(),
            access_key: instance.s3.access_key.clone().into(),
            secret_key: instance.s3.secret_key.clone().into(),
        },
        registry: RegistryAccess {
            url: instance.registry.url.clone(),
            user: instance.registry.user.clone(),
            api_key: instance.registry.api_key.clone().into(),
        },
        receiving_buckets: institutions
            .map(|one| (one.identifier.clone(), one.receiving_bucket.clone()))
            .collect(),
        staging_bucket: instance.staging_bucket.clone(),
        records_bucket: instance.records_bucket.clone(),
        preservation_buckets: instance.preservation_buckets.clone(),
        storage_host: instance.storage_host.clone(),
    })
    .expect("an observer")
}
