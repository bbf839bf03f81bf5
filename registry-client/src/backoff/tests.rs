use std::cell::Cell;

use reqwest::StatusCode;

use super::*;

fn call() -> String {
    "GET items".to_owned()
}

fn busy(after: Option<Duration>) -> ClientError {
    ClientError::Unavailable {
        call: call(),
        status: 503,
        after,
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_until_it_works_and_no_more_than_four_times() {
    let rows = [(0, true, 1), (3, true, 4), (4, false, 4)];

    for (failures, works, attempts) in rows {
        let made = Cell::new(0);
        let result = retry(&CancellationToken::new(), async || {
            made.set(made.get() + 1);
            if made.get() > failures {
                Ok(())
            } else {
                Err(busy(None))
            }
        })
        .await;
        assert_eq!(
            (result.is_ok(), made.get()),
            (works, attempts),
            "{failures}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_pass_in_seconds_is_repeated() {
    let at_limit = || busy(Some(DELAY_MAX));
    let beyond_limit = || busy(Some(DELAY_MAX + Duration::from_secs(1)));
    let denied = || ClientError::from_answer(call(), StatusCode::UNAUTHORIZED, b"", None);
    let absent = || ClientError::NotFound { call: call() };
    let failed = || ClientError::from_answer(call(), StatusCode::INTERNAL_SERVER_ERROR, b"", None);
    let rows: [(&dyn Fn() -> ClientError, u32); 5] = [
        (&at_limit, 4),
        (&beyond_limit, 1),
        (&denied, 1),
        (&absent, 1),
        (&failed, 1),
    ];

    for (error, attempts) in rows {
        let made = Cell::new(0);
        let result: Result<(), _> = retry(&CancellationToken::new(), async || {
            made.set(made.get() + 1);
            Err(error())
        })
        .await;
        assert!(result.is_err(), "{}", error());
        assert_eq!(made.get(), attempts, "{}", error());
    }
}

/// A worker that stops must still be able to hand its item back, but never to hang on.
#[tokio::test(start_paused = true)]
async fn after_a_stop_there_is_one_attempt_and_no_wait() {
    let stop = CancellationToken::new();
    stop.cancel();
    let made = Cell::new(0);

    let begun = tokio::time::Instant::now();
    let result: Result<(), _> = retry(&stop, async || {
        made.set(made.get() + 1);
        Err(busy(None))
    })
    .await;

    assert!(result.is_err());
    assert_eq!(made.get(), 1);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
