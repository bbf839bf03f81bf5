//! The retry layer within seconds: repeats one request while its error says that this can help.
//!
//! Stands between the typed buckets and the SDK, whose own retries are off. The next layer is the
//! queue, within minutes; there is nothing in between. What is repeated must be safe to repeat:
//! every request of this crate is. A stop ends every wait here, never a request under way.

use std::future::Future;
use std::time::Duration;

use muniment_model::{Class, Classify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often and how patiently one request is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Counts the first attempt too.
    pub attempts_max: u32,
    /// The first wait; each further one is twice as long.
    pub first: Duration,
    /// No wait is longer, whatever the service asks for: the job would rather be handed back.
    pub longest: Duration,
}

impl Backoff {
    /// Eight attempts within some 16 s. While a store answers 30 % of requests with 503, one
    /// request in 15,000 fails eight times; fewer attempts would hand back most large jobs.
    pub const S3: Self = Self {
        attempts_max: 8,
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
    };

    /// How long to wait after attempt number `attempt` (from 1) failed, before jitter.
    fn delay(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first
            .saturating_mul(1_u32 << doublings)
            .min(self.longest)
    }
}

/// Whether one request is worth making again within seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Yes, and not before the time the service asked for.
    Soon {
        after: Option<Duration>,
    },
    Never,
}

/// An error that knows whether its request is worth repeating within seconds. That differs from
/// [`Classify`], which tells the run loop what it means that the repeats did not help.
pub trait Repeat: Classify {
    fn again(&self) -> Again {
        match self.class() {
            Class::Transient { after } => Again::Soon { after },
            Class::Outage => Again::Soon { after: None },
            Class::Permanent => Again::Never,
        }
    }
}

/// We were told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("told to stop")]
pub struct Stopping;

/// Waits for `duration`, or until `stop` fires.
pub async fn pause(duration: Duration, stop: &CancellationToken) -> Result<(), Stopping> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Stopping),
        () = tokio::time::sleep_until(Instant::now() + duration) => Ok(()),
    }
}

/// Makes `attempt` until it succeeds, its error says never again, the attempts are used up, or
/// `stop` fires. Returns the last error.
pub async fn retry<T, E, F>(
    backoff: &Backoff,
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Repeat,
{
    let mut number = 1;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Again::Soon { after } = error.again() else {
            return Err(error);
        };
        if number >= backoff.attempts_max {
            return Err(error);
        }
        let asked_for = after.unwrap_or_default().min(backoff.longest);
        let delay = jittered(backoff.delay(number)).max(asked_for);
        if pause(delay, stop).await == Err(Stopping) {
            return Err(error);
        }
        number += 1;
    }
}

/// Between half and all of `delay`, so that workers that failed together do not return together.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests;
