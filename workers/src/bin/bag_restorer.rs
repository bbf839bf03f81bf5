//! The process of `bag_restorer`, whose step is not built yet.

use std::process::ExitCode;

fn main() -> ExitCode {
    workers::unbuilt::BAG_RESTORER.main()
}
