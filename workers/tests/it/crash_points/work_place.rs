//! Where the processes of a site keep their work: in a file, or in a Redis.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muniment_model::Clock;
use muniment_redis_server::RedisServer;
use muniment_testkit::WatchedStore;
use muniment_work::{RedisUrl, RedisWork, SqliteWork, WorkStore};

use super::crash::CallsTo;
use super::site::AheadClock;
use super::wire::Wire;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Redis,
}

/// What a site that is closed has of it.
pub(super) enum KeptWork {
    /// In the site's folder.
    File,
    /// As the server saves it; nothing for an empty one.
    Redis(Option<Vec<u8>>),
}

pub(super) enum WorkPlace {
    File(PathBuf),
    Redis(RedisServer),
}

impl WorkPlace {
    pub(super) async fn new(kind: Kind, folder: &Path) -> Self {
        let kept = match kind {
            Kind::File => KeptWork::File,
            Kind::Redis => KeptWork::Redis(None),
        };
        Self::of(&kept, folder).await
    }

    pub(super) async fn of(kept: &KeptWork, folder: &Path) -> Self {
        match kept {
            KeptWork::File => Self::File(file_in(folder)),
            KeptWork::Redis(None) => Self::Redis(RedisServer::start().await.expect("a server")),
            KeptWork::Redis(Some(saved)) => {
                let server = RedisServer::start_from(saved).await;
                Self::Redis(server.expect("a server"))
            }
        }
    }

    pub(super) async fn close(self) -> KeptWork {
        match self {
            Self::File(_) => KeptWork::File,
            Self::Redis(server) => KeptWork::Redis(Some(server.save().await.expect("saved"))),
        }
    }

    /// How it is opened.
    pub(super) fn door(&self) -> Door {
        match self {
            Self::File(path) => Door::File(path.clone()),
            Self::Redis(server) => Door::Redis(server.url()),
        }
    }

    /// How the process opens it whose calls are counted; the second value is to be kept as long as that.
    pub(super) async fn watched_door(&self, calls: CallsTo) -> (WatchedDoor, Option<Wire>) {
        match self {
            Self::File(_) => (WatchedDoor::Calls(self.door(), calls), None),
            Self::Redis(server) => {
                let wire = Wire::before(server, &calls).await;
                (WatchedDoor::Commands(wire.url.clone()), Some(wire))
            }
        }
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("work.db")
}

impl KeptWork {
    /// As a machine does that is replaced.
    pub(super) fn lose(&mut self, folder: &Path) {
        match self {
            Self::File => {
                let file = file_in(folder);
                for ending in ["db", "db-wal", "db-shm"] {
                    let path = file.with_extension(ending);
                    if path.exists() {
                        fs::remove_file(path).expect("removed");
                    }
                }
            }
            Self::Redis(saved) => *saved = None,
        }
    }
}

#[derive(Clone)]
pub(super) enum Door {
    File(PathBuf),
    Redis(String),
}

impl Door {
    /// A view as every process has one of its own.
    pub(super) async fn open(&self, clock: &Arc<AheadClock>) -> Arc<dyn WorkStore> {
        let clock: Arc<dyn Clock> = Arc::<AheadClock>::clone(clock);
        match self {
            Self::File(path) => {
                let work = SqliteWork::open(path, clock).await;
                Arc::new(work.expect("opens"))
            }
            Self::Redis(url) => {
                let url = RedisUrl::parse(url).expect("an address");
                let work = RedisWork::open_at(&url, "muniment", Some(clock)).await;
                Arc::new(work.expect("opens"))
            }
        }
    }
}

pub(super) enum WatchedDoor {
    /// Each call is counted where it is made.
    Calls(Door, CallsTo),
    /// Each command is counted on its way to this address.
    Commands(String),
}

impl WatchedDoor {
    pub(super) async fn open(self, clock: &Arc<AheadClock>) -> Arc<dyn WorkStore> {
        match self {
            Self::Calls(door, calls) => Arc::new(WatchedStore::new(door.open(clock).await, calls)),
            Self::Commands(url) => Door::Redis(url).open(clock).await,
        }
    }
}
