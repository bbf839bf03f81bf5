//! A sweep takes no input, compares what is with what should be, acts, and ends. Its next run is
//! its retry, so a failed one is logged and nothing more.

use std::time::Duration;

use async_trait::async_trait;
use muniment_model::Chain;
use muniment_retry::pause;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::job::JobError;
use crate::services::Services;
use crate::settings::StartError;
use crate::shutdown::Shutdown;

/// A worker that is driven by time rather than by messages.
#[async_trait]
pub trait Sweep: Sized + Send + Sync + 'static {
    /// The worker's one name.
    const NAME: &'static str;
    /// One line for `--help`.
    const ABOUT: &'static str;
    /// How often, unless told otherwise; as one writes it: `1m`.
    const EVERY: &'static str;

    type Settings: clap::Args + Send + Sync;

    async fn connect(settings: &Self::Settings, services: &Services) -> Result<Self, StartError>;

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), JobError>;

    /// Whether one sweep is all: for a person or a script that waits for its end.
    fn is_once(&self) -> bool {
        false
    }
}

/// A sweep that was to run once did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sweep did not come to its end; its log says why")]
pub struct SweepFailed;

/// Sweeps now and then every `period`, until told to stop.
pub(crate) async fn keep_sweeping<S: Sweep>(
    sweep: S,
    period: Duration,
    shutdown: Shutdown,
) -> Result<(), SweepFailed> {
    if sweep.is_once() {
        return sweep_once(sweep, &shutdown).await;
    }
    info!(worker = S::NAME, "sweeping every {period:?}");
    while !shutdown.soft.is_cancelled() {
        tokio::select! {
            result = sweep.sweep(&shutdown.soft) => report::<S>(result),
            () = shutdown.hard.cancelled() => break,
        }
        pause(period, &shutdown.soft).await;
    }
    Ok(())
}

async fn sweep_once<S: Sweep>(sweep: S, shutdown: &Shutdown) -> Result<(), SweepFailed> {
    tokio::select! {
        result = sweep.sweep(&shutdown.soft) => {
            let failed = result.is_err();
            report::<S>(result);
            if failed { Err(SweepFailed) } else { Ok(()) }
        }
        () = shutdown.hard.cancelled() => Err(SweepFailed),
    }
}

fn report<S: Sweep>(result: Result<(), JobError>) {
    match result {
        Ok(()) => debug!(worker = S::NAME, "swept"),
        Err(JobError::Stopped | JobError::LeaseLost) => {}
        Err(JobError::Retry { cause, .. } | JobError::Outage { cause, .. }) => {
            error!(worker = S::NAME, cause = %Chain(cause.as_ref()), "sweep will be repeated");
        }
        Err(other) => error!(worker = S::NAME, cause = ?other, "sweep will be repeated"),
    }
}
