//! What happens between SIGTERM and SIGKILL.
//!
//! ```text
//! SIGTERM          +90 s            +115 s   +120 s
//!    |-- soft --------|-- hard ---------|--------| SIGKILL
//!    no new claims;   job futures       margin
//!    jobs stop at     dropped; leases
//!    a checkpoint     released
//! ```
//!
//! A second SIGTERM or SIGINT begins the hard phase at once.

use std::time::Duration;

use futures::StreamExt;
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// ECS sends SIGKILL this long after SIGTERM. 120 s is the most Fargate allows.
pub const STOP_TIMEOUT: Duration = Duration::from_mins(2);
/// How long running jobs may look for a good place to stop.
pub const SOFT_LIMIT: Duration = Duration::from_secs(90);
/// How long releasing every lease may take.
pub const RELEASE_LIMIT: Duration = Duration::from_secs(25);

const _: () = assert!(SOFT_LIMIT.as_secs() + RELEASE_LIMIT.as_secs() < STOP_TIMEOUT.as_secs());

/// Two requests to stop, the second one not to be argued with.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// No new claims; jobs stop at their next checkpoint.
    pub soft: CancellationToken,
    /// Job futures are dropped and their leases released.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// Turns SIGTERM and SIGINT into the two phases. Ends when the hard phase has begun; drop the
    /// future when the process has nothing left to stop.
    pub async fn follow_signals(&self) -> std::io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        self.soft_on(signals.next()).await;
        match timeout(SOFT_LIMIT, signals.next()).await {
            Ok(_signal) => warn!("told to stop twice: dropping the jobs that still run"),
            Err(_elapsed) => warn!("jobs still run: dropping them"),
        }
        self.hard.cancel();
        Ok(())
    }

    async fn soft_on<S>(&self, signal: impl Future<Output = Option<S>>) {
        signal.await;
        info!("told to stop: no new claims, jobs stop at their next checkpoint");
        self.soft.cancel();
    }
}
