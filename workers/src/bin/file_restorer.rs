//! The process of `file_restorer`, whose step is not built yet.

use std::process::ExitCode;

fn main() -> ExitCode {
    workers::unbuilt::FILE_RESTORER.main()
}
