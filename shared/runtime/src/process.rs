//! What is the same in every worker's `main`: settings, logs, signals, exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use muniment_model::Chain;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::job::Worker;
use crate::runner::{Runner, Services};
use crate::settings::{RuntimeSettings, StartError};
use crate::shutdown::{RELEASE_LIMIT, Shutdown};
use crate::sweep::{Sweep, keep_sweeping};

/// Runs a worker as a process of its own until SIGTERM. `connect` turns settings into a worker.
pub fn run_worker<S, W, F>(connect: F) -> ExitCode
where
    S: Parser + AsRef<RuntimeSettings>,
    W: Worker,
    F: AsyncFnOnce(&S, &Services) -> Result<W, StartError>,
{
    run(
        S::parse(),
        async |settings: &S, services, shutdown: Shutdown| {
            let worker = connect(settings, &services).await?;
            let jobs_max = settings.as_ref().jobs;
            Runner::new(worker, services, shutdown).run(jobs_max).await;
            Ok(())
        },
    )
}

/// Runs a sweep as a process of its own until SIGTERM.
pub fn run_sweep_process<S, W, F>(period: Duration, connect: F) -> ExitCode
where
    S: Parser + AsRef<RuntimeSettings>,
    W: Sweep,
    F: AsyncFnOnce(&S, &Services) -> Result<W, StartError>,
{
    run(
        S::parse(),
        async |settings: &S, services, shutdown: Shutdown| {
            let sweep = connect(settings, &services).await?;
            keep_sweeping(sweep, period, shutdown).await;
            Ok(())
        },
    )
}

fn run<S, F>(settings: S, work: F) -> ExitCode
where
    S: AsRef<RuntimeSettings>,
    F: AsyncFnOnce(&S, Services, Shutdown) -> Result<(), StartError>,
{
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(StartError::Runtime)
        .and_then(|runtime| {
            let ended = runtime.block_on(until_stopped(&settings, work));
            runtime.shutdown_timeout(RELEASE_LIMIT);
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            error!(cause = %Chain(&cause), "the worker did not start");
            ExitCode::FAILURE
        }
    }
}

async fn until_stopped<S, F>(settings: &S, work: F) -> Result<(), StartError>
where
    S: AsRef<RuntimeSettings>,
    F: AsyncFnOnce(&S, Services, Shutdown) -> Result<(), StartError>,
{
    let shutdown = Shutdown::default();
    let signals = shutdown.clone();
    let signals_followed =
        async move { signals.follow_signals().await.map_err(StartError::Signals) };
    let services = settings.as_ref().connect(&shutdown.hard).await?;
    let mut worked = std::pin::pin!(work(settings, services, shutdown));
    tokio::select! {
        ended = &mut worked => ended,
        followed = signals_followed => {
            followed?;
            worked.await
        }
    }
}
