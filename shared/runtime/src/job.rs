//! What a worker is, what it is given, and the ways its job can end.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{
    BatchNumber, Class, Classify, Findings, ObjectRecord, Queue, Stage, Status, WorkItemId,
};
use muniment_registry_client::ClientError;
use muniment_work::{Lease, WorkError, WorkStore};
use tokio_util::sync::CancellationToken;

/// What the run loop needs to know of a worker.
#[derive(Clone, Copy, Debug)]
pub struct JobSpec {
    pub queue: Queue,
    /// The stage an item goes on to; `None` after the last.
    pub next: Option<Stage>,
    /// Claims without progress before an operator is asked.
    pub attempts_max: u32,
    /// How long after a failed attempt the next one begins, when no service asked for more.
    pub retry_delay: Duration,
}

/// One stage of the pipeline.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    const SPEC: JobSpec;

    /// Does the stage, or a part of it. Must be safe to repeat from any point.
    async fn run(&self, job: &Job) -> Result<Step, JobError>;
}

/// What a job is about, and what it may use while it holds its lease.
pub struct Job {
    /// As it was when the job began. The run loop writes it; the worker only reads.
    pub item: WorkItem,
    /// The part of the stage this job is, `None` for the stage's planner.
    pub batch: Option<BatchNumber>,
    pub attempt: u32,
    pub lease: Lease,
    pub work: Arc<dyn WorkStore>,
    pub stop: CancellationToken,
}

impl Job {
    pub fn item_id(&self) -> WorkItemId {
        self.item.id
    }

    /// A place where the job can be stopped and continued by another worker.
    pub fn checkpoint(&self) -> Result<(), JobError> {
        if self.stop.is_cancelled() {
            return Err(JobError::Stopped);
        }
        Ok(())
    }

    /// The item's record, which a stage after Receive cannot do without.
    pub async fn object(&self) -> Result<ObjectRecord, JobError> {
        self.work
            .object(self.item_id())
            .await?
            .ok_or(JobError::RecordsLost)
    }

    pub async fn save_object(&self, object: &ObjectRecord) -> Result<(), JobError> {
        Ok(self.work.put_object(&self.lease, object).await?)
    }
}

/// How far a job has brought its stage.
#[derive(Debug)]
pub enum Step {
    /// The stage is done.
    Completed(Completed),
    /// The stage falls into these batches, which are not done yet.
    Split(Vec<BatchNumber>),
    /// One batch is done; `last` when it was the last one missing.
    BatchDone { last: bool },
    /// The item has reached its end.
    Ended(Final),
}

/// A stage that was done.
#[derive(Debug)]
pub struct Completed {
    /// The contract's success note.
    pub note: String,
    /// Where the item goes; `None` for the stage's ordinary successor.
    pub to: Option<Stage>,
    /// Written into the item for Cleanup to obey, by the stage that decides the ending.
    pub intended: Option<Status>,
}

impl Completed {
    pub fn with_note(note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            to: None,
            intended: None,
        }
    }
}

/// The last state of an item.
#[derive(Debug)]
pub struct Final {
    pub status: Status,
    pub outcome: String,
    /// `None` keeps the note that the intended ending came with.
    pub note: Option<String>,
    /// The registry's number of the object, 0 when there is none.
    pub object_id: i64,
}

/// How a job ended when it did not complete.
#[derive(Debug)]
pub enum JobError {
    /// The same job may succeed later. Goes back on the queue; counts as an attempt.
    Retry {
        cause: Box<dyn Error + Send + Sync>,
        after: Option<Duration>,
    },
    /// A service is away. Goes back on the queue, attempt not counted; claims pause.
    Outage { cause: Box<dyn Error + Send + Sync> },
    /// Another work item has to end first. Goes back on the queue, attempt not counted.
    Wait { note: String, after: Duration },
    /// The bag is wrong. Only the depositor can fix it; they see the findings.
    Reject(Findings),
    /// The upload was replaced or withdrawn before anything was stored.
    Cancel { note: String },
    /// Something of ours is wrong. Nothing more happens until an operator looks.
    Halt { note: String },
    /// The work records are gone: the item is taken up again from the tar.
    RecordsLost,
    /// We were told to stop. Goes back on the queue, attempt not counted.
    Stopped,
    /// Another worker may hold the item by now: nothing more is written.
    LeaseLost,
}

impl JobError {
    pub fn halt(note: impl Into<String>) -> Self {
        Self::Halt { note: note.into() }
    }

    /// The ending that an error's class stands for.
    pub fn from_class<E: Classify + Error + Send + Sync + 'static>(error: E) -> Self {
        match error.class() {
            Class::Transient { after } => Self::Retry {
                cause: Box::new(error),
                after,
            },
            Class::Outage => Self::Outage {
                cause: Box::new(error),
            },
            Class::Permanent => Self::Halt {
                note: format!(
                    "{}. Requeue the item when that is settled.",
                    muniment_model::Chain(&error)
                ),
            },
        }
    }

    pub(crate) fn panicked() -> Self {
        Self::Retry {
            cause: "the worker panicked; its log says where".into(),
            after: None,
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
