//! Settings and wiring. The work is in `workers::ingest_staging_uploader`.

use std::process::ExitCode;

use muniment_objects::{Connections, ReceivingSettings, StagingSettings};
use muniment_runtime::{Batched, RuntimeSettings, run_worker};
use workers::ingest_staging_uploader::IngestStagingUploader;

/// Stages files that the first reading left out or lost
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(Batched(IngestStagingUploader {
            receiving: settings.receiving.connect(&s3),
            staging: settings.staging.connect(&s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        }))
    })
}
