//! The queue and the work records in one SQLite file, for the processes of one machine.
//!
//! Every call is one `BEGIN IMMEDIATE` transaction, so calls of several processes never
//! interleave. The queue's calls load a part of the state, ask `decide`, and write its changes
//! (`queue`); the records' calls compare the fence and write (`records`).
//!
//! Idempotent, and safe to interrupt: a call that is dropped or killed before its commit has
//! changed nothing.
//!
//! **Durability.** WAL with `synchronous = FULL`: a commit survives a power cut. The registry
//! and S3 are the truth and a lost store is made again from them, but a store that went back in
//! time would be believed: a stage would start from records older than itself.
//!
//! Two connections and no pool: one writer, taken in the order of asking, so that a renewal waits
//! for some short writes and never starves; one reader, which does not wait for writers.
//!
//! It cannot serve several machines: SQLite's locks do not hold on network file systems.

mod errors;
mod finish;
mod queue;
mod records;
mod view;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::{
    BatchNumber, Checkpoint, Clock, FileRecord, ObjectRecord, QueueName, WorkItemId,
};
use muniment_sqlite::{Database, Migration, Transaction, Writer};
use sqlx::SqliteConnection;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) use view::SqliteView;

use crate::decide::{Command, Reply};
use crate::{
    Backlog, BatchRecords, BatchSize, BatchesDone, Claim, FileWrite, Lease, Message, Progress,
    Queue, Records, Release, Subject, Token, WorkError,
};

/// How long a call may take in all, the wait for its connection included. Longer than a statement
/// waits for another process, shorter than the time between two renewals.
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// How often a waiting claim looks for what no notification tells it: messages that fall due,
/// leases that run out, and what another process publishes.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// The longest a single claim waits, whatever its caller asks for.
const CLAIM_WAIT_MAX: Duration = Duration::from_mins(10);

/// In order; one that was once released is never changed.
const MIGRATIONS: [Migration; 3] = [
    Migration {
        name: "work",
        sql: Cow::Borrowed(include_str!("../migrations/0001_work.sql")),
    },
    Migration {
        name: "subjects",
        sql: Cow::Borrowed(include_str!("../migrations/0002_subjects.sql")),
    },
    Migration {
        name: "sizes",
        sql: Cow::Borrowed(include_str!("../migrations/0003_sizes.sql")),
    },
];

/// A work store in one file.
pub struct SqliteWork {
    clock: Arc<dyn Clock>,
    writer: Writer,
    reader: Mutex<SqliteConnection>,
    /// One per queue, woken once for each message that becomes ready in this process.
    wake: BTreeMap<QueueName, Notify>,
    round_trips: AtomicU64,
}

impl SqliteWork {
    /// Opens the file, or makes it. Its folder must exist.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, WorkError> {
        let database = Database::new(path);
        let writer = database.clone().open(&MIGRATIONS).await?;
        let reader = database.read_only().connect().await?;
        Ok(Self {
            clock,
            writer,
            reader: Mutex::new(reader),
            wake: QueueName::ALL
                .iter()
                .map(|queue| (*queue, Notify::new()))
                .collect(),
            round_trips: AtomicU64::new(0),
        })
    }

    /// Calls answered so far; claims that found nothing are left out.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// Revokes every lease at once, and answers how many there were.
    ///
    /// Only for the one process that holds the instance lock, before it claims: it knows that
    /// every holder is dead.
    pub async fn revoke_all_leases(&self) -> Result<u64, WorkError> {
        let mut count = 0;
        for queue in QueueName::ALL {
            if let Reply::Revoked(revoked) = self.run(*queue, Command::Revoke).await? {
                count += revoked;
            }
        }
        Ok(count)
    }

    /// One round trip, within its time limit.
    async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let answer = timeout(CALL_LIMIT, work).await;
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        answer.unwrap_or(Err(WorkError::Silent))
    }

    /// One command to one queue, in one transaction.
    async fn run(&self, queue: QueueName, command: Command) -> Result<Reply, WorkError> {
        let mut transaction = self.writer.begin().await?;
        // After the lock is ours, so that the times in the queue are in the order of the writes.
        let now = self.clock.now();
        let (woken, reply) = queue::run(&mut transaction, queue, &command, now).await?;
        transaction.commit().await?;
        self.wake(queue, woken);
        Ok(reply)
    }

    fn wake(&self, queue: QueueName, woken: usize) {
        if let Some(wake) = self.wake.get(&queue) {
            (0..woken).for_each(|_| wake.notify_one());
        }
    }

    /// Begins a write that only the holder of the lease may make.
    async fn fenced(&self, lease: &Lease) -> Result<Transaction<'_>, WorkError> {
        let mut transaction = self.writer.begin().await?;
        match records::check_fence(&mut transaction, lease).await {
            Ok(()) => Ok(transaction),
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Runs a command that needs a live lease.
    async fn run_held(&self, lease: &Lease, command: Command) -> Result<(), WorkError> {
        let run = self.run(lease.identity.queue, command);
        done(lease, &self.call(run).await?)
    }

    async fn claim_now(&self, queue: QueueName) -> Result<Option<Claim>, WorkError> {
        let token = Token(rand::random());
        let run = timeout(CALL_LIMIT, self.run(queue, Command::Claim(token)));
        let Reply::Claimed(claim) = run.await.unwrap_or(Err(WorkError::Silent))? else {
            return Ok(None);
        };
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        Ok(Some(claim))
    }
}

fn done(lease: &Lease, reply: &Reply) -> Result<(), WorkError> {
    match reply {
        Reply::Done => Ok(()),
        Reply::LeaseLost | Reply::Claimed(_) | Reply::NothingReady | Reply::Revoked(_) => {
            Err(WorkError::LeaseLost {
                identity: lease.identity,
            })
        }
    }
}

#[async_trait]
impl Queue for SqliteWork {
    async fn publish(&self, messages: &[Message]) -> Result<(), WorkError> {
        self.call(async {
            let mut woken = Vec::new();
            let mut transaction = self.writer.begin().await?;
            let now = self.clock.now();
            for message in messages {
                let command = Command::Publish(message.clone());
                let queue = message.queue;
                let (count, _) = queue::run(&mut transaction, queue, &command, now).await?;
                woken.push((queue, count));
            }
            transaction.commit().await?;
            for (queue, count) in woken {
                self.wake(queue, count);
            }
            Ok(())
        })
        .await
    }

    async fn claim(
        &self,
        queue: QueueName,
        max_wait: Duration,
    ) -> Result<Option<Claim>, WorkError> {
        let end = Instant::now() + max_wait.min(CLAIM_WAIT_MAX);
        loop {
            if let Some(claim) = self.claim_now(queue).await? {
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
            // Woken or not, the next look tells.
            drop(timeout_at(end.min(now + POLL_EVERY), woken).await);
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held(lease, Command::Renew(*lease)).await
    }

    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held(lease, Command::RunAlone(*lease)).await
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held(lease, Command::Acknowledge(*lease)).await
    }

    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError> {
        self.run_held(lease, Command::Release(*lease, release))
            .await
    }

    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        self.call(async { queue::backlog(&mut *self.reader.lock().await).await })
            .await
    }

    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError> {
        self.call(async {
            let mut reader = self.reader.lock().await;
            let mut known = Vec::with_capacity(asked.len());
            for one in asked {
                known.push(queue::is_known(&mut reader, *one).await?);
            }
            Ok(known)
        })
        .await
    }

    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError> {
        self.call(async {
            let mut reader = self.reader.lock().await;
            queue::is_leased(&mut reader, subject, self.clock.now()).await
        })
        .await
    }
}

#[async_trait]
impl Records for SqliteWork {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        let read = async { records::object(&mut *self.reader.lock().await, item).await };
        records::read_object(item, self.call(read).await?)
    }

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        let json = records::write_object(lease, record)?;
        self.call(async {
            let mut transaction = self.fenced(lease).await?;
            records::save_object(&mut transaction, record.item, json).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        let read = async { records::files(&mut *self.reader.lock().await, item, batch).await };
        records::read_files(item, batch, &self.call(read).await?)
    }

    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
        self.call(async { records::batch_sizes(&mut *self.reader.lock().await, item).await })
            .await
    }

    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError> {
        let (object, files) = self
            .call(async {
                let mut reader = self.reader.lock().await;
                let object = records::object(&mut reader, item).await?;
                Ok((object, records::files(&mut reader, item, batch).await?))
            })
            .await?;
        Ok(BatchRecords {
            object: records::read_object(item, object)?,
            files: records::read_files(item, batch, &files)?,
        })
    }

    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError> {
        let item = records::item_of(lease)?;
        let run = records::Run::new(lease, write.batch, write.from_index, write.records)?;
        let checkpoint = write
            .checkpoint
            .map(|checkpoint| records::write_checkpoint(item, checkpoint))
            .transpose()?;
        self.call(async {
            let mut transaction = self.fenced(lease).await?;
            records::save_run(&mut transaction, &run).await?;
            if let Some(json) = checkpoint {
                records::save_checkpoint(&mut transaction, item, json).await?;
            }
            if write.progress == Progress::Made {
                let command = Command::Progress(*lease);
                let queue = lease.identity.queue;
                queue::run(&mut transaction, queue, &command, self.clock.now()).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        self.call(async { records::checkpoint(&mut *self.reader.lock().await, item).await })
            .await
    }

    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError> {
        let item = records::item_of(lease)?;
        records::check_batch(lease, batch)?;
        let run = records
            .map(|records| records::Run::new(lease, batch, 0, records))
            .transpose()?;
        let queue = lease.identity.queue;
        let mut woken = 0;
        let done = self
            .call(async {
                let mut transaction = self.fenced(lease).await?;
                if let Some(run) = &run {
                    records::save_run(&mut transaction, run).await?;
                }
                let done = records::mark_done(&mut transaction, (item, queue), batch).await?;
                if lease.identity.batch.is_some() {
                    let wake = if done.newly && done.done == batches {
                        finish::Wake::Planner
                    } else {
                        finish::Wake::Nobody
                    };
                    let now = self.clock.now();
                    woken = finish::acknowledge(&mut transaction, lease, wake, now).await?;
                }
                transaction.commit().await?;
                Ok(done)
            })
            .await?;
        self.wake(queue, woken);
        Ok(done)
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        let read =
            async { records::done_batches(&mut *self.reader.lock().await, item, queue).await };
        self.call(read).await
    }

    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError> {
        let item = records::item_of(lease)?;
        self.call(async {
            let mut transaction = self.fenced(lease).await?;
            records::clear_done(&mut transaction, item, queues).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        let item = records::item_of(lease)?;
        self.call(async {
            let mut transaction = self.fenced(lease).await?;
            records::clear(&mut transaction, item).await?;
            let own = Some(lease.identity);
            queue::remove_all(&mut transaction, lease.identity.subject, own).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        self.call(async { records::items_after(&mut *self.reader.lock().await, after, max).await })
            .await
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        self.call(async {
            let mut transaction = self.writer.begin().await?;
            records::clear(&mut transaction, item).await?;
            records::remove_object(&mut transaction, item).await?;
            queue::remove_all(&mut transaction, Subject::Item(item), None).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
