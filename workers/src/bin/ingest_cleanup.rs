//! The process of `workers::ingest_cleanup`.

use std::process::ExitCode;

use muniment_runtime::run_worker;
use workers::ingest_cleanup::IngestCleanup;

fn main() -> ExitCode {
    run_worker::<IngestCleanup>()
}
