//! What each fault does to the client, and what the server sees of it.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, StatusCode, Times};

use crate::server::{Server, ask};

const GET: &[u8] = b"GET /bucket/key HTTP/1.1\r\nhost: s3\r\n\r\n";
const PUT: &[u8] = b"PUT /bucket/key HTTP/1.1\r\nhost: s3\r\ncontent-length: 4\r\n\r\nbody";
const BODY: &[u8] = b"0123456789";

async fn broken_once(fault: Fault) -> (Server, FaultProxy) {
    let server = Server::answering(BODY).await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");
    proxy.plan(Requests::any(), Times::Next(1), fault);
    (server, proxy)
}

#[tokio::test]
async fn a_status_is_answered_without_asking_the_server() {
    let half = Duration::from_millis(1_500);
    let rows = [
        (Fault::unavailable(None), "503 Service Unavailable", None),
        (
            Fault::unavailable(Some(half)),
            "503 Service Unavailable",
            Some("retry-after: 2\r\n"),
        ),
        (Fault::status(StatusCode::FORBIDDEN), "403 Forbidden", None),
    ];

    for (fault, status, header) in rows {
        let (server, proxy) = broken_once(fault.clone()).await;

        let (head, body, ended) = ask(&proxy, PUT).await;

        assert!(ended.is_ok(), "{fault:?}");
        let expected = format!(
            "HTTP/1.1 {status}\r\n{}content-length: 0\r\nconnection: close\r\n\r\n",
            header.unwrap_or_default()
        );
        assert_eq!(head, expected, "{fault:?}");
        assert!(body.is_empty(), "{fault:?}");
        assert_eq!(server.received().len(), 0, "{fault:?}");
    }
}

/// The client is still sending when it is answered. A connection closed at once would be reset.
#[tokio::test]
async fn a_status_arrives_whatever_the_client_has_yet_to_send() {
    let (_server, proxy) = broken_once(Fault::unavailable(None)).await;
    let body = vec![1; 20_000_000];
    let head = format!("PUT / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());

    let (answer, _, ended) = ask(&proxy, &[head.as_bytes(), &body].concat()).await;

    assert!(ended.is_ok());
    assert!(answer.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn only_the_planned_requests_break_and_all_are_counted() {
    let server = Server::answering(BODY).await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");
    let gets = Requests::of(Method::GET).containing("bucket/");
    proxy.plan(gets.clone(), Times::Next(2), Fault::unavailable(None));

    let mut answers = Vec::new();
    for request in [PUT, GET, GET, GET] {
        let (head, _, _) = ask(&proxy, request).await;
        answers.push(head.starts_with("HTTP/1.1 200"));
    }

    assert_eq!(answers, [true, false, false, true]);
    assert_eq!(proxy.seen(&gets).len(), 3);
    assert_eq!(proxy.count(&Method::GET), 3);
    assert_eq!(proxy.count(&Method::PUT), 1);
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_plan_for_always_ends_when_the_proxy_is_healed() {
    let server = Server::answering(BODY).await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");
    proxy.plan(Requests::any(), Times::Always, Fault::unavailable(None));

    for _ in 0..5 {
        let (head, _, _) = ask(&proxy, GET).await;
        assert!(head.starts_with("HTTP/1.1 503"));
    }
    proxy.heal();

    let (head, _, _) = ask(&proxy, GET).await;
    assert!(head.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_delay_is_waited_and_the_answer_is_whole() {
    let delay = Duration::from_millis(120);
    let (server, proxy) = broken_once(Fault::Delay(delay)).await;
    let start = Instant::now();

    let (_, body, _) = ask(&proxy, GET).await;

    assert!(start.elapsed() >= delay);
    assert_eq!(body, BODY);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_request_is_held_until_the_proxy_is_healed() {
    let (server, proxy) = broken_once(Fault::Hold).await;

    let healed = async {
        while proxy.seen(&Requests::any()).is_empty() {
            tokio::task::yield_now().await;
        }
        let passed_on = server.received().len();
        proxy.heal();
        passed_on
    };
    let ((head, body, _), passed_on) = tokio::join!(ask(&proxy, GET), healed);

    assert_eq!(passed_on, 0);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, BODY);
}

#[tokio::test]
async fn a_word_of_the_body_is_another_one() {
    let (_server, proxy) = broken_once(Fault::Rename("345", "xyz")).await;

    let (head, body, _) = ask(&proxy, GET).await;

    assert!(head.contains("\r\ncontent-length: 10\r\n"), "{head}");
    assert_eq!(body, b"012xyz6789");
}

#[tokio::test]
async fn a_header_is_added_to_the_answer() {
    let (_server, proxy) = broken_once(Fault::WithHeader("x-added", "it")).await;

    let (head, body, _) = ask(&proxy, GET).await;

    assert!(head.contains("\r\nx-added: it\r\n"), "{head}");
    assert!(head.contains("\r\nx-number: 1\r\n"), "{head}");
    assert_eq!(body, BODY);
}

#[tokio::test]
async fn a_reset_is_seen_as_one() {
    for count in [0, 4] {
        let (server, proxy) = broken_once(Fault::ResetAfter(count)).await;

        let (_, body, ended) = ask(&proxy, GET).await;

        let error = ended.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{count}");
        assert!(BODY.starts_with(&body) && body.len() as u64 <= count);
        assert_eq!(server.received().len(), 1, "{count}");
    }
}

#[tokio::test]
async fn a_truncated_body_has_fewer_bytes_than_promised() {
    for (count, expected) in [(0, &BODY[..0]), (4, &BODY[..4]), (99, BODY)] {
        let (_server, proxy) = broken_once(Fault::TruncateAfter(count)).await;

        let (head, body, ended) = ask(&proxy, GET).await;

        assert!(ended.is_ok(), "{count}");
        assert!(
            head.contains("\r\ncontent-length: 10\r\n"),
            "{count}: {head}"
        );
        assert_eq!(body, expected, "{count}");
    }
}

#[tokio::test]
async fn a_shortened_body_keeps_what_its_head_promises() {
    for (count, expected) in [(0, &BODY[..0]), (4, &BODY[..4]), (99, BODY)] {
        let (_server, proxy) = broken_once(Fault::Shorten(count)).await;

        let (head, body, _) = ask(&proxy, GET).await;

        let promised = format!("\r\ncontent-length: {}\r\n", expected.len());
        assert!(head.contains(&promised), "{count}: {head}");
        assert_eq!(body, expected, "{count}");
    }
}

#[tokio::test]
async fn one_bit_is_flipped_and_no_other() {
    let rows = [(0, "1123456789"), (9, "0123456788"), (10, "0123456789")];

    for (position, expected) in rows {
        let (_server, proxy) = broken_once(Fault::FlipBit(position)).await;

        let (_, body, _) = ask(&proxy, GET).await;

        assert_eq!(body, expected.as_bytes(), "{position}");
    }
}

#[tokio::test]
async fn one_bit_of_what_is_sent_is_flipped_and_no_other() {
    for (position, expected) in [(0, "cody"), (3, "bodx"), (4, "body")] {
        let (server, proxy) = broken_once(Fault::FlipSentBit(position)).await;

        let (_, body, _) = ask(&proxy, PUT).await;

        assert_eq!(body, BODY, "{position}");
        let received = server.received();
        assert!(received[0].ends_with(expected.as_bytes()), "{position}");
        assert_eq!(received[0].len(), PUT.len() + "connection: close\r\n".len());
    }
}

#[tokio::test]
async fn a_dropped_answer_leaves_the_request_carried_out() {
    let (server, proxy) = broken_once(Fault::DropAnswer).await;

    let (head, body, _) = ask(&proxy, PUT).await;

    assert_eq!((head.as_str(), body.len()), ("", 0));
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].ends_with(b"body"));
}

#[tokio::test]
async fn a_doubled_request_is_carried_out_twice_and_answered_once() {
    let (server, proxy) = broken_once(Fault::Double).await;

    let (head, body, _) = ask(&proxy, PUT).await;

    assert!(head.contains("\r\nx-number: 2\r\n"), "{head}");
    assert_eq!(body, BODY);
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], received[1]);
    assert_eq!(proxy.count(&Method::PUT), 1);
}

#[tokio::test]
async fn headers_are_left_out_by_the_beginning_of_their_names() {
    let (_server, proxy) = broken_once(Fault::WithoutHeaders("X-Sum-")).await;

    let (head, body, _) = ask(&proxy, GET).await;

    assert!(!head.contains("x-sum-a"), "{head}");
    assert!(head.contains("\r\nx-number: 1\r\n"), "{head}");
    assert_eq!(body, BODY);
}
