//! A worker as a process of its own: settings, logs, signals, exit code.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use muniment_model::Chain;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::calls::log_calls;
use crate::entry::WorkerEntry;
use crate::health::Health;
use crate::job::Worker;
use crate::protection::keep_protected;
use crate::settings::{ProcessSettings, StartError};
use crate::shutdown::{RELEASE_LIMIT, Shutdown};
use crate::sweep::Sweep;

/// Runs a worker until SIGTERM.
pub fn run_worker<W: Worker>() -> ExitCode {
    WorkerEntry::worker::<W>().main(env::args_os())
}

/// Runs a sweep until SIGTERM.
pub fn run_sweep<S: Sweep>() -> ExitCode {
    WorkerEntry::sweep::<S>().main(env::args_os())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen { address, source })
}

impl WorkerEntry {
    /// What the process is called with: its own settings, the registry and the work store.
    pub fn process_command(&self) -> Command {
        ProcessSettings::augment_args(self.command()).about(self.about)
    }

    /// Runs the worker as the process's only one. The first of the arguments is what it was called.
    pub fn main(&self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let matches = self.process_command().get_matches_from(arguments);
        // What a worker prints, a report, is on standard output.
        tracing_subscriber::fmt()
            .json()
            .with_writer(std::io::stderr)
            .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
            .init();
        match self.run(&matches) {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => {
                error!(worker = self.name, cause = %Chain(&cause), "the worker did not do its work");
                ExitCode::FAILURE
            }
        }
    }

    fn run(&self, matches: &ArgMatches) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let ended = runtime.block_on(self.until_stopped(matches));
        runtime.shutdown_timeout(RELEASE_LIMIT);
        ended
    }

    async fn until_stopped(&self, matches: &ArgMatches) -> Result<(), StartError> {
        let shutdown = Shutdown::default();
        let settings = ProcessSettings::from_arg_matches(matches)?;
        let listener = match settings.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let work = async {
            let services = settings.connect(&shutdown).await?;
            let health = Health::of(&services, shutdown.soft.clone());
            // They end with this value.
            let mut beside = JoinSet::new();
            if let Some(listener) = listener {
                beside.spawn(health.clone().serve(listener));
            }
            if let Some(agent) = settings.ecs_agent.clone() {
                beside.spawn(keep_protected(agent, services.busy.watch()));
            }
            let running = self.start(matches, &services, &shutdown).await?;
            health.connected();
            let ended = running.await;
            log_calls(&services.meters);
            ended.map_err(StartError::from)
        };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            ended = &mut work => ended,
            followed = shutdown.follow_signals() => {
                followed.map_err(StartError::Signals)?;
                work.await
            }
        }
    }
}
