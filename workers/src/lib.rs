//! The ten ingest workers and the reconciler, one file each.
//!
//! A worker's struct is the list of what it may touch. The run loop around it, and everything the
//! registry's work item says, is `muniment_runtime`'s.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

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

mod index;
mod premis;
mod upload;

/// How long a failed attempt rests before the next (worker contract, 1.3).
pub(crate) const RETRY_DELAY: Duration = Duration::from_mins(1);

/// Members from this size on are staged by the store itself, from their range of the tar; smaller
/// ones are put. Below it, a range copy costs more requests than it saves bytes (architecture,
/// section 8).
pub(crate) const RANGE_COPY_FROM_BYTES: u64 = 16 * 1024 * 1024;

/// What a file without a known format is stored and recorded as (worker contract, 1.8).
pub(crate) const UNKNOWN_FORMAT: &str = "application/binary";

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
