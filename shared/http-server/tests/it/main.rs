//! Connections over loopback: their limits, and their end. Where a test waits for a limit, the clock
//! is paused: it moves on when nothing else can happen.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not the helpers beside them"
)]

mod kit;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use kit::{LIMITS, Server};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_stop_lets_a_running_request_finish() {
    let mut server = Server::start(LIMITS).await;
    let mut client = server.send("/slow").await;
    server.entered(1).await;

    server.stop.cancel();
    server.until_refused().await;
    server.release.add_permits(1);

    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    server.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_end_is_dropped_after_the_drain_limit() {
    let mut server = Server::start(LIMITS).await;
    let mut client = server.send("/slow").await;
    server.entered(1).await;
    let stopped = Instant::now();

    server.stop.cancel();
    server.ended().await;

    assert!(stopped.elapsed() >= LIMITS.drain_wait_max);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn an_idle_connection_closes_on_stop() {
    // So long that only a connection which closes by itself lets the server end before.
    let limits = kit::Limits {
        drain_wait_max: HOUR,
        ..LIMITS
    };
    let mut server = Server::start(limits).await;
    let mut client = server.send("/").await;
    kit::answered(&mut client).await;

    server.stop.cancel();
    server.ended().await;

    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn connections_up_to_the_limit_are_answered_and_one_more_waits() {
    let limits = kit::Limits {
        connections_max: 2,
        ..LIMITS
    };
    let server = Server::start(limits).await;
    let first = server.send("/slow").await;
    let _second = server.send("/slow").await;
    server.entered(2).await;

    let mut third = server.send("/").await;
    let waited = timeout(HOUR, kit::answered(&mut third)).await;
    assert!(waited.is_err(), "the third is answered beside two others");
    drop(first);
    kit::answered(&mut third).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = Server::start(LIMITS).await;
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let begun = Instant::now();

    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();

    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(begun.elapsed() >= LIMITS.head_wait_max);
}

#[tokio::test]
async fn a_head_beyond_a_limit_is_refused() {
    let server = Server::start(LIMITS).await;
    let many = |count| "x: 1\r\n".repeat(count);
    let long = |length| format!("x: {}\r\n", "1".repeat(length));
    let rows = [
        ("as many as allowed", many(LIMITS.headers_max - 1), "200"),
        ("one too many", many(LIMITS.headers_max), "431"),
        ("long", long(LIMITS.head_bytes_max / 2), "200"),
        ("too long", long(LIMITS.head_bytes_max), "431"),
    ];

    for (name, headers, expected) in rows {
        let mut client = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(kit::status(&mut client).await, expected, "{name}");
    }
}
