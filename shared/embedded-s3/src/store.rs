//! Keys, metadata, parts and references: the SQLite half of the folder.
//!
//! One connection writes: a task owns it and commits what many requests ask for in one transaction
//! ([`writer`]). A few connections read. Everything a request was told has been committed, with
//! `synchronous=FULL`, so it survives a killed process and a power cut; opening the folder again
//! is all the recovery there is.
//!
//! ```text
//! object ─┐
//! part ───┼─> blob ── in its row │ in a file │ joined: extents ──> blobs in files
//! extent ─┘   refs
//! ```

pub(crate) mod buckets;
pub(crate) mod objects;
pub(crate) mod reads;
pub(crate) mod rows;
pub(crate) mod uploads;
pub(crate) mod writer;

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};

use crate::EmbeddedS3Error;
use crate::blobs::{self, BlobId, Blobs, leftovers};
use crate::conditions::ConditionFault;
use crate::multipart::AssemblyFault;
use writer::{Change, Queued, Waiting};

/// Connections that read. A look-up takes tens of microseconds, so few serve many requests.
const READERS_MAX: u32 = 4;
/// Changes waiting for the writer before requests have to wait to queue.
const QUEUE_MAX: usize = 1024;
/// How long a statement waits for another connection. Only start-up and checkpoints ever compete.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long opening waits for an earlier user of the folder that is just finishing.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    pub blobs: Arc<Blobs>,
    readers: SqlitePool,
    queue: mpsc::Sender<Box<dyn Queued>>,
}

/// Why the store did not do what it was asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFault {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("there is no such key")]
    NoSuchKey,
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
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, EmbeddedS3Error> {
        let root = folder.join("blobs");
        let io_error = |source| EmbeddedS3Error::Folder {
            folder: folder.to_owned(),
            source,
        };
        let (made, above) = (root.clone(), folder.to_owned());
        spawn_blocking(move || {
            std::fs::create_dir_all(made)?;
            File::open(above)?.sync_all()
        })
        .await
        .map_err(std::io::Error::from)
        .flatten()
        .map_err(io_error)?;
        let lock = lock(folder).await?;

        let options = options(&folder.join("index.sqlite"));
        let mut connection = options.connect().await?;
        sqlx::migrate!().run(&mut connection).await?;
        let highest = tidy(&root, &mut connection)
            .await
            .map_err(|fault| match fault {
                TidyFault::Database(source) => EmbeddedS3Error::Database(source),
                TidyFault::Files(source) => io_error(source),
            })?;

        let (blobs, removals) = Blobs::new(root.clone(), BlobId(highest + 1), lock);
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            // A connection to a file does not go stale.
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true));
        tasks.spawn(blobs::remove(root, removals));
        tasks.spawn(writer::run(connection, changes, Arc::clone(&blobs)));
        Ok(Self {
            blobs,
            readers,
            queue,
        })
    }

    /// Hands a change to the writer and waits until it is durable, or refused.
    pub(crate) async fn submit<C: Change>(&self, change: C) -> Result<C::Answer, StoreFault> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Box::new(Waiting::new(change, reply)))
            .await
            .map_err(|_closed| StoreFault::Stopping)?;
        answer.await.map_err(|_dropped| StoreFault::Stopping)?
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        // 32 MiB of log before it is copied back: pages that change often are then copied once.
        .pragma("wal_autocheckpoint", "8192")
        // KiB of pages kept by each connection.
        .pragma("cache_size", "-8192")
        .disable_statement_logging()
}

/// Takes the folder for this process. A request of an earlier user may be finishing a write.
async fn lock(folder: &Path) -> Result<File, EmbeddedS3Error> {
    let failed = |source| EmbeddedS3Error::Folder {
        folder: folder.to_owned(),
        source,
    };
    let file = File::create(folder.join("lock")).map_err(failed)?;
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

#[derive(Debug, thiserror::Error)]
enum TidyFault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Files(#[from] std::io::Error),
}

/// Removes files without rows. Returns the highest id in use anywhere.
async fn tidy(root: &Path, connection: &mut SqliteConnection) -> Result<i64, TidyFault> {
    let mut highest: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM blobs")
        .fetch_one(&mut *connection)
        .await?;
    let walked = root.to_owned();
    let leaves = spawn_blocking(move || leftovers::leaves(&walked))
        .await
        .map_err(std::io::Error::other)??;
    let mut removed = 0;
    for leaf in leaves {
        let referred: HashSet<BlobId> =
            sqlx::query_scalar("SELECT id FROM blobs WHERE id >= ? AND id < ? AND place = 1")
                .bind(leaf.first.0)
                .bind(leaf.end().0)
                .fetch(&mut *connection)
                .map_ok(BlobId)
                .try_collect()
                .await?;
        // Counted as used whether or not it is: an id must never name two files.
        highest = highest.max(leaf.end().0 - 1);
        let root = root.to_owned();
        removed += spawn_blocking(move || leaf.tidy(&root, &referred))
            .await
            .map_err(std::io::Error::other)??;
    }
    if removed > 0 {
        tracing::info!(removed, "removed files that no object refers to");
    }
    connection.ping().await?;
    Ok(highest)
}
