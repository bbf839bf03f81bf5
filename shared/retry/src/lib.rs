//! The retry within seconds: repeats one request while its error says that this can help.
//!
//! Sits between a typed client (S3, the registry) and its HTTP library, whose own retries are off.
//! The next layer is the queue, within minutes; there is nothing in between. What is repeated must
//! be idempotent: every request of those clients is. A stop ends every wait, never a request.
//!
//! The delays are those of `backon`. Its retry loop is not used: a stop would only shorten the
//! wait before one more attempt there, and could not end the loop with the error it holds.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

/// How often and how patiently one request is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Counts the first attempt too.
    pub attempts_max: usize,
    /// The first wait; each further one is twice as long. Half of each is chance.
    pub first: Duration,
    /// No wait is longer. A service that asks for more is away: the queue waits for that better.
    pub longest: Duration,
}

impl Backoff {
    /// The waits between the attempts. The jitter of `backon` adds up to the whole delay, so the
    /// halves are doubled here: clients that failed together do not return together.
    fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::new()
            .with_min_delay(self.first / 2)
            .with_max_delay(self.longest / 2)
            .with_max_times(self.attempts_max.saturating_sub(1))
            .with_jitter()
            .build()
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

/// An error that knows whether its request is worth repeating within seconds. What it means that
/// the repeats did not help is another question, answered by its class.
pub trait Retryable: Error {
    fn again(&self) -> Again;
}

/// Makes `attempt` until it succeeds, its error says never again or not within the longest wait, the
/// attempts are used up, or `stop` fires. Returns the last error.
///
/// The first attempt is always made: a worker that stops must still be able to release its item.
pub async fn retry<T, E, F>(
    backoff: &Backoff,
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Retryable,
{
    let mut delays = backoff.delays();
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let (Again::Soon { after }, Some(delay)) = (error.again(), delays.next()) else {
            return Err(error);
        };
        let after = after.unwrap_or_default();
        if after > backoff.longest {
            return Err(error);
        }
        let delay = delay.max(after);
        tracing::debug!(%error, ?delay, "trying again");
        pause(delay, stop).await;
        if stop.is_cancelled() {
            return Err(error);
        }
    }
}

/// Waits for `duration`, or less when told to stop. The only sleep of the workspace.
pub async fn pause(duration: Duration, stop: &CancellationToken) {
    #[expect(clippy::disallowed_methods, reason = "it ends on stop")]
    let slept = tokio::time::sleep(duration);
    stop.run_until_cancelled(slept).await;
}

#[cfg(test)]
mod tests;
