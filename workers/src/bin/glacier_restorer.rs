//! The process of `glacier_restorer`, whose step is not built yet.

use std::process::ExitCode;

fn main() -> ExitCode {
    workers::unbuilt::GLACIER_RESTORER.main()
}
