//! What a worker sees of the shared work: the queue and the records, whatever keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::{BatchNumber, Checkpoint, FileRecord, ObjectRecord, Queue, WorkItemId};

use crate::{Claim, Lease, Message, Settlement, WorkError};

/// How much there is to do in one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub ready: u64,
    pub leased: u64,
    pub due: u64,
    /// Of all three together.
    pub size_bytes: u64,
}

/// How much the store holds. A test asserts that nothing is left over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub messages: u64,
    pub object_records: u64,
    pub file_records: u64,
    pub checkpoints: u64,
    pub done_marks: u64,
}

impl Contents {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The queue and the records of all items.
///
/// Every write to a record carries the lease of the work it belongs to, and answers
/// [`WorkError::LeaseLost`] without having written once the store holds another token for it, or
/// none. Each call either happens as a whole or not at all; a future that is dropped halfway may
/// be either. All of them may be repeated.
#[async_trait]
pub trait WorkStore: Send + Sync {
    /// Makes work known. A message that is already there stays as it is: ready, due or leased.
    /// One that is leased becomes ready anew when its holder settles it as done, because the
    /// holder may have looked before there was anything to see.
    async fn publish(&self, message: &Message) -> Result<(), WorkError>;

    /// Takes the next message of the queue, waiting for one up to `max_wait`.
    ///
    /// Await it to its end where you can: dropped in the moment in which the claim is written, it
    /// leaves a lease without a holder, which runs out after [`crate::LEASE_FOR`].
    async fn claim(&self, queue: Queue, max_wait: Duration) -> Result<Option<Claim>, WorkError>;

    /// Holds the lease for another [`crate::LEASE_FOR`] from now.
    async fn renew(&self, lease: &Lease) -> Result<(), WorkError>;

    /// Gives the lease up. Settling as done what is no longer there, because it was settled or
    /// its item dropped, succeeds: it is done.
    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<(), WorkError>;

    /// The work has come further than ever before: attempts count from the start again.
    async fn progress(&self, lease: &Lease) -> Result<(), WorkError>;

    /// What there is to do, for every queue.
    async fn waiting(&self) -> Result<BTreeMap<Queue, Waiting>, WorkError>;

    /// Whether the item has any message, be it ready, leased or due.
    async fn is_known(&self, item: WorkItemId) -> Result<bool, WorkError>;

    async fn object(&self, item: WorkItemId) -> Result<Option<ObjectRecord>, WorkError>;

    async fn put_object(&self, lease: &Lease, record: &ObjectRecord) -> Result<(), WorkError>;

    /// The records of one batch in tar order; none for a batch that was never written.
    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError>;

    /// Replaces the records of the batch from `from_index` on, keeps those before it, and moves
    /// the checkpoint in the same step when there is one.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing that the one step writes"
    )]
    async fn put_files(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        from_index: usize,
        records: &[FileRecord],
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), WorkError>;

    /// How far pass one has come; `None` before its first checkpoint.
    async fn checkpoint(&self, item: WorkItemId) -> Result<Option<Checkpoint>, WorkError>;

    /// Marks the batch as done in the stage of the lease, writing all of its records in the same
    /// step when they are given. Answers how many batches of the item are done in that stage.
    async fn mark_done(
        &self,
        lease: &Lease,
        batch: BatchNumber,
        records: Option<&[FileRecord]>,
    ) -> Result<u64, WorkError>;

    async fn done_batches(
        &self,
        item: WorkItemId,
        queue: Queue,
    ) -> Result<BTreeSet<BatchNumber>, WorkError>;

    /// Forgets which batches of the lease's item are done in the stage of `queue`.
    async fn clear_done(&self, lease: &Lease, queue: Queue) -> Result<(), WorkError>;

    /// Starts the item over: removes its file records, checkpoint and done marks, and every
    /// message of it but the lease's own, since they name batches that are no more. The object
    /// record stays, because it counts the readings of the tar.
    async fn clear_records(&self, lease: &Lease) -> Result<(), WorkError>;

    /// Removes everything about the item: records, done marks, messages and leases. Whoever still
    /// holds one of its leases has lost it.
    async fn drop_item(&self, item: WorkItemId) -> Result<(), WorkError>;

    async fn contents(&self) -> Result<Contents, WorkError>;
}
