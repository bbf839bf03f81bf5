//! Keys, metadata, parts and references: the SQLite half of the folder.
//!
//! One connection writes: a task owns it and commits what many requests ask for in one transaction
//! ([`writer`]). A few connections read. Everything a request was told has been committed, with
//! `synchronous=FULL`, so it survives a killed process and a power cut; opening the folder again
//! is all the recovery there is.
//!
//! ```text
//! object ──┐
//! version ─┤
//! part ────┼─> blob ── in its row │ in a file │ joined: extents ──> blobs in files
//! extent ──┘   refs
//! ```

pub(crate) mod buckets;
mod lookups;
pub(crate) mod objects;
pub(crate) mod reads;
pub(crate) mod restores;
pub(crate) mod rows;
mod stale;
pub(crate) mod tags;
mod together;
pub(crate) mod uploads;
pub(crate) mod versions;
pub(crate) mod writer;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use muniment_sqlite::{Database, Migration};
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::EmbeddedS3Error;
use crate::blobs::{self, BlobId, Blobs, blocking, leftovers};
use crate::clock::Clock;
use crate::cold::ColdFault;
use crate::conditions::ConditionFault;
use crate::multipart::AssemblyFault;
use lookups::Lookups;
use writer::{Change, Queued, Waiting};

/// Connections that read. A look-up takes tens of microseconds, so few serve many requests.
const READERS_MAX: u32 = 4;
/// Changes waiting for the writer before requests have to wait to queue.
const QUEUE_MAX: usize = 1024;
/// How long a request waits for a connection that reads. Beyond it the disk is failing.
const READER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long opening waits for an earlier user of the folder that is just finishing.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(20);

const MIGRATIONS: [Migration; 5] = [
    Migration {
        name: "store",
        sql: Cow::Borrowed(include_str!("../migrations/0001_store.sql")),
    },
    Migration {
        name: "versions",
        sql: Cow::Borrowed(include_str!("../migrations/0002_versions.sql")),
    },
    Migration {
        name: "restores",
        sql: Cow::Borrowed(include_str!("../migrations/0003_restores.sql")),
    },
    Migration {
        name: "object parts",
        sql: Cow::Borrowed(include_str!("../migrations/0004_object_parts.sql")),
    },
    Migration {
        name: "objects in order",
        sql: Cow::Borrowed(include_str!("../migrations/0005_objects_in_order.sql")),
    },
];

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    pub blobs: Arc<Blobs>,
    pub clock: Clock,
    readers: SqlitePool,
    lookups: Lookups,
    queue: mpsc::Sender<Box<dyn Queued>>,
}

/// Why the store did not do what it was asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("there is no such key")]
    NoSuchKey,
    /// The newest version of the key is this delete marker.
    #[error("the key is deleted")]
    Deleted { marker: String },
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("the version is a delete marker")]
    IsMarker {
        version: String,
        modified_micros: i64,
    },
    #[error("there is no such upload")]
    NoSuchUpload,
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    #[error("the bucket exists")]
    BucketExists,
    #[error("the source changed while it was copied")]
    SourceChanged,
    #[error(transparent)]
    Condition(#[from] ConditionFault),
    #[error(transparent)]
    Cold(#[from] ColdFault),
    #[error(transparent)]
    Assembly(#[from] AssemblyFault),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("a row holds what this program cannot read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the endpoint is shutting down")]
    Stopping,
}

impl Store {
    /// Opens the folder, removes what a crash left behind, and starts the tasks that `tasks` then owns.
    pub(crate) async fn open(
        folder: &Path,
        clock: Clock,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, EmbeddedS3Error> {
        Self::open_on(folder, index(folder), clock, tasks).await
    }

    async fn open_on(
        folder: &Path,
        database: Database,
        clock: Clock,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, EmbeddedS3Error> {
        let root = folder.join("blobs");
        let (made, above) = (root.clone(), folder.to_owned());
        let made = blocking(move || {
            std::fs::create_dir_all(made)?;
            File::open(above)?.sync_all()
        });
        made.await.map_err(in_folder(folder))?;
        let lock = lock(folder).await?;

        let writer = database.clone().open(&MIGRATIONS).await?;
        let readers = database.read_only().pool(READERS_MAX, READER_WAIT_MAX);
        let highest = tidy(folder, &root, &readers).await?;

        let lookups = Lookups::start(&readers, tasks);
        let (blobs, removals) = Blobs::new(root.clone(), BlobId(highest + 1), lock);
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        tasks.spawn(blobs::remove(root, removals));
        tasks.spawn(writer::run(
            writer,
            clock.clone(),
            changes,
            Arc::clone(&blobs),
        ));
        tasks.spawn(stale::sweep(queue.clone()));
        Ok(Self {
            blobs,
            clock,
            readers,
            lookups,
            queue,
        })
    }

    /// Hands a change to the writer and waits until it is durable, or refused.
    pub(crate) async fn submit<C: Change>(&self, change: C) -> Result<C::Answer, StoreError> {
        submit_to(&self.queue, change).await
    }
}

async fn submit_to<C: Change>(
    queue: &mpsc::Sender<Box<dyn Queued>>,
    change: C,
) -> Result<C::Answer, StoreError> {
    let (reply, answer) = oneshot::channel();
    let waiting = Waiting {
        change,
        outcome: None,
        reply,
    };
    queue
        .send(Box::new(waiting))
        .await
        .map_err(|_closed| StoreError::Stopping)?;
    answer.await.map_err(|_dropped| StoreError::Stopping)?
}

fn index(folder: &Path) -> Database {
    Database::new(&folder.join("index.sqlite"))
        // KiB of pages kept by each connection.
        .pragma("cache_size", "-8192")
        .without_statement_log()
}

fn in_folder(folder: &Path) -> impl Fn(io::Error) -> EmbeddedS3Error {
    move |source| EmbeddedS3Error::Folder {
        folder: folder.to_owned(),
        source,
    }
}

/// Takes the folder for this process. A request of an earlier user may be finishing a write.
async fn lock(folder: &Path) -> Result<File, EmbeddedS3Error> {
    let failed = in_folder(folder);
    let file = File::create(folder.join("lock")).map_err(&failed)?;
    let mut polls = tokio::time::interval(LOCK_POLL);
    let taken = async {
        loop {
            polls.tick().await;
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    };
    tokio::time::timeout(LOCK_PATIENCE, taken)
        .await
        .map_err(|_elapsed| EmbeddedS3Error::InUse {
            folder: folder.to_owned(),
        })??;
    Ok(file)
}

/// Removes files without rows. Returns the highest id in use anywhere.
async fn tidy(folder: &Path, root: &Path, readers: &SqlitePool) -> Result<i64, EmbeddedS3Error> {
    let mut highest: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM blobs")
        .fetch_one(readers)
        .await?;
    let walked = root.to_owned();
    let leaves = blocking(move || leftovers::leaves(&walked)).await;
    let mut removed = 0;
    for leaf in leaves.map_err(in_folder(folder))? {
        let referred: HashSet<BlobId> = sqlx::query_scalar::<_, BlobId>(
            "SELECT id FROM blobs WHERE id >= ? AND id < ? AND place = 1",
        )
        .bind(leaf.first)
        .bind(leaf.end())
        .fetch(readers)
        .try_collect()
        .await?;
        // Counted as used whether or not it is: an id must never name two files.
        highest = highest.max(leaf.end().0 - 1);
        let root = root.to_owned();
        let tidied = blocking(move || leaf.tidy(&root, &referred)).await;
        removed += tidied.map_err(in_folder(folder))?;
    }
    if removed > 0 {
        tracing::info!(removed, "removed files that no object refers to");
    }
    Ok(highest)
}

#[cfg(test)]
mod tests;
