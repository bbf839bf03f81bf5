//! Settings and wiring. The work is in `workers::apt_queue`.

use std::process::ExitCode;

use muniment_runtime::{RuntimeSettings, run_sweep_process};
use workers::apt_queue::{AptQueue, PERIOD};

/// Queues open work items again that have no message
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_sweep_process(PERIOD, async |_settings: &Settings, services| {
        Ok(AptQueue {
            registry: services.registry.clone(),
            work: services.work(),
        })
    })
}
