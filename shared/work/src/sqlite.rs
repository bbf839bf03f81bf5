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
mod packed;
mod queue;
mod record_calls;
mod records;
mod view;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muniment_meter::Meter;
use muniment_model::{Clock, QueueName};
use muniment_sqlite::{Database, Migration, Transaction, Writer};
use sqlx::SqliteConnection;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub(crate) use view::SqliteView;

use crate::calls::{self, CALL_LIMIT};
use crate::decide::{Command, Reply};
use crate::{Backlog, Claim, Lease, Message, Queue, Release, Subject, Token, WorkError, WorkStore};

/// How often a waiting claim looks for what no notification tells it: messages that fall due,
/// leases that run out, and what another process publishes.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// The longest a single claim waits, whatever its caller asks for.
const CLAIM_WAIT_MAX: Duration = Duration::from_mins(10);

/// In order; one that was once released is never changed.
const MIGRATIONS: [Migration; 4] = [
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
    Migration {
        name: "packed",
        sql: Cow::Borrowed(include_str!("../migrations/0004_packed.sql")),
    },
];

/// A work store in one file, and the meter of those who ask it through this value.
pub struct SqliteWork {
    store: Arc<Store>,
    meter: Meter,
}

/// The file's connections, and what else every user of it in this process shares.
struct Store {
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
        let store = Store {
            clock,
            writer,
            reader: Mutex::new(reader),
            wake: QueueName::ALL
                .iter()
                .map(|queue| (*queue, Notify::new()))
                .collect(),
            round_trips: AtomicU64::new(0),
        };
        Ok(Self {
            store: Arc::new(store),
            meter: Meter::default(),
        })
    }

    /// Calls answered so far; claims that found nothing are left out.
    pub fn round_trips(&self) -> u64 {
        self.store.round_trips.load(Ordering::Relaxed)
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
        kind: &'static str,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        self.call_with(kind, 0, work).await
    }

    /// As [`Self::call`], with records of so many bytes.
    async fn call_with<T>(
        &self,
        kind: &'static str,
        bytes: usize,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let answer = calls::counted(&self.meter, (kind, bytes), CALL_LIMIT, work).await;
        self.store.round_trips.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Records of so many bytes were read.
    fn received(&self, kind: &'static str, bytes: usize) {
        calls::received(&self.meter, kind, bytes);
    }

    /// One command to one queue, in one transaction.
    async fn run(&self, queue: QueueName, command: Command) -> Result<Reply, WorkError> {
        let mut transaction = self.store.writer.begin().await?;
        // After the lock is ours, so that the times in the queue are in the order of the writes.
        let now = self.store.clock.now();
        let (woken, reply) = queue::run(&mut transaction, queue, &command, now).await?;
        transaction.commit().await?;
        self.wake(queue, woken);
        Ok(reply)
    }

    fn wake(&self, queue: QueueName, woken: usize) {
        if let Some(wake) = self.store.wake.get(&queue) {
            (0..woken).for_each(|_| wake.notify_one());
        }
    }

    /// Begins a write that only the holder of the lease may make.
    async fn fenced(&self, lease: &Lease) -> Result<Transaction<'_>, WorkError> {
        let mut transaction = self.store.writer.begin().await?;
        match records::check_fence(&mut transaction, lease).await {
            Ok(()) => Ok(transaction),
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Runs a command that needs a live lease.
    async fn run_held(
        &self,
        kind: &'static str,
        lease: &Lease,
        command: Command,
    ) -> Result<(), WorkError> {
        let run = self.run(lease.identity.queue, command);
        done(lease, &self.call(kind, run).await?)
    }

    async fn claim_now(&self, queue: QueueName) -> Result<Option<Claim>, WorkError> {
        let token = Token(rand::random());
        let look = self.run(queue, Command::Claim(token));
        let is_idle = |reply: &Reply| !matches!(reply, Reply::Claimed(_));
        let reply = calls::counted_claim(&self.meter, look, is_idle).await;
        let Reply::Claimed(claim) = reply? else {
            return Ok(None);
        };
        self.store.round_trips.fetch_add(1, Ordering::Relaxed);
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
        self.call("publish", async {
            let mut woken = Vec::new();
            let mut transaction = self.store.writer.begin().await?;
            let now = self.store.clock.now();
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

    async fn claim_until(
        &self,
        queue: QueueName,
        max_wait: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Claim>, WorkError> {
        let end = Instant::now() + max_wait.min(CLAIM_WAIT_MAX);
        loop {
            if let Some(claim) = self.claim_now(queue).await? {
                return Ok(Some(claim));
            }
            let now = Instant::now();
            if now >= end || stop.is_cancelled() {
                return Ok(None);
            }
            // What was published since we looked has left its permit in `wake`, so this returns
            // at once: no wake-up falls between looking and waiting.
            let woken = async {
                match self.store.wake.get(&queue) {
                    Some(wake) => wake.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Woken or not, the next look tells.
                waited = timeout_at(end.min(now + POLL_EVERY), woken) => drop(waited),
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held("renew", lease, Command::Renew(*lease)).await
    }

    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held("run_alone", lease, Command::RunAlone(*lease))
            .await
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError> {
        self.run_held("acknowledge", lease, Command::Acknowledge(*lease))
            .await
    }

    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError> {
        self.run_held("release", lease, Command::Release(*lease, release))
            .await
    }

    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        self.call("backlog", async {
            queue::backlog(&mut *self.store.reader.lock().await).await
        })
        .await
    }

    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError> {
        self.call("are_known", async {
            let mut reader = self.store.reader.lock().await;
            let mut known = Vec::with_capacity(asked.len());
            for one in asked {
                known.push(queue::is_known(&mut reader, *one).await?);
            }
            Ok(known)
        })
        .await
    }

    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError> {
        self.call("is_leased", async {
            let mut reader = self.store.reader.lock().await;
            queue::is_leased(&mut reader, subject, self.store.clock.now()).await
        })
        .await
    }
}

impl WorkStore for SqliteWork {
    fn metered(&self, meter: Meter) -> Arc<dyn WorkStore> {
        let store = Arc::clone(&self.store);
        Arc::new(Self { store, meter })
    }
}

#[cfg(test)]
mod tests;
