//! Settings and wiring. The work is in `workers::ingest_bucket_reader`.

use std::process::ExitCode;

use muniment_objects::{Connections, ReceivingSettings};
use muniment_runtime::{RuntimeSettings, run_sweep_process};
use workers::ingest_bucket_reader::{IngestBucketReader, OperatorSettings, PERIOD};

/// Finds new bags in the receiving buckets
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    operator: OperatorSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_sweep_process(PERIOD, async |settings: &Settings, services| {
        let s3 = Connections::new(services.stop.clone());
        let operator = settings.operator.find(&services.registry).await?;
        let receiving = settings.receiving.connect(&s3);
        Ok(IngestBucketReader::new(services, receiving, operator))
    })
}
