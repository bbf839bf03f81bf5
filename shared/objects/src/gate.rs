//! How many requests may be under way to one endpoint: one more after each round of successes,
//! half as many when the store says slow down.
//!
//! In front of every request of a client. It only ever waits for requests that end by
//! themselves: a body that is handed to a caller piece by piece does not hold a permit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The most requests under way to one endpoint. On loopback, small writes are fastest at 16 to 64;
/// each may hold a body of 16 MiB, but those who send such bodies bound their own number.
pub(crate) const REQUESTS_MAX: usize = 64;

/// Never fewer, so that one angry minute does not stop all progress.
const REQUESTS_MIN: usize = 2;

/// One storm answers many requests with 503 at once, and is one reason to halve, not many.
const HALVE_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// How the endpoint took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken,
    /// Told to slow down, or out of order.
    PushedBack,
    /// Says nothing about the endpoint's load.
    Neither,
}

#[derive(Debug)]
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

/// Pure, so that the tests need no clock and no semaphore.
#[derive(Debug)]
struct State {
    limit: usize,
    /// Successes since the limit last changed.
    taken: usize,
    /// Permits to take away as soon as they are given back.
    owed: usize,
    halved_at: Option<Instant>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(REQUESTS_MAX)),
            state: Mutex::new(State {
                limit: REQUESTS_MAX,
                taken: 0,
                owed: 0,
                halved_at: None,
            }),
        }
    }

    /// Waits for a permit.
    pub(crate) async fn enter(&self) -> Permit<'_> {
        // The semaphore is never closed, so `None` does not happen, and would only mean no limit.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        Permit { gate: self, permit }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way. Dropping it gives the permit back.
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    permit: Option<OwnedSemaphorePermit>,
}

impl Permit<'_> {
    /// Gives the permit back, with what was learnt about the endpoint.
    pub(crate) fn leave(mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken => {
                let more = self.gate.state().succeed();
                self.gate.permits.add_permits(more);
            }
            Outcome::PushedBack => {
                let fewer = self.gate.state().halve(Instant::now());
                let at_once = self.gate.permits.forget_permits(fewer);
                self.gate.state().owed += fewer - at_once;
            }
            Outcome::Neither => {}
        }
        self.give_back();
    }

    fn give_back(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut state = self.gate.state();
        if state.owed > 0 {
            state.owed -= 1;
            permit.forget();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl State {
    /// Counts a success; returns how many permits to add.
    fn succeed(&mut self) -> usize {
        self.taken += 1;
        if self.taken < self.limit || self.limit >= REQUESTS_MAX {
            return 0;
        }
        self.taken = 0;
        self.limit += 1;
        if self.owed > 0 {
            self.owed -= 1;
            return 0;
        }
        1
    }

    /// Halves the limit; returns how many permits to take away.
    fn halve(&mut self, now: Instant) -> usize {
        let recently = self
            .halved_at
            .is_some_and(|at| now.saturating_duration_since(at) < HALVE_AT_MOST_EVERY);
        if recently {
            return 0;
        }
        let limit = (self.limit / 2).max(REQUESTS_MIN);
        let fewer = self.limit - limit;
        self.limit = limit;
        self.taken = 0;
        self.halved_at = Some(now);
        fewer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storm_halves_the_limit_once_a_second_and_never_below_the_least() {
        let gate = Gate::new();

        for _ in 0..10 {
            gate.enter().await.leave(Outcome::PushedBack);
        }
        assert_eq!(gate.permits.available_permits(), 32);
        for _ in 0..10 {
            tokio::time::advance(HALVE_AT_MOST_EVERY).await;
            gate.enter().await.leave(Outcome::PushedBack);
        }

        assert_eq!(gate.permits.available_permits(), REQUESTS_MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_grows_back_by_one_per_round_up_to_the_most() {
        let gate = Gate::new();
        gate.enter().await.leave(Outcome::PushedBack);

        for _ in 0..32 {
            gate.enter().await.leave(Outcome::Taken);
        }
        assert_eq!(gate.permits.available_permits(), 33);
        for _ in 0..10_000 {
            gate.enter().await.leave(Outcome::Taken);
        }

        assert_eq!(gate.permits.available_permits(), REQUESTS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn permits_in_use_are_taken_away_when_they_are_given_back() {
        let gate = Gate::new();
        let mut held = Vec::new();
        for _ in 0..REQUESTS_MAX {
            held.push(gate.enter().await);
        }

        held.pop().expect("held").leave(Outcome::PushedBack);
        drop(held);

        assert_eq!(gate.permits.available_permits(), REQUESTS_MAX / 2);
    }
}
