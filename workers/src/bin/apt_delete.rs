//! The process of `apt_delete`, whose step is not built yet.

use std::process::ExitCode;

fn main() -> ExitCode {
    workers::unbuilt::APT_DELETE.main()
}
