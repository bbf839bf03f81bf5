//! Settings and wiring. The work is in `workers::ingest_format_identifier`.

use std::process::ExitCode;

use muniment_runtime::{RuntimeSettings, run_worker};
use workers::ingest_format_identifier::IngestFormatIdentifier;

/// Looks into containers whose first bytes do not tell their format
#[derive(clap::Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    runtime: RuntimeSettings,
}

muniment_runtime::has_runtime_settings!(Settings);

fn main() -> ExitCode {
    run_worker(async |_settings: &Settings, _services| Ok(IngestFormatIdentifier))
}
