//! A small HTTP proxy that does to our requests what networks and busy stores do.
//!
//! One request per connection. It looks at nothing but the request line, the length and the range.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection closes after this many bytes of the answer's body.
    CutBody(usize),
    /// The answer says it has only this many bytes, and has.
    ShortBody(usize),
    /// Answered with this status instead of being passed on.
    Status(u16),
    /// Passed on, and the checksums left out of the answer's head.
    NoChecksums,
    /// Passed on, and its answer lost.
    LoseAnswer,
}

#[derive(Debug)]
struct Planned {
    method: &'static str,
    /// What the request line must contain.
    part: &'static str,
    fault: Fault,
    times: usize,
}

/// A request as the proxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Planned>,
    seen: Vec<Seen>,
}

pub(crate) struct Proxy {
    pub(crate) url: Url,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, upstream, Arc::clone(&state)));
        Self {
            url: format!("http://{address}").parse().expect("url"),
            state,
            _tasks: tasks,
        }
    }

    /// Breaks the next `times` requests of this method whose request line contains `part`.
    pub(crate) fn plan(
        &self,
        (method, part): (&'static str, &'static str),
        fault: Fault,
        times: usize,
    ) {
        self.state.lock().expect("lock").planned.push(Planned {
            method,
            part,
            fault,
            times,
        });
    }

    /// The requests so far whose line contains `part`.
    pub(crate) fn seen(&self, part: &str) -> Vec<Seen> {
        let state = self.state.lock().expect("lock");
        let matching = state.seen.iter().filter(|seen| seen.line.contains(part));
        matching.cloned().collect()
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            // A client that goes away in the middle is what these tests are about.
            drop(serve(client, upstream, &state).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let (head, mut body) = read_head(&mut client).await?;
    let length = length_of(&head);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    let fault = take_fault(state, &head);
    if let Some(Fault::Status(status)) = fault {
        let answer =
            format!("HTTP/1.1 {status} Fault\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return client.write_all(answer.as_bytes()).await;
    }

    let mut server = TcpStream::connect(upstream).await?;
    let request = format!("{head}connection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    server.write_all(&body).await?;
    let (answer_head, mut answer_body) = read_head(&mut server).await?;
    server.read_to_end(&mut answer_body).await?;

    let answer_head = match fault {
        Some(Fault::LoseAnswer) => return Ok(()),
        Some(Fault::CutBody(kept)) => {
            answer_body.truncate(kept);
            answer_head
        }
        Some(Fault::ShortBody(kept)) => {
            answer_body.truncate(kept);
            with_length(&answer_head, kept)
        }
        Some(Fault::NoChecksums) => without_checksums(&answer_head),
        Some(Fault::Status(_)) | None => answer_head,
    };
    client.write_all(answer_head.as_bytes()).await?;
    client.write_all(b"\r\n").await?;
    client.write_all(&answer_body).await?;
    client.shutdown().await
}

fn take_fault(state: &Mutex<State>, head: &str) -> Option<Fault> {
    let line = head.lines().next().unwrap_or_default().to_owned();
    let mut state = state.lock().expect("lock");
    let found = state.planned.iter_mut().find(|planned| {
        planned.times > 0 && line.starts_with(planned.method) && line.contains(planned.part)
    });
    let fault = found.map(|planned| {
        planned.times -= 1;
        planned.fault
    });
    state.seen.push(Seen {
        line,
        head: head.to_owned(),
    });
    fault
}

/// The head without its empty line, and what came behind it.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            bytes.truncate(end + 2);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn length_of(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0)
}

fn without_checksums(head: &str) -> String {
    head.split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("x-amz-checksum-"))
        .collect()
}

fn with_length(head: &str, length: usize) -> String {
    head.split_inclusive("\r\n")
        .map(|line| {
            if line.to_ascii_lowercase().starts_with("content-length:") {
                format!("content-length: {length}\r\n")
            } else {
                line.to_owned()
            }
        })
        .collect()
}
