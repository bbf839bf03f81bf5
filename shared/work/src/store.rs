//! What a worker process sees of the shared work: [`Queue`] and [`Records`], whatever keeps them.
//!
//! Every write to a record, and every way to end a claim, carries the lease of the work it belongs
//! to, and answers [`WorkError::LeaseLost`] without having written once the store holds another
//! token for it, or none. Each call is one round trip, ends within a time limit, and either happens
//! as a whole or not at all; a future that is dropped halfway may be either. All of them are
//! idempotent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_meter::Meter;
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, QueueName, WorkItemId};
use tokio_util::sync::CancellationToken;

use crate::{Claim, Lease, Message, Release, Subject, WorkError};

/// How much there is to do in one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub ready: u64,
    pub leased: u64,
    pub due: u64,
    /// Of all three together.
    pub size_bytes: u64,
    /// Of the batches among them.
    pub files: u64,
}

/// What is to be done, and who is doing it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes work known, in one step. A message that is already there stays as it is: ready, due
    /// or leased. One that is leased becomes ready anew when its holder acknowledges it, because
    /// the holder may have looked before there was anything to see.
    async fn publish(&self, messages: &[Message]) -> Result<(), WorkError>;

    /// Takes the next message of the queue, waiting for one up to `max_wait`, and no longer once told to
    /// stop; a claim that is being made then is seen to its end.
    ///
    /// Await it to its end where you can: dropped in the moment in which the claim is written, it
    /// leaves a lease without a holder, which runs out after [`crate::LEASE_FOR`].
    async fn claim_until(
        &self,
        queue: QueueName,
        max_wait: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Claim>, WorkError>;

    /// As [`Self::claim_until`], where nobody says stop.
    async fn claim(
        &self,
        queue: QueueName,
        max_wait: Duration,
    ) -> Result<Option<Claim>, WorkError> {
        let nobody = CancellationToken::new();
        self.claim_until(queue, max_wait, &nobody).await
    }

    /// Holds the lease for another [`crate::LEASE_FOR`] from now.
    async fn renew(&self, lease: &Lease) -> Result<(), WorkError>;

    /// Notes that nothing else runs in the holder's process: if it vanishes now, this work is what
    /// ended it.
    async fn run_alone(&self, lease: &Lease) -> Result<(), WorkError>;

    /// The work is done: its message vanishes, unless it was published again meanwhile. Succeeds
    /// for what is no longer there, because it was acknowledged or its item dropped.
    async fn acknowledge(&self, lease: &Lease) -> Result<(), WorkError>;

    /// Gives the lease up; the message is claimed again.
    async fn release(&self, lease: &Lease, release: Release) -> Result<(), WorkError>;

    /// What there is to do, for every queue.
    async fn backlog(&self) -> Result<BTreeMap<QueueName, Backlog>, WorkError>;

    /// For each of these, whether the queue has any message of the subject, be it ready, leased or
    /// due, of the planner or of a batch.
    async fn are_known(&self, asked: &[(Subject, QueueName)]) -> Result<Vec<bool>, WorkError>;

    /// Whether anybody holds a lease on the subject, in whichever queue, that has not run out.
    async fn is_leased(&self, subject: Subject) -> Result<bool, WorkError>;
}

/// File records to be written, and what moves with them in the same step.
#[derive(Clone, Copy, Debug)]
pub struct FileWrite<'a> {
    pub batch: BatchNumber,
    /// The batch's records from here on are replaced; those before it stay.
    pub from_index: usize,
    pub records: &'a [FileRecord],
    pub checkpoint: Option<&'a Checkpoint>,
    pub progress: Progress,
}

/// Whether a write shows that the work has come further than ever before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Attempts and vanished holders count from the start again.
    Made,
    NotMade,
}

/// What is known of a batch that a job works on.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRecords {
    pub object: Option<ObjectRecord>,
    /// In tar order; none for a batch that was never written.
    pub files: Vec<FileRecord>,
}

/// How much one batch holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSize {
    pub files: u32,
    pub bytes: u64,
}

/// Which batches of an item are done in one step, after one more was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchesDone {
    /// Whether this call marked the batch, rather than one before it.
    pub newly: bool,
    pub done: u32,
}

/// What workers tell each other about an item.
#[async_trait]
pub trait Records: Send + Sync {
    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError>;

    async fn save_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError>;

    /// The records of one batch in tar order; none for a batch that was never written.
    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError>;

    /// How much each batch holds, those without records left out. Reads no record.
    async fn batch_sizes(
        &self,
        item: WorkItemId,
    ) -> Result<BTreeMap<BatchNumber, BatchSize>, WorkError>;

    /// The object's record and those of one batch.
    async fn batch(&self, item: WorkItemId, batch: BatchNumber) -> Result<BatchRecords, WorkError>;

    async fn save_files(&self, lease: &Lease, write: FileWrite<'_>) -> Result<(), WorkError>;

    /// How far pass one has come; `None` before its first checkpoint.
    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError>;

    /// Ends the work on a batch in the lease's step, in one step: replaces all of its records when
    /// they are given, marks it as done, and acknowledges its message. If that makes `batches`
    /// batches done, the step's planner is published as well, so that exactly one batch wakes it
    /// and no crash can lose the wake-up.
    ///
    /// A planner that did the batch itself keeps its lease and wakes nobody.
    async fn finish_batch(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
        batches: u32,
    ) -> Result<BatchesDone, WorkError>;

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: QueueName,
    ) -> Result<BTreeSet<BatchNumber>, WorkError>;

    /// Forgets which batches of the lease's item are done in the steps of these queues.
    async fn clear_done(&self, lease: &Lease, queues: &[QueueName]) -> Result<(), WorkError>;

    /// Starts the item over: removes its file records, checkpoint and done marks, and every
    /// message of it but the lease's own, since they name batches that are no more. The object
    /// record stays, because it counts the readings of the tar.
    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError>;

    /// The items that anything is kept of, be it a record, a done mark or a message: the first `max`
    /// whose ids are greater than `after`, in their order.
    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError>;

    /// Removes everything about the item: records, done marks, messages and leases. A holder of one
    /// of its leases has lost it.
    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError>;
}

/// A whole work store.
pub trait WorkStore: Queue + Records {
    /// The same store; `meter` counts the calls that are made through what is answered. Idle claims are
    /// counted apart from those that were given work.
    fn metered(&self, meter: Meter) -> Arc<dyn WorkStore>;
}
