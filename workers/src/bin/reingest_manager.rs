//! The process of `workers::reingest_manager`.

use std::process::ExitCode;

use muniment_runtime::run_worker;
use workers::reingest_manager::ReingestManager;

fn main() -> ExitCode {
    run_worker::<ReingestManager>()
}
