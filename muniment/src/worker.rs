//! `muniment worker`: one worker as the whole process, as each container of an installation runs it.
//!
//! The same file under a worker's name is that worker, so one file is all of them.

use std::ffi::OsString;
use std::process::ExitCode;

use workers::program::Program;

use crate::terminal::Terminal;

/// As clap does with arguments that cannot be understood.
const USAGE: u8 = 2;

/// Runs one worker until SIGTERM, with settings of its own
///
/// For installations of many machines, where each worker is a process of its own; `muniment up` runs all of
/// them in one. A link to this file that is called as a worker is that worker: `ingest_recorder --help` is
/// `muniment worker ingest_recorder --help`. Logs are JSON, a line each, by the filter in `RUST_LOG`.
#[derive(Debug, clap::Args)]
#[command(after_help = list())]
pub(crate) struct WorkerSettings {
    /// Which worker, and its settings: `muniment worker NAME --help` tells them
    #[arg(
        required = true,
        num_args = 1..,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_names = ["NAME", "SETTINGS"]
    )]
    worker: Vec<OsString>,
}

fn list() -> String {
    let lines = Program::all().map(|program| {
        let unbuilt = if program.is_built() {
            ""
        } else {
            " (not built yet: exit code 78)"
        };
        format!("\n  {:<30}{}{unbuilt}", program.name(), program.about())
    });
    format!("Workers:{}", lines.collect::<String>())
}

/// The first of the arguments is the worker's name.
pub(crate) fn main(settings: &WorkerSettings, terminal: &Terminal) -> ExitCode {
    let Some((name, rest)) = settings.worker.split_first() else {
        return ExitCode::from(USAGE);
    };
    let Some(program) = Program::named(name) else {
        let name = name.to_string_lossy();
        terminal.tell(format_args!(
            "muniment: there is no worker {name}; `muniment worker --help` lists them all"
        ));
        return ExitCode::from(USAGE);
    };
    let called = format!("muniment worker {}", program.name());
    program.main([called.into()].into_iter().chain(rest.iter().cloned()))
}
