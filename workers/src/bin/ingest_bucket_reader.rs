//! The process of `workers::ingest_bucket_reader`.

use std::process::ExitCode;

use muniment_runtime::run_sweep;
use workers::ingest_bucket_reader::IngestBucketReader;

fn main() -> ExitCode {
    run_sweep::<IngestBucketReader>()
}
