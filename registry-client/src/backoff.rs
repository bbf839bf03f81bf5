//! Repeats a call within seconds. Longer waits are the queue's business.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::ClientError;
use crate::error::Repeat;

/// Four attempts within about two seconds: enough for a connection that was closed while idle and
/// for a registry that restarts behind a load balancer.
const ATTEMPTS_MAX: u32 = 4;
const DELAY_FIRST: Duration = Duration::from_millis(200);
/// A server that asks for more is away for longer than we wait here.
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Repeats `attempt` while its error may pass. Once `stop` fires there is no further attempt, but
/// the first one is always made: a worker that stops must still be able to hand its item back.
pub(crate) async fn retry<T, F>(
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut made = 0;
    loop {
        made += 1;
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = match error.repeatable() {
            Repeat::Never => return Err(error),
            Repeat::Soon => delay(made),
            Repeat::After(wait) => wait,
        };
        if made == ATTEMPTS_MAX || wait > DELAY_MAX {
            return Err(error);
        }
        debug!(%error, made, "asking the registry again");
        // The wait is over early only by a stop.
        if tokio::time::timeout(wait, stop.cancelled()).await.is_ok() {
            return Err(error);
        }
    }
}

/// Doubles from attempt to attempt; half of it is chance, so that workers that failed together do
/// not come back together.
fn delay(made: u32) -> Duration {
    let whole = DELAY_FIRST * 2_u32.saturating_pow(made.saturating_sub(1));
    let half = whole.min(DELAY_MAX) / 2;
    half + half.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests;
