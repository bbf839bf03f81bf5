//! The command `muniment`: the whole system on one machine, and a depositor's tools for it.
//!
//! One file per command. `up/` starts and stops the system; `demo` and the tests use it as `up`
//! does. Everything else talks S3 and REST like any other client, so it works as well with an
//! installation that is elsewhere.

pub mod access;
mod bag_path;
mod cancel;
mod completions;
pub mod data_folder;
mod demo;
mod deposit;
mod error;
pub mod follow;
mod inspect;
mod item;
pub mod local_bag;
mod orders;
mod renew_key;
mod requeue;
mod room;
mod status;
mod table;
mod terminal;
pub mod up;
mod validate;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use muniment_model::Chain;
use tracing_subscriber::EnvFilter;
use workers::program::Program;

pub use error::CommandError;
pub use terminal::Terminal;

/// Blocking work (reading a folder, hashing a file) may outlive the command that began it by this
/// much.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(2);

/// Takes in bags, checks them, keeps every file in several places, and can show it
///
/// A bag is a BagIt folder packed as a tar file. It goes into a receiving bucket (by `muniment
/// deposit`, or by any S3 client), through ten workers, and into the preservation buckets its storage
/// option names; the registry says what is kept where, with digests and events.
#[derive(Debug, Parser)]
#[command(name = "muniment", version, after_long_help = FIRST_STEPS)]
struct Muniment {
    /// What to log to standard error: a level, or levels by part, as `warn,workers=debug`
    #[arg(
        long,
        global = true,
        env = "MUNIMENT_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    log: String,

    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  muniment demo                     watch sample bags, good and bad, go all the way
  muniment up                       start the system and leave it running
  muniment validate photos.tar      check a bag before it is deposited
  muniment deposit --wait photos.tar
  muniment status";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    OfUs(Box<OwnCommand>),
    Worker(worker::WorkerSettings),
}

/// What this command does by itself.
#[derive(Debug, Subcommand)]
enum OwnCommand {
    Up(up::UpSettings),
    Demo(demo::DemoSettings),
    Deposit(deposit::DepositSettings),
    Status(status::StatusSettings),
    Validate(validate::ValidateSettings),
    Inspect(inspect::InspectSettings),
    Requeue(requeue::RequeueSettings),
    Cancel(cancel::CancelSettings),
    RenewKey(renew_key::RenewKeySettings),
    Completions(completions::CompletionsSettings),
}

/// How a command that ran to its end ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    AllWell,
    /// The command did its work, and what it looked at is not as it should be.
    NotAll,
    /// A signal ended the command before its work was done.
    Stopped,
}

/// What a shell says of a command that Ctrl-C has ended: 128 and the number of SIGINT.
const STOPPED: u8 = 130;

/// Runs the command that the arguments name.
///
/// Exit code 0 when all is well, 1 when it is not or the answer could not be written, 2 for arguments
/// that cannot be understood, 130 when a signal ended it before its work was done.
///
/// A file that is called as a worker is that worker ([`Program::called`]).
pub fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    if let Some(worker) = Program::called(&called) {
        return worker.main(std::env::args_os());
    }
    let terminal = Terminal::default();
    let arguments = match Muniment::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return show(&message, &terminal),
    };
    let command = match arguments.command {
        // It has logs, signals and exit codes of its own.
        Command::Worker(settings) => return worker::main(&settings, &terminal),
        Command::OfUs(own) => own,
    };
    match execute(&arguments.log, &command, &terminal) {
        Ok(Outcome::AllWell) if !terminal.has_lost_lines() => ExitCode::SUCCESS,
        Ok(Outcome::AllWell | Outcome::NotAll) => ExitCode::FAILURE,
        Ok(Outcome::Stopped) => ExitCode::from(STOPPED),
        Err(error) => {
            terminal.tell(format_args!("muniment: {}", Chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Help, the version, or what is wrong with the arguments.
fn show(message: &clap::Error, terminal: &Terminal) -> ExitCode {
    if let Err(error) = message.print() {
        terminal.not_written(&error);
    }
    if terminal.has_lost_lines() {
        return ExitCode::FAILURE;
    }
    u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn execute(log: &str, command: &OwnCommand, terminal: &Terminal) -> Result<Outcome, CommandError> {
    log_to(terminal, log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let outcome = runtime.block_on(async {
        match command {
            OwnCommand::Up(settings) => up::run(settings, terminal).await,
            OwnCommand::Demo(settings) => demo::run(settings, terminal).await,
            OwnCommand::Deposit(settings) => deposit::run(settings, terminal).await,
            OwnCommand::Status(settings) => status::run(settings, terminal).await,
            OwnCommand::Validate(settings) => validate::run(settings, terminal).await,
            OwnCommand::Inspect(settings) => inspect::run(settings, terminal).await,
            OwnCommand::Requeue(settings) => requeue::run(settings, terminal).await,
            OwnCommand::Cancel(settings) => cancel::run(settings, terminal).await,
            OwnCommand::RenewKey(settings) => renew_key::run(settings, terminal),
            OwnCommand::Completions(settings) => Ok(completions::run(settings, terminal)),
        }
    });
    runtime.shutdown_timeout(LEFTOVERS_LIMIT);
    outcome
}

fn log_to(terminal: &Terminal, filter: &str) -> Result<(), CommandError> {
    // Every refusal is an error to the library below our endpoint, which logs it itself, with its reason.
    let filter = EnvFilter::try_new(format!("s3s=off,{filter}")).map_err(|source| {
        CommandError::LogFilter {
            filter: filter.to_owned(),
            source,
        }
    })?;
    let log = terminal.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal.is_live())
        .with_writer(move || log.clone())
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Muniment::command().debug_assert();
    }

    #[test]
    fn settings_for_elsewhere_come_complete_or_not_at_all() {
        let rows: [(&[&str], bool); 14] = [
            (&["status"], true),
            (&["status", "--registry-url", "http://far/"], false),
            (
                &[
                    "status",
                    "--registry-url=http://far/",
                    "--registry-api-user=me",
                    "--registry-api-key=k",
                ],
                true,
            ),
            (&["deposit", "--s3-access-key=k", "a.tar"], false),
            (&["deposit", "--s3-endpoint=http://far/", "a.tar"], false),
            (
                &[
                    "deposit",
                    "--s3-endpoint=http://far/",
                    "--s3-access-key=k",
                    "--s3-secret-key=s",
                    "a.tar",
                ],
                false,
            ),
            (
                &[
                    "deposit",
                    "--instance=mine.json",
                    "--s3-access-key=k",
                    "--s3-secret-key=s",
                    "a.tar",
                ],
                true,
            ),
            (&["up", "--s3=http://far/"], true),
            (&["up", "--s3=http://far/", "--s3-access-key=k"], false),
            (
                &[
                    "deposit",
                    "--s3-access-key=k",
                    "--s3-secret-key=s",
                    "--bucket=receiving.test.edu",
                    "a.tar",
                ],
                true,
            ),
            (&["deposit"], false),
            (&["deposit", "--instance=mine.json", "a.tar"], true),
            (&["status", "--instance=mine.json", "--data=here"], false),
            (
                &[
                    "status",
                    "--instance=mine.json",
                    "--registry-url=http://far/",
                    "--registry-api-user=me",
                    "--registry-api-key=k",
                ],
                false,
            ),
        ];

        for (arguments, expected) in rows {
            let all = std::iter::once(&"muniment").chain(arguments);
            assert_eq!(
                Muniment::try_parse_from(all).is_ok(),
                expected,
                "{arguments:?}"
            );
        }
    }
}
