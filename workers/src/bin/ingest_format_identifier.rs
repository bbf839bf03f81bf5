//! The process of `workers::ingest_format_identifier`.

use std::process::ExitCode;

use muniment_runtime::run_worker;
use workers::ingest_format_identifier::IngestFormatIdentifier;

fn main() -> ExitCode {
    run_worker::<IngestFormatIdentifier>()
}
