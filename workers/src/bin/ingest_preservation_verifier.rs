//! Settings and wiring. The work is in `workers::ingest_preservation_verifier`.

use std::process::ExitCode;

use muniment_objects::{Connections, PreservationSettings};
use muniment_runtime::{Batched, RuntimeSettings, run_worker};
use workers::ingest_preservation_verifier::IngestPreservationVerifier;

/// Confirms by digest that every copy we stored is there
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    preservation: PreservationSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(Batched(IngestPreservationVerifier {
            preservation: settings.preservation.connect(&s3)?,
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        }))
    })
}
