//! The workers, one file each: settings, how it connects, and what it does.
//!
//! A worker's struct is the list of what it may touch. The run loop around it, and everything the
//! registry's work item says, is `muniment_runtime`'s.

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use muniment_model::QueueName;
use muniment_model::registry::WorkItem;
use muniment_runtime::{Batched, Job, JobError, WorkerEntry};
use muniment_work::{Message, Subject};

pub mod apt_queue;
pub mod ingest_bucket_reader;
pub mod ingest_cleanup;
pub mod ingest_format_identifier;
pub mod ingest_pre_fetch;
pub mod ingest_preservation_uploader;
pub mod ingest_preservation_verifier;
pub mod ingest_recorder;
pub mod ingest_staging_uploader;
pub mod ingest_validator;
pub mod reingest_manager;

pub mod index;
pub mod program;
pub mod to_come;
pub mod unbuilt;

mod premis;
mod rows;
mod staged;
mod upload;

/// Every worker there is, in the order in which a bag meets them; the sweeps first.
pub const fn all() -> &'static [WorkerEntry] {
    const {
        &[
            WorkerEntry::sweep::<ingest_bucket_reader::IngestBucketReader>(),
            WorkerEntry::sweep::<apt_queue::AptQueue>(),
            WorkerEntry::worker::<ingest_pre_fetch::IngestPreFetch>(),
            WorkerEntry::worker::<ingest_validator::IngestValidator>(),
            WorkerEntry::worker::<reingest_manager::ReingestManager>(),
            WorkerEntry::worker::<Batched<ingest_staging_uploader::IngestStagingUploader>>(),
            WorkerEntry::worker::<ingest_format_identifier::IngestFormatIdentifier>(),
            WorkerEntry::worker::<Batched<ingest_preservation_uploader::IngestPreservationUploader>>(
            ),
            WorkerEntry::worker::<Batched<ingest_preservation_verifier::IngestPreservationVerifier>>(
            ),
            WorkerEntry::worker::<Batched<ingest_recorder::IngestRecorder>>(),
            WorkerEntry::worker::<ingest_cleanup::IngestCleanup>(),
        ]
    }
}

/// Members from this size on are staged by the store itself, from their range of the tar; smaller
/// ones are put. Below it, a range copy costs more requests than it saves bytes (architecture,
/// section 8).
pub(crate) const RANGE_COPY_FROM_BYTES: u64 = 16 * 1024 * 1024;

/// The planner's message of an item at the step of this queue.
pub(crate) fn planner_of(item: &WorkItem, queue: QueueName) -> Message {
    Message {
        subject: Subject::Item(item.id),
        queue,
        batch: None,
        institution: item.institution_id,
        size_bytes: item.size,
        files: 0,
    }
}

/// Runs the work on the files of a batch, so many at a time. Ends at the first error; what is
/// under way then is dropped, which every worker's effects must bear.
pub(crate) async fn side_by_side<E>(
    work: Vec<BoxFuture<'_, Result<(), E>>>,
    at_a_time: usize,
) -> Result<(), E> {
    stream::iter(work)
        .buffer_unordered(at_a_time)
        .try_collect()
        .await
}

/// The result, unless the job is told to stop first: then the work is given up where it is. For copies that
/// a store makes by itself, which may take long and lose nothing when they are begun anew.
pub(crate) async fn unless_stopped<T, E: From<JobError>>(
    job: &Job,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::select! {
        biased;
        () = job.stop().cancelled() => Err(JobError::Stopped.into()),
        result = work => result,
    }
}
