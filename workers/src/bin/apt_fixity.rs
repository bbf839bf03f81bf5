//! The process of `apt_fixity`, whose step is not built yet.

use std::process::ExitCode;

fn main() -> ExitCode {
    workers::unbuilt::APT_FIXITY.main()
}
