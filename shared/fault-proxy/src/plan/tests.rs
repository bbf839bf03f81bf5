use http::Method;

use super::{Fault, Requests, SEEN_MAX, State, Times};
use crate::head::{Head, Seen};

async fn request(line: &str) -> Seen {
    let head = format!("{line} HTTP/1.1\r\nhost: s3\r\n\r\n");
    let head = Head::read(&mut head.as_bytes(), Vec::new()).await;
    head.expect("a head").seen().expect("a request")
}

#[tokio::test]
async fn a_plan_is_for_requests_of_its_method_and_part() {
    let rows = [
        (Requests::any(), true),
        (Requests::of(Method::PUT), true),
        (Requests::of(Method::GET), false),
        (Requests::any().containing("staging/12/"), true),
        (Requests::any().containing("partNumber=3"), true),
        (Requests::of(Method::PUT).containing("staging/13/"), false),
        (Requests::of(Method::GET).containing("staging/12/"), false),
        // Neither the method nor the version is a part of the target.
        (Requests::any().containing("HTTP"), false),
        (Requests::any().containing("PUT"), false),
    ];

    for (requests, expected) in rows {
        let state = State::default();
        state.plan(requests.clone(), Times::Always, Fault::DropAnswer);

        let fault = state.take(request("PUT /staging/12/a?partNumber=3").await);

        assert_eq!(fault.is_some(), expected, "{requests:?}");
    }
}

#[tokio::test]
async fn the_oldest_plan_that_is_not_used_up_applies_alone() {
    let state = State::default();
    state.plan(Requests::any(), Times::Next(2), Fault::DropAnswer);
    state.plan(Requests::any(), Times::Next(0), Fault::FlipBit(1));
    state.plan(Requests::any(), Times::Always, Fault::Double);

    let mut faults = Vec::new();
    for _ in 0..5 {
        faults.extend(state.take(request("GET /a").await));
    }
    state.heal();

    let (drop, double) = (Fault::DropAnswer, Fault::Double);
    let expected = [&drop, &drop, &double, &double, &double].map(Clone::clone);
    assert_eq!(faults, expected);
    assert_eq!(state.take(request("GET /a").await), None);
}

#[tokio::test]
async fn the_last_requests_are_kept_and_all_are_counted() {
    let state = State::default();
    state.take(request("GET /first").await);

    for _ in 0..SEEN_MAX {
        state.take(request("PUT /other").await);
    }

    assert_eq!(state.seen(&Requests::any()).len(), SEEN_MAX);
    assert_eq!(state.seen(&Requests::of(Method::GET)).len(), 0);
    assert_eq!(state.count(&Method::GET), 1);
    assert_eq!(state.count(&Method::PUT), SEEN_MAX as u64);
    assert_eq!(state.count(&Method::HEAD), 0);
}
