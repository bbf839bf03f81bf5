//! The one that writes: many requests' changes, one transaction, one sync.
//!
//! While one batch is being synced the next one queues up, so the more requests there are, the more
//! share a sync. A request is answered after the commit that holds its change. Where many come, the next batch
//! waits a moment for those that were answered with the last one and come again: a commit writes whole pages, of
//! which neighbours then share one.
//!
//! Changes that put new bytes under a key, which most of them do, are made together ([`super::together`]).
//!
//! A change that the database fails on takes its batch down with it; then each change of the batch
//! is tried again in a transaction of its own, so only the one at fault is told so. Safe because
//! the failed transaction left nothing. A change that is *refused* writes nothing and disturbs nobody.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_sqlite::{Writer, is_disk_full};
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::StoreError;
use super::rows::Place;
use super::together::{self, Together};
use super::versions::Name;
use crate::blobs::{BlobId, Blobs};
use crate::clock::Clock;

/// Changes in one transaction. Bounds what one answer waits for.
const BATCH_MAX: usize = 256;

/// From so many changes on, a batch shows that many requests come at a time.
const MANY: usize = 4;
/// What such a batch waits for more. Far less than what a request takes, and as short as the timer can.
const GATHERS_FOR: Duration = Duration::from_millis(1);

/// Something a request wants written.
#[async_trait]
pub(crate) trait Change: Send + Sync + 'static {
    type Answer: Send + Sync + 'static;

    /// Writes it. Must refuse before its first write: there is no savepoint around a single change.
    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Answer, StoreError>;

    /// The key that it puts something under, if that is all it does and it asks once what the key has now
    /// ([`Batch::admit`]): such changes are made together.
    fn puts(&self) -> Option<Name<'_>> {
        None
    }

    /// Called once it is durable.
    fn committed(&mut self) {}
}

/// The transaction that changes are applied in.
pub(crate) struct Batch<'c> {
    pub connection: &'c mut SqliteConnection,
    /// Blobs that lost a reference; counted together at the end.
    pub released: Vec<BlobId>,
    pub now_micros: i64,
    pub(super) together: Together,
}

/// A change with the request that waits for it.
pub(crate) struct Waiting<C: Change> {
    pub change: C,
    pub outcome: Option<Result<C::Answer, StoreError>>,
    pub reply: oneshot::Sender<Result<C::Answer, StoreError>>,
}

/// [`Waiting`], whatever its change.
#[async_trait]
pub(crate) trait Queued: Send + Sync {
    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), sqlx::Error>;
    fn puts(&self) -> Option<Name<'_>>;
    fn answer(self: Box<Self>, committed: Result<(), sqlx::Error>);
}

#[async_trait]
impl<C: Change> Queued for Waiting<C> {
    async fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), sqlx::Error> {
        match self.change.apply(batch).await {
            Err(StoreError::Database(error)) => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn puts(&self) -> Option<Name<'_>> {
        self.change.puts()
    }

    fn answer(mut self: Box<Self>, committed: Result<(), sqlx::Error>) {
        let outcome = match (committed, self.outcome.take()) {
            (Err(error), _) => Err(StoreError::Database(error)),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Stopping),
        };
        if outcome.is_ok() {
            self.change.committed();
        }
        if self.reply.send(outcome).is_err() {
            tracing::debug!("the client went away before its answer");
        }
    }
}

/// Applies changes until the store is gone.
pub(crate) async fn run(
    writer: Writer,
    clock: Clock,
    mut changes: mpsc::Receiver<Box<dyn Queued>>,
    blobs: Arc<Blobs>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut last = 0;
    while changes.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if last >= MANY {
            gather(&mut changes, &mut batch).await;
        }
        last = batch.len();
        match commit(&writer, &clock, &mut batch).await {
            Ok(unreferenced) => finish(&blobs, batch.drain(..), unreferenced),
            Err(error) => {
                tracing::debug!(%error, changes = batch.len(), "trying the changes one by one");
                for change in batch.drain(..) {
                    commit_alone(&writer, &clock, change, &blobs).await;
                }
            }
        }
    }
}

/// Takes what comes within a moment.
async fn gather(changes: &mut mpsc::Receiver<Box<dyn Queued>>, batch: &mut Vec<Box<dyn Queued>>) {
    let end = Instant::now() + GATHERS_FOR;
    while batch.len() < BATCH_MAX {
        let room = BATCH_MAX - batch.len();
        match timeout_at(end, changes.recv_many(batch, room)).await {
            Ok(taken) if taken > 0 => {}
            // Time is up, or nobody is left who could ask.
            Ok(_) | Err(_) => return,
        }
    }
}

async fn commit_alone(writer: &Writer, clock: &Clock, change: Box<dyn Queued>, blobs: &Blobs) {
    let mut alone = [change];
    match commit(writer, clock, &mut alone).await {
        Ok(unreferenced) => finish(blobs, alone, unreferenced),
        Err(error) => {
            // That the disk is full is said once for all requests, where they are answered.
            if !is_disk_full(&error) {
                tracing::error!(%error, "could not write to the database");
            }
            let [alone] = alone;
            alone.answer(Err(error));
        }
    }
}

fn finish(
    blobs: &Blobs,
    batch: impl IntoIterator<Item = Box<dyn Queued>>,
    unreferenced: Vec<BlobId>,
) {
    for change in batch {
        change.answer(Ok(()));
    }
    for id in unreferenced {
        blobs.condemn(id);
    }
}

/// One transaction. Returns the files nobody refers to any more.
async fn commit(
    writer: &Writer,
    clock: &Clock,
    changes: &mut [Box<dyn Queued>],
) -> Result<Vec<BlobId>, sqlx::Error> {
    writer
        .transaction(async |connection| apply_all(connection, clock, changes).await)
        .await
}

async fn apply_all(
    connection: &mut SqliteConnection,
    clock: &Clock,
    changes: &mut [Box<dyn Queued>],
) -> Result<Vec<BlobId>, sqlx::Error> {
    let mut batch = Batch {
        connection,
        released: Vec::new(),
        now_micros: clock.now_micros(),
        together: Together::default(),
    };
    for run in together::runs(changes) {
        batch.apply_run(run).await?;
    }
    batch.count_released().await
}

impl Batch<'_> {
    /// Takes off the references given up in this batch and deletes the blobs left with none.
    async fn count_released(&mut self) -> Result<Vec<BlobId>, sqlx::Error> {
        if self.released.is_empty() {
            return Ok(Vec::new());
        }
        let released = serde_json::to_string(&self.released)
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(
            "UPDATE blobs SET refs = refs - gone.n
             FROM (SELECT value AS id, COUNT(*) AS n FROM json_each(?) GROUP BY value) AS gone
             WHERE blobs.id = gone.id",
        )
        .bind(released)
        .execute(&mut *self.connection)
        .await?;
        let joined_gone: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM blobs WHERE refs = 0 AND place = 2)")
                .fetch_one(&mut *self.connection)
                .await?;
        if joined_gone {
            self.dissolve_joined().await?;
        }
        let unreferenced: Vec<(BlobId, Place)> =
            sqlx::query_as("DELETE FROM blobs WHERE refs = 0 RETURNING id, place")
                .fetch_all(&mut *self.connection)
                .await?;
        Ok(unreferenced
            .into_iter()
            .filter(|(_, place)| *place == Place::File)
            .map(|(id, _)| id)
            .collect())
    }

    /// Deletes the extents and the parts of joined blobs without references. Extents never point at a joined blob,
    /// so once is enough.
    async fn dissolve_joined(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE blobs SET refs = refs - gone.n
             FROM (SELECT e.blob AS id, COUNT(*) AS n FROM extents e
                   WHERE e.list IN (SELECT id FROM blobs WHERE refs = 0 AND place = 2)
                   GROUP BY e.blob) AS gone
             WHERE blobs.id = gone.id",
        )
        .execute(&mut *self.connection)
        .await?;
        for forget in [
            "DELETE FROM extents
             WHERE list IN (SELECT id FROM blobs WHERE refs = 0 AND place = 2)",
            "DELETE FROM object_parts
             WHERE blob IN (SELECT id FROM blobs WHERE refs = 0 AND place = 2)",
        ] {
            sqlx::query(forget).execute(&mut *self.connection).await?;
        }
        Ok(())
    }
}
