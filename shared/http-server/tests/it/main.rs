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

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_its_own_time_and_then_closed() {
    let limits = kit::Limits {
        head_wait_max: Duration::from_secs(10),
        idle_wait_max: HOUR,
        ..LIMITS
    };
    let server = Server::start(limits).await;
    let mut client = server.send("/").await;
    kit::answered_whole(&mut client).await;
    let idle_since = Instant::now();

    kit::closed(&mut client).await;

    assert!(idle_since.elapsed() >= limits.idle_wait_max);
}

#[tokio::test]
async fn connections_that_do_nothing_keep_no_other_out() {
    let server = Server::start(LIMITS).await;
    let mut idle = server.send("/").await;
    kit::answered_whole(&mut idle).await;
    let mut silent = Vec::new();
    for _connection in 0..LIMITS.connections_max {
        silent.push(server.connect().await);
    }

    let mut clients = Vec::new();
    for _client in 0..3 {
        let mut client = server.send("/").await;
        kit::answered_whole(&mut client).await;
        clients.push(client);
    }

    // The longest idle ones had to go.
    kit::closed(&mut idle).await;
    kit::closed(&mut silent[0]).await;
    kit::closed(&mut silent[1]).await;
    let youngest = silent.last_mut().unwrap();
    kit::ask(youngest, "/").await;
    kit::answered(youngest).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_on_which_nothing_moves_gives_way_after_the_time_of_a_head() {
    let limits = kit::Limits {
        connections_max: 1,
        head_wait_max: Duration::from_secs(10),
        ..LIMITS
    };
    let server = Server::start(limits).await;
    let begun = Instant::now();
    let mut stuck = server.send("/slow").await;
    server.entered(1).await;

    let mut next = server.send("/").await;
    kit::answered(&mut next).await;

    assert!(begun.elapsed() >= limits.head_wait_max);
    kit::closed(&mut stuck).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_on_which_nothing_moves_ends_after_the_stall_limit() {
    let limits = kit::Limits {
        stall_wait_max: HOUR,
        ..LIMITS
    };
    let server = Server::start(limits).await;
    let begun = Instant::now();
    let mut stuck = server.send("/slow").await;
    server.entered(1).await;

    kit::closed(&mut stuck).await;

    assert!(begun.elapsed() >= limits.stall_wait_max);
}

#[tokio::test]
async fn one_address_does_not_take_the_connections_of_another() {
    let limits = kit::Limits {
        per_address_max: 2,
        ..LIMITS
    };
    let server = Server::start(limits).await;
    let _first = server.send("/slow").await;
    let _second = server.send("/slow").await;
    server.entered(2).await;

    let mut third = server.connect().await;
    kit::closed(&mut third).await;
    let mut other = server.connect_from([127, 0, 0, 2]).await;
    kit::ask(&mut other, "/").await;
    kit::answered(&mut other).await;
}
