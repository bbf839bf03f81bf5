//! The process of `workers::ingest_staging_uploader`.

use std::process::ExitCode;

use muniment_runtime::{Batched, run_worker};
use workers::ingest_staging_uploader::IngestStagingUploader;

fn main() -> ExitCode {
    run_worker::<Batched<IngestStagingUploader>>()
}
