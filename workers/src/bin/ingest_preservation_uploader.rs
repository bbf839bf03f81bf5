//! Settings and wiring. The work is in `workers::ingest_preservation_uploader`.

use std::process::ExitCode;

use muniment_objects::{Connections, PreservationSettings, ReceivingSettings, StagingSettings};
use muniment_runtime::{Batched, RuntimeSettings, run_worker};
use workers::ingest_preservation_uploader::IngestPreservationUploader;

/// Copies each file to the preservation buckets of its storage option
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    preservation: PreservationSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(Batched(IngestPreservationUploader {
            receiving: settings.receiving.connect(&s3),
            staging: settings.staging.connect(&s3),
            preservation: settings.preservation.connect(&s3)?,
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        }))
    })
}
