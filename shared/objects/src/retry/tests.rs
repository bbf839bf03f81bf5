use std::cell::Cell;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault")]
struct Fault(Class);

impl Classify for Fault {
    fn class(&self) -> Class {
        self.0
    }
}

impl Repeat for Fault {}

const TRANSIENT: Fault = Fault(Class::Transient { after: None });

/// Fails `failures` times with `fault`, then succeeds; returns the result and the attempts made.
async fn run(
    failures: u32,
    fault: Fault,
    stop: &CancellationToken,
) -> (Result<&'static str, Fault>, u32) {
    let attempts = Cell::new(0);
    let result = retry(&Backoff::S3, stop, || {
        attempts.set(attempts.get() + 1);
        let number = attempts.get();
        async move {
            if number > failures {
                Ok("done")
            } else {
                Err(fault)
            }
        }
    })
    .await;
    (result, attempts.get())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_as_its_class_says() {
    let asked = Fault(Class::Transient {
        after: Some(Duration::from_secs(3)),
    });
    let rows = [
        ("no fault", 0, TRANSIENT, Ok("done"), 1),
        ("passing fault", 3, TRANSIENT, Ok("done"), 4),
        ("last attempt helps", 7, TRANSIENT, Ok("done"), 8),
        ("attempts used up", 8, TRANSIENT, Err(TRANSIENT), 8),
        ("short outage", 2, Fault(Class::Outage), Ok("done"), 3),
        ("asked to wait", 1, asked, Ok("done"), 2),
        (
            "permanent",
            1,
            Fault(Class::Permanent),
            Err(Fault(Class::Permanent)),
            1,
        ),
    ];

    for (name, failures, fault, expected, attempts) in rows {
        let result = run(failures, fault, &CancellationToken::new()).await;

        assert_eq!(result, (expected, attempts), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_is_given_the_time_it_asked_for_up_to_the_limit() {
    let rows = [(3, 3, 4), (3_600, 5, 6)];

    for (asked, least, most) in rows {
        let fault = Fault(Class::Transient {
            after: Some(Duration::from_secs(asked)),
        });
        let start = Instant::now();

        let (result, _) = run(1, fault, &CancellationToken::new()).await;

        let waited = start.elapsed();
        assert_eq!(result, Ok("done"));
        assert!(waited >= Duration::from_secs(least), "{waited:?}");
        assert!(waited < Duration::from_secs(most), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_with_the_error_that_caused_it() {
    let stop = CancellationToken::new();
    stop.cancel();

    let result = run(5, TRANSIENT, &stop).await;

    assert_eq!(result, (Err(TRANSIENT), 1));
}

#[test]
fn waits_double_up_to_the_longest() {
    let millis: Vec<_> = (1..=8)
        .map(|attempt| Backoff::S3.delay(attempt).as_millis())
        .collect();

    assert_eq!(millis, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
}
