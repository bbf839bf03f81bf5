use std::cell::Cell;

use tokio::time::Instant;

use super::*;

const BACKOFF: Backoff = Backoff {
    attempts_max: 8,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(5),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault")]
struct Fault(Again);

impl Retryable for Fault {
    fn again(&self) -> Again {
        self.0
    }
}

const SOON: Fault = Fault(Again::Soon { after: None });
const NEVER: Fault = Fault(Again::Never);

fn asked_for(seconds: u64) -> Fault {
    Fault(Again::Soon {
        after: Some(Duration::from_secs(seconds)),
    })
}

/// Fails `failures` times with `fault`, then succeeds; returns the result and the attempts made.
async fn run(failures: u32, fault: Fault, stop: &CancellationToken) -> (Result<(), Fault>, u32) {
    let attempts = Cell::new(0);
    let result = retry(&BACKOFF, stop, async || {
        attempts.set(attempts.get() + 1);
        if attempts.get() > failures {
            Ok(())
        } else {
            Err(fault)
        }
    })
    .await;
    (result, attempts.get())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_while_its_error_says_so_and_attempts_are_left() {
    let rows = [
        ("no fault", 0, SOON, Ok(()), 1),
        ("passing fault", 3, SOON, Ok(()), 4),
        ("last attempt helps", 7, SOON, Ok(()), 8),
        ("attempts used up", 8, SOON, Err(SOON), 8),
        ("asked to wait", 1, asked_for(3), Ok(()), 2),
        ("never again", 1, NEVER, Err(NEVER), 1),
    ];

    for (name, failures, fault, expected, attempts) in rows {
        let result = run(failures, fault, &CancellationToken::new()).await;

        assert_eq!(result, (expected, attempts), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_is_given_the_time_it_asked_for_unless_that_is_too_long() {
    let rows = [(3, Ok(()), 3..4), (3_600, Err(asked_for(3_600)), 0..1)];

    for (asked, expected, seconds) in rows {
        let start = Instant::now();

        let (result, _) = run(1, asked_for(asked), &CancellationToken::new()).await;

        assert_eq!(result, expected);
        let waited = start.elapsed().as_secs();
        assert!(seconds.contains(&waited), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_there_is_one_attempt_and_no_wait() {
    let stop = CancellationToken::new();
    stop.cancel();
    let start = Instant::now();

    let result = run(5, asked_for(3), &stop).await;

    assert_eq!(result, (Err(asked_for(3)), 1));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_wait_ends_it_with_the_error_that_caused_it() {
    let stop = CancellationToken::new();
    let stopping = async {
        pause(Duration::from_secs(1), &CancellationToken::new()).await;
        stop.cancel();
    };
    let start = Instant::now();

    let (result, ()) = tokio::join!(run(5, asked_for(3), &stop), stopping);

    assert_eq!(result, (Err(asked_for(3)), 1));
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

#[test]
fn waits_double_up_to_the_longest_and_half_of_each_is_chance() {
    let whole = [200, 400, 800, 1_600, 3_200, 5_000, 5_000].map(Duration::from_millis);

    let drawn: Vec<Vec<_>> = (0..100).map(|_| BACKOFF.delays().collect()).collect();

    for delays in &drawn {
        assert_eq!(delays.len(), whole.len());
        for (delay, most) in delays.iter().zip(whole) {
            assert!((most / 2..=most).contains(delay), "{delays:?}");
        }
    }
    assert!(drawn.iter().any(|delays| *delays != drawn[0]));
}

#[tokio::test(start_paused = true)]
async fn a_pause_lasts_as_long_as_it_says() {
    let start = Instant::now();

    pause(Duration::from_secs(7), &CancellationToken::new()).await;

    assert_eq!(start.elapsed(), Duration::from_secs(7));
}
