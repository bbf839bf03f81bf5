//! The process of `workers::apt_queue`.

use std::process::ExitCode;

use muniment_runtime::run_sweep;
use workers::apt_queue::AptQueue;

fn main() -> ExitCode {
    run_sweep::<AptQueue>()
}
