//! The process of `workers::ingest_pre_fetch`.

use std::process::ExitCode;

use muniment_runtime::run_worker;
use workers::ingest_pre_fetch::IngestPreFetch;

fn main() -> ExitCode {
    run_worker::<IngestPreFetch>()
}
