//! Settings and wiring. The work is in `workers::ingest_pre_fetch`.

use std::process::ExitCode;

use muniment_objects::{Connections, ReceivingSettings, StagingSettings};
use muniment_runtime::{RuntimeSettings, run_worker};
use workers::ingest_pre_fetch::IngestPreFetch;

/// Reads each new bag once: digests, identifies and stages its files
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
        Ok(IngestPreFetch {
            receiving: settings.receiving.connect(&s3),
            staging: settings.staging.connect(&s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        })
    })
}
