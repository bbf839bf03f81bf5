//! The process of `workers::ingest_validator`.

use std::process::ExitCode;

use muniment_runtime::run_worker;
use workers::ingest_validator::IngestValidator;

fn main() -> ExitCode {
    run_worker::<IngestValidator>()
}
