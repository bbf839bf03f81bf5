//! How long a holder may count on its lease, by its own monotonic clock.
//!
//! Measured from before the claim and from before each renewal, so it is never longer than the
//! store's own account. Renewals share no connection limit with the work and have a time limit of
//! their own: one that hangs loses the lease by the clock rather than letting the work go on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muniment_model::Chain;
use muniment_work::{Identity, LEASE_FOR, RENEW_EVERY, WorkError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::warn;

/// The lease counts as lost one renewal before it expires, so that work stops before another
/// worker can begin.
const HELD_WITHIN: Duration = Duration::from_secs(LEASE_FOR.as_secs() - RENEW_EVERY.as_secs());
/// A renewal is one small write. Two fit between the first that fails and the loss of the lease.
const RENEW_LIMIT: Duration = Duration::from_secs(8);
/// How soon a renewal that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(2);

/// A delete that is sent with less of the lease left might arrive after another holder has begun.
const DELETE_LEFT_MIN: Duration = Duration::from_secs(10);

/// When the lease was last known to be ours.
#[derive(Debug)]
pub(crate) struct LeaseClock(Mutex<Instant>);

impl LeaseClock {
    /// `claimed_at` is a time before the claim.
    pub(crate) fn new(claimed_at: Instant) -> Self {
        Self(Mutex::new(claimed_at))
    }

    /// How much is left before another worker may begin.
    pub(crate) fn left(&self) -> Duration {
        LEASE_FOR.saturating_sub(self.age())
    }

    pub(crate) fn allows_a_delete(&self) -> bool {
        self.left() >= DELETE_LEFT_MIN
    }

    fn age(&self) -> Duration {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    fn renewed(&self, before: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }

    /// Renews the lease now and then. Ends when it can no longer be counted on.
    pub(crate) async fn keep<F>(&self, identity: Identity, renew: impl Fn() -> F)
    where
        F: Future<Output = Result<(), WorkError>>,
    {
        let mut renewals = interval(RENEW_EVERY);
        let mut tries = interval(RENEW_AGAIN);
        for ticks in [&mut renewals, &mut tries] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        // The first tick is at once, and the claim is fresh.
        renewals.tick().await;
        loop {
            renewals.tick().await;
            loop {
                tries.tick().await;
                match self.renew(identity, renew()).await {
                    Renewal::Renewed => break,
                    Renewal::Lost => return,
                    Renewal::NoAnswer if self.age() >= HELD_WITHIN => return,
                    Renewal::NoAnswer => {}
                }
            }
        }
    }

    async fn renew(
        &self,
        identity: Identity,
        renewal: impl Future<Output = Result<(), WorkError>>,
    ) -> Renewal {
        let before = Instant::now();
        match timeout(RENEW_LIMIT, renewal).await {
            Ok(Ok(())) => {
                self.renewed(before);
                Renewal::Renewed
            }
            Ok(Err(WorkError::LeaseLost { .. })) => Renewal::Lost,
            Ok(Err(cause)) => {
                warn!(%identity, cause = %Chain(&cause), "lease not renewed");
                Renewal::NoAnswer
            }
            Err(_elapsed) => {
                warn!(%identity, "lease not renewed: no answer");
                Renewal::NoAnswer
            }
        }
    }
}

enum Renewal {
    Renewed,
    Lost,
    NoAnswer,
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use muniment_model::{QueueName, WorkItemId};
    use muniment_work::Subject;
    use tokio::time::advance;

    use super::*;

    const IDENTITY: Identity = Identity {
        subject: Subject::Item(WorkItemId(12)),
        queue: QueueName::IngestValidator,
        batch: None,
    };

    type Renews = fn() -> BoxFuture<'static, Result<(), WorkError>>;

    fn unusable() -> WorkError {
        WorkError::Unusable {
            source: "gone".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_kept_for_as_long_as_it_is_renewed() {
        let clock = LeaseClock::new(Instant::now());
        let hour = Duration::from_hours(1);

        let kept = timeout(hour, clock.keep(IDENTITY, async || Ok(()))).await;

        assert!(kept.is_err(), "it never ends");
        assert!(clock.age() <= RENEW_EVERY + RENEW_AGAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_hangs_or_fails_loses_the_lease_before_another_worker_can_claim() {
        let rows: [(&str, Renews); 2] = [
            ("hangs", || pending().boxed()),
            ("fails", || ready(Err(unusable())).boxed()),
        ];

        for (name, renew) in rows {
            let clock = LeaseClock::new(Instant::now());

            clock.keep(IDENTITY, renew).await;

            assert!(!clock.left().is_zero(), "{name}: the work stops in time");
            assert!(clock.left() <= RENEW_EVERY, "{name}: {:?}", clock.left());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_renewal_that_fails_loses_nothing() {
        let clock = LeaseClock::new(Instant::now());
        let tries = Cell::new(0);

        let renew = async || {
            tries.set(tries.get() + 1);
            if tries.get() % 2 == 1 {
                Err(unusable())
            } else {
                Ok(())
            }
        };
        let kept = timeout(Duration::from_hours(1), clock.keep(IDENTITY, renew)).await;

        assert!(kept.is_err(), "it never ends");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_known_to_be_lost_ends_the_work_at_once() {
        let clock = LeaseClock::new(Instant::now());
        let start = Instant::now();

        clock
            .keep(IDENTITY, async || {
                Err(WorkError::LeaseLost { identity: IDENTITY })
            })
            .await;

        assert_eq!(start.elapsed(), RENEW_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_measured_from_before_the_claim() {
        let before_the_claim = Instant::now();
        advance(Duration::from_secs(7)).await;

        let clock = LeaseClock::new(before_the_claim);

        assert_eq!(clock.left() + Duration::from_secs(7), LEASE_FOR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delete_is_not_made_on_a_lease_that_may_be_over_when_it_arrives() {
        let clock = LeaseClock::new(Instant::now());

        advance(LEASE_FOR.saturating_sub(DELETE_LEFT_MIN)).await;
        assert!(clock.allows_a_delete());

        advance(Duration::from_secs(1)).await;
        assert!(!clock.allows_a_delete());
    }
}
