//! A work store whose calls are watched, and a watch that lets the n-th fail, before or after it took effect.
//!
//! With it a test tries every point at which a process can lose its store: run once to count the
//! calls, then once for each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muniment_meter::Meter;
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};
use muniment_work::{
    Backlog, BatchRecords, BatchSize, BatchesDone, Claim, FileWrite, Lease, Message, Queue,
    Records, Release, Subject, WorkError, WorkStore,
};
use tokio_util::sync::CancellationToken;

/// Whether the call that fails has taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Sees each call to a work store twice, and may let it fail or keep it for good.
#[async_trait]
pub trait Watch: Send + Sync + 'static {
    /// The call has not been made. What is answered is told to [`Self::after`].
    async fn before(&self, call: &'static str) -> Result<u64, WorkError>;

    /// The call has been made, and nobody knows its answer.
    async fn after(&self, number: u64) -> Result<(), WorkError>;
}

/// Tells its watch of each call but the claims that find nothing, which depend on the time alone. A claim
/// that finds something is told of when it has been made.
pub struct WatchedStore<W> {
    inner: Arc<dyn WorkStore>,
    watch: Arc<W>,
}

impl<W: Watch> WatchedStore<W> {
    pub fn new(inner: Arc<dyn WorkStore>, watch: W) -> Self {
        let watch = Arc::new(watch);
        Self { inner, watch }
    }

    async fn pass<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let number = self.watch.before(name).await?;
        let answer = call.await;
        self.watch.after(number).await?;
        answer
    }
}

/// Fails one call, and passes on all others.
pub type BreakingStore = WatchedStore<Breaking>;

/// Which call fails.
pub struct Breaking {
    calls: AtomicU64,
    breaks_at: u64,
    moment: Moment,
}

impl BreakingStore {
    /// Calls count from 1; at 0 none fails.
    pub fn breaking(inner: Arc<dyn WorkStore>, breaks_at: u64, moment: Moment) -> Self {
        let watch = Breaking {
            calls: AtomicU64::new(0),
            breaks_at,
            moment,
        };
        Self::new(inner, watch)
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.watch.calls.load(Ordering::SeqCst)
    }
}

impl Breaking {
    fn fails(&self, number: u64, moment: Moment) -> Result<(), WorkError> {
        if number == self.breaks_at && moment == self.moment {
            return Err(broken());
        }
        Ok(())
    }
}

#[async_trait]
impl Watch for Breaking {
    async fn before(&self, _call: &'static str) -> Result<u64, WorkError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.fails(number, Moment::Before)?;
        Ok(number)
    }

    async fn after(&self, number: u64) -> Result<(), WorkError> {
        self.fails(number, Moment::After)
    }
}

fn broken() -> WorkError {
    WorkError::Unusable {
        source: "broken by the test".into(),
    }
}

#[async_trait]
impl<W: Watch> Queue for WatchedStore<W> {
    async fn publish(&self, messages: &[Message]) -> Result<(), WorkError> {
        self.pass("publish", self.inner.publish(messages)).await
    }

    async fn claim_until(
        &self,
        queue: QueueName,
        max_wait: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Claim>, WorkError> {
        match self.inner.claim_until(queue, max_wait, stop).await? {
            Some(claim) => self.pass("claim", async { Ok(Some(claim)) }).await,
            None => Ok(None),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass("renew", self.inner.renew(lease)).await
    }

    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass("run_alone", self.inner.run_alone(lease)).await
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass("acknowledge", self.inner.acknowledge(lease))
            .await
    }

    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError> {
        self.pass("release", self.inner.release(lease, release))
            .await
    }

    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        self.pass("backlog", self.inner.backlog()).await
    }

    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError> {
        self.pass("are_known", self.inner.are_known(asked)).await
    }

    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError> {
        self.pass("is_leased", self.inner.is_leased(subject)).await
    }
}

#[async_trait]
impl<W: Watch> Records for WatchedStore<W> {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        self.pass("object", self.inner.object(item)).await
    }

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        self.pass("save_object", self.inner.save_object(lease, record))
            .await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        self.pass("files", self.inner.files(item, batch)).await
    }

    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
        self.pass("batch_sizes", self.inner.batch_sizes(item)).await
    }

    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError> {
        self.pass("batch", self.inner.batch(item, batch)).await
    }

    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError> {
        self.pass("save_files", self.inner.save_files(lease, write))
            .await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        self.pass("checkpoint", self.inner.checkpoint(item)).await
    }

    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError> {
        self.pass(
            "finish_batch",
            self.inner.finish_batch(lease, batch, records, batches),
        )
        .await
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        self.pass("done_batches", self.inner.done_batches(item, queue))
            .await
    }

    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError> {
        self.pass("clear_done", self.inner.clear_done(lease, queues))
            .await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass("clear_records", self.inner.clear_records(lease))
            .await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        self.pass("items_after", self.inner.items_after(after, max))
            .await
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        self.pass("drop_item", self.inner.drop_item(item)).await
    }
}

impl<W: Watch> WorkStore for WatchedStore<W> {
    fn metered(&self, meter: Meter) -> Arc<dyn WorkStore> {
        Arc::new(Self {
            inner: self.inner.metered(meter),
            watch: Arc::clone(&self.watch),
        })
    }
}
