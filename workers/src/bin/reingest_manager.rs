//! Settings and wiring. The work is in `workers::reingest_manager`.

use std::process::ExitCode;

use muniment_runtime::{RuntimeSettings, run_worker};
use workers::reingest_manager::ReingestManager;

/// Takes the object's turn and compares the bag with what is recorded
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |_settings: &Settings, services| {
        Ok(ReingestManager {
            registry: services.registry.clone(),
            namespace: services.registry.installation().await?.namespace,
        })
    })
}
