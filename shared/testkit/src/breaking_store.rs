//! A work store whose n-th call fails, before or after it took effect.
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

/// Whether the call that fails has taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Fails one call, and passes on all others.
pub struct BreakingStore {
    inner: Arc<dyn WorkStore>,
    calls: Arc<AtomicU64>,
    breaks_at: u64,
    moment: Moment,
}

impl BreakingStore {
    /// Calls count from 1; at 0 none fails. Claims that find nothing are not counted.
    pub fn new(inner: Arc<dyn WorkStore>, breaks_at: u64, moment: Moment) -> Self {
        Self {
            inner,
            calls: Arc::default(),
            breaks_at,
            moment,
        }
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn pass<T>(
        &self,
        call: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let breaks = self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.breaks_at;
        if breaks && self.moment == Moment::Before {
            return Err(broken());
        }
        let answer = call.await;
        if breaks { Err(broken()) } else { answer }
    }
}

fn broken() -> WorkError {
    WorkError::Unusable {
        source: "broken by the test".into(),
    }
}

#[async_trait]
impl Queue for BreakingStore {
    async fn publish(&self, messages: &[Message]) -> Result<(), WorkError> {
        self.pass(self.inner.publish(messages)).await
    }

    async fn claim(
        &self,
        queue: QueueName,
        max_wait: Duration,
    ) -> Result<Option<Claim>, WorkError> {
        match self.inner.claim(queue, max_wait).await? {
            Some(claim) => self.pass(async { Ok(Some(claim)) }).await,
            None => Ok(None),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass(self.inner.renew(lease)).await
    }

    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass(self.inner.run_alone(lease)).await
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass(self.inner.acknowledge(lease)).await
    }

    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError> {
        self.pass(self.inner.release(lease, release)).await
    }

    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        self.pass(self.inner.backlog()).await
    }

    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError> {
        self.pass(self.inner.are_known(asked)).await
    }

    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError> {
        self.pass(self.inner.is_leased(subject)).await
    }
}

#[async_trait]
impl Records for BreakingStore {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError> {
        self.pass(self.inner.object(item)).await
    }

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError> {
        self.pass(self.inner.save_object(lease, record)).await
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        self.pass(self.inner.files(item, batch)).await
    }

    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError> {
        self.pass(self.inner.batch_sizes(item)).await
    }

    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError> {
        self.pass(self.inner.batch(item, batch)).await
    }

    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError> {
        self.pass(self.inner.save_files(lease, write)).await
    }

    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError> {
        self.pass(self.inner.checkpoint(item)).await
    }

    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError> {
        self.pass(self.inner.finish_batch(lease, batch, records, batches))
            .await
    }

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError> {
        self.pass(self.inner.done_batches(item, queue)).await
    }

    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError> {
        self.pass(self.inner.clear_done(lease, queues)).await
    }

    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError> {
        self.pass(self.inner.clear_records(lease)).await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        self.pass(self.inner.items_after(after, max)).await
    }

    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError> {
        self.pass(self.inner.drop_item(item)).await
    }
}

impl WorkStore for BreakingStore {
    fn metered(&self, meter: Meter) -> Arc<dyn WorkStore> {
        Arc::new(Self {
            inner: self.inner.metered(meter),
            calls: Arc::clone(&self.calls),
            breaks_at: self.breaks_at,
            moment: self.moment,
        })
    }
}
