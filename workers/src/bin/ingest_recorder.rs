//! Settings and wiring. The work is in `workers::ingest_recorder`.

use std::process::ExitCode;

use muniment_objects::{Connections, PreservationSettings, RecordsSettings, StagingSettings};
use muniment_runtime::{Batched, RuntimeSettings, run_worker};
use workers::ingest_recorder::IngestRecorder;

/// Records objects, files, copies and events in the registry
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    preservation: PreservationSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    records: RecordsSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        Ok(Batched(IngestRecorder {
            registry: services.registry.clone(),
            preservation: settings.preservation.connect(&s3)?,
            staging: settings.staging.connect(&s3),
            records: settings.records.connect(&s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        }))
    })
}
