//! A worker as a value: its name, its settings, and how it is started. From a list of these come
//! the binaries, their `--help`, and the workers of `muniment up`.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use futures::FutureExt;
use futures::future::BoxFuture;
use muniment_model::QueueName;

use crate::job::Worker;
use crate::runner::Runner;
use crate::services::Services;
use crate::settings::StartError;
use crate::shutdown::Shutdown;
use crate::sweep::{Sweep, SweepFailed, keep_sweeping};

/// What a connected worker does until it is told to stop, or has done what it was to do once.
pub type Running = BoxFuture<'static, Result<(), SweepFailed>>;

type Start = for<'a> fn(
    &'a ArgMatches,
    &'a Services,
    &'a Shutdown,
) -> BoxFuture<'a, Result<Running, StartError>>;

/// One worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerEntry {
    /// Its one name: binary, file, service, log field and metric label.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The queue it works on, and with it its step of a pipeline; `None` for a sweep.
    pub queue: Option<QueueName>,
    settings: fn(Command) -> Command,
    start: Start,
}

/// How much a worker does at a time
#[derive(Debug, clap::Args)]
struct JobSettings {
    /// How many jobs this worker does at a time
    #[arg(long, env = "MUNIMENT_JOBS", default_value_t = 2)]
    jobs: usize,
}

/// How often a sweep runs
#[derive(Debug, clap::Args)]
struct SweepSettings {
    /// How long to rest between two sweeps
    #[arg(long, env = "MUNIMENT_EVERY")]
    every: humantime::Duration,
}

impl WorkerEntry {
    pub const fn worker<W: Worker>() -> Self {
        Self {
            name: W::QUEUE.as_str(),
            about: W::ABOUT,
            queue: Some(W::QUEUE),
            settings: |command| JobSettings::augment_args(W::Settings::augment_args(command)),
            start: |matches, services, shutdown| {
                start_worker::<W>(matches, services, shutdown).boxed()
            },
        }
    }

    pub const fn sweep<S: Sweep>() -> Self {
        Self {
            name: S::NAME,
            about: S::ABOUT,
            queue: None,
            settings: |command| {
                SweepSettings::augment_args(S::Settings::augment_args(command))
                    .mut_arg("every", |every| every.default_value(S::EVERY))
            },
            start: |matches, services, shutdown| {
                start_sweep::<S>(matches, services, shutdown).boxed()
            },
        }
    }

    /// The settings that are the worker's own, as a command without name of the registry and the
    /// work store.
    pub fn command(&self) -> Command {
        (self.settings)(Command::new(self.name))
            .about(self.about)
            .version(env!("CARGO_PKG_VERSION"))
    }

    /// A command line of those settings that `command` knows, for a worker that is started by a
    /// program: each setting is the name of a flag and its value.
    pub fn arguments<'a>(
        &self,
        command: &Command,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<String> {
        let is_known = |flag: &str| {
            let mut arguments = command.get_arguments();
            arguments.any(|argument| argument.get_long() == Some(flag))
        };
        let known = settings
            .into_iter()
            .filter(|(flag, _)| is_known(flag))
            .map(|(flag, value)| format!("--{flag}={value}"));
        [self.name.to_owned()].into_iter().chain(known).collect()
    }

    /// Connects the worker. What it answers works until told to stop.
    pub async fn start(
        &self,
        matches: &ArgMatches,
        services: &Services,
        shutdown: &Shutdown,
    ) -> Result<Running, StartError> {
        (self.start)(matches, services, shutdown).await
    }
}

async fn start_worker<W: Worker>(
    matches: &ArgMatches,
    services: &Services,
    shutdown: &Shutdown,
) -> Result<Running, StartError> {
    let settings = W::Settings::from_arg_matches(matches)?;
    let jobs_max = JobSettings::from_arg_matches(matches)?.jobs;
    let services = services.of_worker(W::QUEUE.as_str());
    let worker = W::connect(&settings, &services).await?;
    let runner = Runner::new(worker, services, shutdown.clone());
    Ok(runner.run(jobs_max).map(Ok).boxed())
}

async fn start_sweep<S: Sweep>(
    matches: &ArgMatches,
    services: &Services,
    shutdown: &Shutdown,
) -> Result<Running, StartError> {
    let settings = S::Settings::from_arg_matches(matches)?;
    let every: Duration = SweepSettings::from_arg_matches(matches)?.every.into();
    let sweep = S::connect(&settings, &services.of_worker(S::NAME)).await?;
    Ok(keep_sweeping(sweep, every, shutdown.clone()).boxed())
}
