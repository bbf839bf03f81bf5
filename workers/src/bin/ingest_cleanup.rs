//! Settings and wiring. The work is in `workers::ingest_cleanup`.

use std::process::ExitCode;

use muniment_objects::{Connections, ReceivingSettings, RecordsSettings, StagingSettings};
use muniment_runtime::{RuntimeSettings, run_worker};
use workers::ingest_cleanup::IngestCleanup;

/// Cleans up after each item and gives it its last status
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
    records: RecordsSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(IngestCleanup {
            registry: services.registry.clone(),
            receiving: settings.receiving.connect(&s3),
            staging: settings.staging.connect(&s3),
            records: settings.records.connect(&s3),
        })
    })
}
