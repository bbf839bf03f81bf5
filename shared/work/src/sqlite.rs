//! The queue and the work records in one SQLite file, for the processes of one machine.
//!
//! Every call is one `BEGIN IMMEDIATE` transaction, so calls of several processes never
//! interleave. The queue's calls load a part of the state, ask `decide`, and write its changes
//! (`queue`); the records' calls compare the fence and write (`records`).
//!
//! Safe to repeat and to interrupt: a call that is dropped or killed before its commit has
//! changed nothing.
//!
//! **Durability.** WAL with `synchronous = FULL`: a commit survives a power cut. The registry
//! and S3 are the truth and a lost store is made again from them, but a store that went back in
//! time would be believed: a stage would start from records older than itself.
//!
//! Two connections and no pool: one writer, taken in the order of asking, so that a renewal waits
//! for some short writes and never starves; one reader, which does not wait for writers. A pool
//! would bring timers of its own, which fire at once under a paused test clock.
//!
//! It cannot serve several machines: SQLite's locks do not hold on network file systems.

mod queue;
mod records;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::{BatchNumber, Checkpoint, Clock, FileRecord, ObjectRecord, Queue, WorkItemId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::Instant;

use crate::decide::{Command, Reply};
use crate::{Claim, Contents, Lease, Message, Settlement, Token, Waiting, WorkError, WorkStore};

/// How long a statement waits for another process: its writes take milliseconds, so this is long
/// enough for a queue of them and short against a lease.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a waiting claim looks for what no notification tells it: messages that fall due,
/// leases that run out, and what another process publishes.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// The longest a single claim waits, whatever its caller asks for.
const CLAIM_WAIT_MAX: Duration = Duration::from_mins(10);

/// The log is cut back to this after a burst, in bytes.
const LOG_BYTES_KEPT: &str = "67108864";

/// A work store in one file.
pub struct SqliteWork {
    clock: Arc<dyn Clock>,
    writer: Mutex<SqliteConnection>,
    reader: Mutex<SqliteConnection>,
    /// One per queue, woken once for each message that becomes ready in this process.
    wake: BTreeMap<Queue, Notify>,
}

/// How often a file is opened that another process is just making.
const CONNECT_TRIES_MAX: u32 = 50;
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Connects, also while another process makes the file: the change to WAL is refused at once then,
/// whatever the busy time-out says (SQLite, "Write-Ahead Logging").
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, WorkError> {
    let mut tries = 1;
    loop {
        match options.connect().await.map_err(WorkError::from) {
            Err(WorkError::Busy { .. }) if tries < CONNECT_TRIES_MAX => {
                tries += 1;
                tokio::time::sleep_until(Instant::now() + CONNECT_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

impl SqliteWork {
    /// Opens the file, or makes it. Its folder must exist.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, WorkError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", LOG_BYTES_KEPT);
        let mut writer = connect(&options).await?;
        schema::migrate(&mut writer).await?;
        let reader = connect(&options.pragma("query_only", "true")).await?;
        Ok(Self {
            clock,
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            wake: Queue::ALL
                .iter()
                .map(|queue| (*queue, Notify::new()))
                .collect(),
        })
    }

    /// Ends every lease at once, and answers how many there were.
    ///
    /// Only for the one process that holds the instance lock, before it claims: it knows that
    /// whoever held these leases is dead. Their attempts count.
    pub async fn void_all_leases(&self) -> Result<u64, WorkError> {
        let mut count = 0;
        for queue in Queue::ALL {
            if let Reply::Voided(voided) = self.run(*queue, Command::Void).await? {
                count += voided;
            }
        }
        Ok(count)
    }

    /// One command to one queue, in one transaction.
    async fn run(&self, queue: Queue, command: Command) -> Result<Reply, WorkError> {
        let mut connection = self.writer.lock().await;
        let mut transaction = write(&mut connection).await?;
        // After the lock is ours, so that the times in the queue are in the order of the writes.
        let now = self.clock.now();
        let (woken, reply) = queue::run(&mut transaction, queue, &command, now).await?;
        transaction.commit().await?;
        drop(connection);
        if let Some(wake) = self.wake.get(&queue) {
            (0..woken).for_each(|_| wake.notify_one());
        }
        Ok(reply)
    }

    /// Runs a command that needs a live lease.
    async fn run_held(&self, lease: &Lease, command: Command) -> Result<(), WorkError> {
        match self.run(lease.queue, command).await? {
            Reply::Done => Ok(()),
            Reply::LeaseLost | Reply::Claimed(_) | Reply::NothingReady | Reply::Voided(_) => {
                Err(WorkError::LeaseLost {
                    identity: lease.identity(),
                })
            }
        }
    }

    async fn reader(&self) -> MutexGuard<'_, SqliteConnection> {
        self.reader.lock().await
    }
}

/// Begins a transaction that holds the write lock from its start: one that reads first and wants
/// to write later could find that another process has written in between.
async fn write(connection: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, WorkError> {
    Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
}

#[async_trait]
impl WorkStore for SqliteWork {
    async fn publish(&self, message: &Message) -> Result<(), WorkError> {
        let command = Command::Publish(message.clone());
        self.run(message.queue, command).await?;
        Ok(())
    }

    async fn claim(&self, queue: Queue, max_wait: Duration) -> Result<Option<Claim>, WorkError> {
        let end = Instant::now() + max_wait.min(CLAIM_WAIT_MAX);
        loop {
            let token = Token(rand::random());
            if let Reply::Claimed(claim) = self.run(queue, Command::Claim(token)).await? {
                return Ok(Some(claim));
            }
            let now = Instant::now();
            if now >= end {
                return Ok(None);
            }
            // What was published since we looked has left its permit in `wake`, so this returns
            // at once: no wake-up falls between looking and waiting.
            let woken = async {
                match self.wake.get(&queue) {
                    Some(wake) => wake.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(end.min(now + POLL_EVERY)) => {}
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held(lease, Command::Renew(*lease)).await
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<(), WorkError> {
        self.run_held(lease, Command::Settle(*lease, settlement))
            .await
    }

    async fn progress(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held(lease, Command::Progress(*lease)).await
    }

    async fn waiting(&self) -> Result<BTreeMap<Queue, Waiting>, WorkError> {
        queue::waiting(&mut *self.reader().await).await
    }

    async fn is_known(&self, item: WorkItemId) -> Result<bool, WorkError> {
        queue::is_known(&mut *self.reader().await, item).await
    }

    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        records::object(self.reader().await, item).await
    }

    async fn put_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        records::put_object(&self.writer, lease, record).await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        records::files(self.reader().await, item, batch).await
    }

    async fn put_files(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        from_index: usize,
        records: &[FileRecord],
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), WorkError> {
        let run = records::Run::new(lease, batch, from_index, records)?;
        records::put_files(&self.writer, lease, &run, checkpoint).await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        records::checkpoint(self.reader().await, item).await
    }

    async fn mark_done(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
    ) -> Result<u64, WorkError> {
        let run = records
            .map(|records| records::Run::new(lease, batch, 0, records))
            .transpose()?;
        records::mark_done(&self.writer, lease, batch, run.as_ref()).await
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: Queue,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        records::done_batches(&mut *self.reader().await, item, queue).await
    }

    async fn clear_done(&self, lease: &Lease, queue: Queue) -> Result<(), WorkError> {
        records::clear_done(&self.writer, lease, queue).await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        records::clear_records(&self.writer, lease).await
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        records::drop_item(&self.writer, item).await
    }

    async fn contents(&self) -> Result<Contents, WorkError> {
        records::contents(&mut *self.reader().await).await
    }
}

#[cfg(test)]
mod tests;
