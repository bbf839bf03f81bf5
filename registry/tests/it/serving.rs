//! How connections are bounded, and how serving ends.

use std::sync::Arc;
use std::time::Duration;

use muniment_registry::Registry;
use muniment_testkit::MockClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::kit::{Site, depositor};

/// An idle client must not keep the process from stopping, nor may a stop lose what was answered.
#[tokio::test]
async fn a_stop_ends_serving_although_a_client_stays_and_everything_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db");
    let open = async || Registry::open(file.clone(), Arc::new(MockClock::default())).await;
    let registry = open().await.unwrap();
    let made = registry.ensure_institution(&depositor("test.edu")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(registry.serve(listener, stop.clone()));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    idle.write_all(health).await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();

    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(4), serving.join_next()).await;

    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(matches!(ended, Ok(Some(Ok(Ok(()))))));
    let again = open().await.unwrap();
    let kept = again.ensure_institution(&depositor("test.edu")).await;
    assert_eq!(kept.unwrap(), made.unwrap());
}

#[tokio::test]
async fn a_head_with_too_many_headers_is_refused() {
    let site = Site::start().await;
    let rows = [(62, "HTTP/1.1 200"), (64, "HTTP/1.1 431")];

    for (more, expected) in rows {
        let address = site.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let headers = "x-more: 1\r\n".repeat(more);
        let head = format!("GET /health HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{more}");
    }
}
