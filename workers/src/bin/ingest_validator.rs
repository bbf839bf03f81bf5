//! Settings and wiring. The work is in `workers::ingest_validator`.

use std::process::ExitCode;

use muniment_objects::{Connections, StagingSettings};
use muniment_runtime::{RuntimeSettings, run_worker};
use workers::ingest_validator::IngestValidator;

/// Holds each bag to BagIt and to its profile
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    staging: StagingSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(IngestValidator {
            staging: settings.staging.connect(&s3),
            namespace: services.registry.installation().await?.namespace,
        })
    })
}
