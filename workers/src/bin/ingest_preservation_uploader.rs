//! The process of `workers::ingest_preservation_uploader`.

use std::process::ExitCode;

use muniment_runtime::{Batched, run_worker};
use workers::ingest_preservation_uploader::IngestPreservationUploader;

fn main() -> ExitCode {
    run_worker::<Batched<IngestPreservationUploader>>()
}
