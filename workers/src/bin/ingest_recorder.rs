//! The process of `workers::ingest_recorder`.

use std::process::ExitCode;

use muniment_runtime::{Batched, run_worker};
use workers::ingest_recorder::IngestRecorder;

fn main() -> ExitCode {
    run_worker::<Batched<IngestRecorder>>()
}
