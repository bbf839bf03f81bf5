//! What the proxy does when nothing is planned, and what it cannot do.

use muniment_fault_proxy::{Fault, FaultProxy, Method, ProxyError, Requests, Times};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, ask};

#[tokio::test]
async fn a_request_and_its_answer_pass_unchanged() {
    let server = Server::answering(b"the answer").await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");
    let body = vec![7; 3_000_000];
    let head = "PUT /a%2Fb?x=%20 HTTP/1.1\r\nHost: bucket.s3.example\r\nX-Amz-Date: 1\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n", body.len());

    let (answer_head, answer, ended) = ask(&proxy, &[request.as_bytes(), &body].concat()).await;

    assert!(ended.is_ok());
    assert_eq!(answer, b"the answer");
    assert!(answer_head.contains("\r\nx-number: 1\r\nx-sum-a: 1\r\ncontent-length: 10\r\n"));
    let received = server.received().concat();
    assert!(received.starts_with(head.as_bytes()));
    assert!(received.ends_with(&body));
    let seen = proxy.seen(&Requests::any());
    let [seen] = seen.as_slice() else {
        panic!("one request, not {seen:?}")
    };
    assert_eq!(
        (&seen.method, seen.target.as_str()),
        (&Method::PUT, "/a%2Fb?x=%20")
    );
    assert_eq!(seen.header("host"), Some("bucket.s3.example"));
    assert_eq!(seen.header("range"), None);
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let body: Vec<u8> = (0..9_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let server = Server::answering(&body).await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");

    let (_, answer, ended) = ask(&proxy, b"GET / HTTP/1.1\r\nhost: s3\r\n\r\n").await;

    assert!(ended.is_ok());
    assert!(answer == body);
}

#[tokio::test]
async fn a_client_that_waits_for_permission_to_send_gets_it() {
    let server = Server::answering(b"thanks").await;
    let proxy = FaultProxy::before(&server.url).await.expect("starts");
    proxy.plan(
        Requests::any().containing("dropped"),
        Times::Next(1),
        Fault::DropAnswer,
    );
    let rest = "HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody";

    let (passed, body, _) = ask(&proxy, format!("PUT /passed {rest}").as_bytes()).await;
    let (dropped, nothing, _) = ask(&proxy, format!("PUT /dropped {rest}").as_bytes()).await;

    assert_eq!(passed, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(body.starts_with(b"HTTP/1.1 200 OK\r\n") && body.ends_with(b"thanks"));
    assert_eq!(dropped, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_sends_is_gone_for_the_server_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let proxy = FaultProxy::before(&url).await.expect("starts");
    let mut client = TcpStream::connect(proxy.address()).await.expect("connects");
    let request = b"PUT / HTTP/1.1\r\ncontent-length: 9\r\n\r\nfour";
    client.write_all(request).await.expect("sends");
    drop(client);

    let (mut server, _) = listener.accept().await.expect("accepts");
    let mut received = Vec::new();
    let ended = tokio::io::copy(&mut server, &mut received).await;

    assert!(ended.is_ok());
    assert!(received.ends_with(b"\r\n\r\nfour"));
}

#[tokio::test]
async fn a_server_that_is_away_looks_like_a_broken_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let proxy = FaultProxy::before(&url).await.expect("starts");

    let (head, _, _) = ask(&proxy, b"GET / HTTP/1.1\r\n\r\n").await;

    assert_eq!(head, "");
    assert_eq!(proxy.count(&Method::GET), 1);
}

#[tokio::test]
async fn only_an_origin_of_plain_http_can_be_proxied() {
    let rows = [
        ("http://127.0.0.1:9000", true),
        ("http://localhost:9000/", true),
        ("http://[::1]:9000", true),
        ("http://s3.example", true),
        ("https://s3.example", false),
        ("http://s3.example/path", false),
        ("http://s3.example/?query", false),
        ("s3.example:9000", false),
        ("no url", false),
    ];

    for (url, expected) in rows {
        let started = FaultProxy::before(url).await;

        assert_eq!(started.is_ok(), expected, "{url}");
        if let Err(error) = started {
            assert!(matches!(error, ProxyError::NotAnOrigin(found) if found == url));
        }
    }
}
