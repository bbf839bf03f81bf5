//! The smallest server that a proxy can be before, and the smallest client.

use std::io;
use std::sync::{Arc, Mutex};

use muniment_fault_proxy::FaultProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers every request with the body it was given, and keeps what arrived.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn answering(body: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let received = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let (seen, body) = (Arc::clone(&received), body.to_vec());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                drop(answer(&mut client, &seen, &body).await);
            }
        });
        Self {
            url,
            received,
            _tasks: tasks,
        }
    }

    /// The requests so far, each with its head and its body.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().expect("lock").clone()
    }
}

async fn answer(client: &mut TcpStream, seen: &Mutex<Vec<Vec<u8>>>, body: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    let head_bytes = loop {
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&request).to_lowercase();
    if head.contains("expect: 100-continue") {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
    while request.len() < head_bytes + length && client.read_buf(&mut request).await? > 0 {}
    let number = {
        let mut seen = seen.lock().expect("lock");
        seen.push(request);
        seen.len()
    };
    let answer_head = format!(
        "HTTP/1.1 200 OK\r\nx-number: {number}\r\nx-sum-a: 1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(answer_head.as_bytes()).await?;
    client.write_all(body).await?;
    client.shutdown().await
}

/// Sends a request and reads until the connection ends: the head, the body, and whether it ended well.
pub(crate) async fn ask(proxy: &FaultProxy, request: &[u8]) -> (String, Vec<u8>, io::Result<()>) {
    let client = TcpStream::connect(proxy.address()).await.expect("connects");
    let (mut from_proxy, mut to_proxy) = client.into_split();
    let request = request.to_vec();
    let mut sending = JoinSet::new();
    // Keeps its half open until the answer has been read.
    sending.spawn(async move {
        to_proxy.write_all(&request).await.expect("sends");
        std::future::pending::<()>().await;
    });
    let mut answer = Vec::new();
    let ended = from_proxy.read_to_end(&mut answer).await.map(drop);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = end.map_or_else(Vec::new, |end| answer.split_off(end + 4));
    let head = String::from_utf8(answer).expect("a head is text");
    (head, body, ended)
}
