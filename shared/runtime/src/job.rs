//! What a worker is, what it is given, and the ways its job can end.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{
    BatchNumber, Checkpoint, Class, Classify, Dependency, FileRecord, Findings, ObjectRecord,
    QueueName, Stage, Stamp, Status, WorkItemId,
};
use muniment_registry_client::ClientError;
use muniment_work::{BatchRecords, BatchSize, Claim, FileWrite, Lease, WorkError, WorkStore};
use tokio_util::sync::CancellationToken;

use crate::lease::LeaseClock;
use crate::services::Services;
use crate::settings::StartError;
use crate::subject::Subject;

/// One step of a pipeline: its settings, how it connects, and what it does.
#[async_trait]
pub trait Worker: Sized + Send + Sync + 'static {
    const QUEUE: QueueName;
    /// One line for `--help`.
    const ABOUT: &'static str;

    /// What its jobs are about: a work item, or a file.
    type Subject: Subject;
    /// What it has to be told beside the registry and the work store.
    type Settings: clap::Args + Send + Sync;

    /// Makes the worker from its settings. Asks the registry at most for what never changes.
    async fn connect(settings: &Self::Settings, services: &Services) -> Result<Self, StartError>;

    /// What has to be so before the step begins, asked before the work item says that it has: one
    /// that waits ([`JobError::Wait`]) is looked at often, and not written as often.
    async fn may_begin(&self, _job: &Job<Self::Subject>) -> Result<(), JobError> {
        Ok(())
    }

    /// Does the step, or a part of it. Must be idempotent from any point.
    async fn run(&self, job: &Job<Self::Subject>) -> Result<Completed, JobError>;
}

/// What a job is about, and the only way to what it may use while it holds its lease.
pub struct Job<S = WorkItem> {
    subject: S,
    batch: Option<BatchNumber>,
    lease: Lease,
    clock: Arc<LeaseClock>,
    work: Arc<dyn WorkStore>,
    stop: CancellationToken,
}

impl<S> Job<S> {
    pub(crate) fn new(
        subject: S,
        claim: &Claim,
        clock: Arc<LeaseClock>,
        work: Arc<dyn WorkStore>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            subject,
            batch: claim.message.batch,
            lease: claim.lease,
            clock,
            work,
            stop,
        }
    }

    /// The same job, of the subject as it was written meanwhile.
    pub(crate) fn about(self, subject: S) -> Self {
        Self { subject, ..self }
    }

    /// As it was when the job began.
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// The part of the step this job is, `None` for the step's planner.
    pub fn batch(&self) -> Option<BatchNumber> {
        self.batch
    }

    /// Fires when the process is told to stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// A point at which the job can be stopped and continued by another worker.
    pub fn may_stop(&self) -> Result<(), JobError> {
        if self.stop.is_cancelled() {
            return Err(JobError::Stopped);
        }
        Ok(())
    }

    /// To be asked before each delete: nothing may be deleted by a job that might not hold its
    /// lease any more when the delete arrives.
    pub fn require_lease(&self) -> Result<(), JobError> {
        if self.clock.allows_a_delete() {
            Ok(())
        } else {
            Err(JobError::LeaseLost)
        }
    }
}

impl Job<WorkItem> {
    /// The run loop writes it; the worker only reads.
    pub fn item(&self) -> &WorkItem {
        &self.subject
    }

    pub fn item_id(&self) -> WorkItemId {
        self.subject.id
    }

    /// The item's record, which a step after Validate cannot do without. One that lacks what the stages
    /// before have found counts as lost.
    pub async fn object(&self) -> Result<ObjectRecord, JobError> {
        let found = self.find_object().await?;
        found
            .filter(|object| self.suffices(object))
            .ok_or(JobError::RecordsLost)
    }

    fn suffices(&self, object: &ObjectRecord) -> bool {
        object.stamp >= Stamp::before(self.item().stage)
    }

    pub async fn find_object(&self) -> Result<Option<ObjectRecord>, JobError> {
        Ok(self.work.object(self.item_id()).await?)
    }

    pub async fn save_object(&self, object: &ObjectRecord) -> Result<(), JobError> {
        Ok(self.work.save_object(&self.lease, object).await?)
    }

    /// The records of one batch in tar order; none for a batch that was never written.
    pub async fn files(&self, batch: BatchNumber) -> Result<Vec<FileRecord>, JobError> {
        Ok(self.work.files(self.item_id(), batch).await?)
    }

    /// The records of a batch that must be there.
    pub(crate) async fn records(
        &self,
        batch: BatchNumber,
    ) -> Result<(ObjectRecord, Vec<FileRecord>), JobError> {
        let BatchRecords { object, files } = self.work.batch(self.item_id(), batch).await?;
        match object {
            Some(object) if self.suffices(&object) && !files.is_empty() => Ok((object, files)),
            Some(_) | None => Err(JobError::RecordsLost),
        }
    }

    pub async fn save(&self, write: FileWrite<'_>) -> Result<(), JobError> {
        Ok(self.work.save_files(&self.lease, write).await?)
    }

    /// Replaces all records of the batch.
    pub async fn save_batch(
        &self,
        batch: BatchNumber,
        records: &[FileRecord],
    ) -> Result<(), JobError> {
        self.save(FileWrite {
            batch,
            from_index: 0,
            records,
            checkpoint: None,
            progress: muniment_work::Progress::NotMade,
        })
        .await
    }

    /// How far pass one has come; `None` before its first checkpoint.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, JobError> {
        Ok(self.work.checkpoint(self.item_id()).await?)
    }

    /// Starts the item over: its file records, checkpoint and done marks go.
    pub async fn clear_records(&self) -> Result<(), JobError> {
        Ok(self.work.clear_records(&self.lease).await?)
    }

    /// Makes these steps do all their batches again when the item comes to them.
    pub async fn clear_done(&self, queues: &[QueueName]) -> Result<(), JobError> {
        Ok(self.work.clear_done(&self.lease, queues).await?)
    }

    /// The batches of this step that are not done yet.
    pub(crate) async fn missing_batches(&self, batches: u32) -> Result<Vec<BatchNumber>, JobError> {
        let queue = self.lease.identity.queue;
        let done = self.work.done_batches(self.item_id(), queue).await?;
        Ok((0..batches)
            .map(BatchNumber)
            .filter(|batch| !done.contains(batch))
            .collect())
    }

    /// These batches and how much each of them holds.
    pub(crate) async fn sized(
        &self,
        batches: &[BatchNumber],
    ) -> Result<Vec<(BatchNumber, BatchSize)>, JobError> {
        let sizes = self.work.batch_sizes(self.item_id()).await?;
        let size = |batch| sizes.get(batch).copied().unwrap_or_default();
        Ok(batches.iter().map(|batch| (*batch, size(batch))).collect())
    }

    /// For a planner that does the only batch itself.
    pub(crate) async fn finish_own_batch(&self, done: &BatchDone) -> Result<(), JobError> {
        let records = done.records.as_deref();
        self.work
            .finish_batch(&self.lease, done.batch, records, done.batches)
            .await?;
        Ok(())
    }
}

/// What a job has completed.
#[derive(Debug)]
pub enum Completed {
    /// The step; the item goes on to the next.
    Step(StepDone),
    /// The step in an unusual way: the item goes to this stage of its pipeline.
    GoTo { stage: Stage, note: String },
    /// The planning: these batches are not done yet.
    Planned(Vec<(BatchNumber, BatchSize)>),
    /// One batch.
    Batch(BatchDone),
    /// The last step: the subject has reached its end.
    Subject(Final),
}

impl Completed {
    /// The step, with the note that its pipeline has for it.
    pub fn step() -> Self {
        Self::Step(StepDone::default())
    }
}

/// A step that was done.
#[derive(Debug, Default)]
pub struct StepDone {
    /// Written into the item for the last step to obey, by the step that decides the ending.
    pub intended: Option<Status>,
}

/// A batch that was done.
#[derive(Debug, PartialEq)]
pub struct BatchDone {
    pub(crate) batch: BatchNumber,
    /// `None` when no record has changed.
    pub(crate) records: Option<Vec<FileRecord>>,
    /// How many batches the item has.
    pub(crate) batches: u32,
}

/// The last state of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    pub status: Status,
    pub outcome: String,
    /// `None` keeps the note that the intended ending came with.
    pub note: Option<String>,
    /// The registry's number of the object, 0 when the item is to keep what it names.
    pub object_id: i64,
}

/// Why a job did not complete.
#[derive(Debug)]
pub enum JobError {
    /// The same job may succeed later. Counts as an attempt.
    Retry {
        cause: Box<dyn Error + Send + Sync>,
        after: Option<Duration>,
    },
    /// The work records are gone or older than the step: they are made again. Counts as an attempt.
    RecordsLost,
    /// What an earlier step made is gone or changed: that step makes it again.
    GoBack { stage: Stage, note: String },
    /// The bag is wrong. Only the depositor can fix it; they see the findings.
    Reject(Findings),
    /// The upload was replaced or withdrawn before anything was stored.
    Cancel { note: String },
    /// Something of ours is wrong. Nothing more happens until an operator looks.
    Halt { note: String },
    /// We were told to stop. No attempt is counted.
    Stopped,
    /// A dependency is away. No attempt is counted; what needs it waits.
    Outage {
        dependency: Dependency,
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Another work item has to end first ([`Worker::may_begin`]). No attempt is counted.
    Wait { note: String, after: Duration },
    /// Another worker may hold the subject by now: nothing more is written.
    LeaseLost,
}

impl JobError {
    pub fn halt(note: impl Into<String>) -> Self {
        Self::Halt { note: note.into() }
    }

    pub fn retry(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry {
            cause: cause.into(),
            after: None,
        }
    }

    /// What an error's class means for the job.
    pub fn from_class<E: Classify + Error + Send + Sync + 'static>(error: E) -> Self {
        match error.class() {
            Class::Transient { after } => Self::Retry {
                cause: Box::new(error),
                after,
            },
            Class::Outage(dependency) => Self::Outage {
                dependency,
                cause: Box::new(error),
            },
            Class::Permanent => Self::Halt {
                note: format!(
                    "{}. Requeue the item when that is resolved.",
                    muniment_model::Chain(&error)
                ),
            },
        }
    }
}

impl From<WorkError> for JobError {
    fn from(error: WorkError) -> Self {
        if matches!(error, WorkError::LeaseLost { .. }) {
            return Self::LeaseLost;
        }
        Self::from_class(error)
    }
}

impl From<ClientError> for JobError {
    fn from(error: ClientError) -> Self {
        Self::from_class(error)
    }
}

impl From<muniment_objects::StorageError> for JobError {
    fn from(error: muniment_objects::StorageError) -> Self {
        if matches!(error, muniment_objects::StorageError::Stopped) {
            return Self::Stopped;
        }
        Self::from_class(error)
    }
}
