//! The process of `workers::ingest_preservation_verifier`.

use std::process::ExitCode;

use muniment_runtime::{Batched, run_worker};
use workers::ingest_preservation_verifier::IngestPreservationVerifier;

fn main() -> ExitCode {
    run_worker::<Batched<IngestPreservationVerifier>>()
}
