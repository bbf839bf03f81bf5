//! One connection of a client: its request, the fault, and what the server answers.
//!
//! Bodies are passed on as they come and never held, but for one that is sent twice, changed or watched. Nothing here
//! needs to know where a body ends: the server closes its connection after its only answer.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::mem;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::head::Head;
use crate::plan::{Fault, State};
use crate::watch::Watch;

/// How long one exchange may take, so that a server that never answers does not keep it for good.
/// Longer than any time limit of the clients we test.
const EXCHANGE_LIMIT: Duration = Duration::from_mins(10);

/// How long a client that has its answer may take to close its side. Closing ours at once would reset
/// the connection while it still sends, and the reset can overtake the answer.
const LINGER_LIMIT: Duration = Duration::from_secs(5);

/// The largest body of a request that is sent twice. S3 clients of ours send parts of 16 MiB.
const DOUBLED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much is passed on at a time.
const PIECE_BYTES: usize = 64 * 1024;

pub(crate) async fn serve(client: TcpStream, origin: &str, state: &State) -> io::Result<()> {
    timeout(EXCHANGE_LIMIT, exchange(client, origin, state)).await?
}

async fn exchange(mut client: TcpStream, origin: &str, state: &State) -> io::Result<()> {
    let request = Head::read(&mut client, Vec::new()).await?;
    let seen = request.seen().ok_or(io::ErrorKind::InvalidData)?;
    let mut healings = state.healings();
    let watched = match state.watch() {
        Some(watch) => Some((watch, watch.before(&seen).await)),
        None => None,
    };
    let fault = state.take(seen);
    if let Some(Fault::Status {
        status,
        retry_after,
    }) = fault
    {
        let answer = status_answer(status, retry_after);
        client.write_all(answer.as_bytes()).await?;
    } else {
        match fault {
            Some(Fault::Delay(delay)) => wait(delay).await,
            // The sender lives as long as the state.
            Some(Fault::Hold) => drop(healings.changed().await),
            _ => {}
        }
        carry_out(&mut client, request, origin, (fault.as_ref(), watched)).await?;
    }
    match fault {
        Some(Fault::ResetAfter(_)) => return client.set_zero_linger(),
        Some(Fault::DropAnswer) => return Ok(()),
        _ => client.shutdown().await?,
    }
    // Whether the client closes in time is its own affair.
    drop(timeout(LINGER_LIMIT, copy(&mut client, &mut sink())).await);
    Ok(())
}

fn status_answer(status: StatusCode, retry_after: Option<Duration>) -> String {
    let header = retry_after.map_or_else(String::new, |after| {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        format!("retry-after: {seconds}\r\n")
    });
    format!("HTTP/1.1 {status}\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n")
}

#[expect(
    clippy::disallowed_methods,
    reason = "it ends with the proxy, which has no other stop"
)]
pub(crate) async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// Who watches a request, and the number they gave it.
type Watched<'a> = Option<(&'a dyn Watch, u64)>;

/// Sends the request on, once or twice, and does to the answer what `fault` says.
async fn carry_out(
    client: &mut TcpStream,
    mut request: Head,
    origin: &str,
    (fault, watched): (Option<&Fault>, Watched<'_>),
) -> io::Result<()> {
    let (from_client, mut to_client) = client.split();
    let begun = mem::take(&mut request.rest);
    let head = request.last();
    let mut sent = Vec::new();
    let record = (fault == Some(&Fault::Double)).then_some(&mut sent);
    let flip_at = match fault {
        Some(Fault::FlipSentBit(position)) => Some(*position),
        _ => None,
    };

    let mut server = TcpStream::connect(origin).await?;
    server.write_all(&head).await?;
    let (from_server, to_server) = server.split();
    tokio::select! {
        never = upload(begun.as_slice().chain(from_client), to_server, flip_at, record) => match never? {},
        done = answer(from_server, &mut to_client, fault, watched) => done?,
    }
    if fault == Some(&Fault::Double) {
        return repeat(origin, &head, &sent, &mut to_client).await;
    }
    Ok(())
}

/// Sends a request that has been sent before, and passes its answer on.
async fn repeat(
    origin: &str,
    head: &[u8],
    body: &[u8],
    to_client: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut server = TcpStream::connect(origin).await?;
    server.write_all(head).await?;
    let (from_server, mut to_server) = server.split();
    let upload = async {
        // A server that reads no further says why in its answer.
        drop(to_server.write_all(body).await);
        pending::<Infallible>().await
    };
    tokio::select! {
        never = upload => match never {},
        done = answer(from_server, to_client, None, None) => done,
    }
}

/// Passes on what the client sends, and never ends by itself: the answer ends the exchange.
async fn upload(
    mut body: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    flip_at: Option<u64>,
    mut record: Option<&mut Vec<u8>>,
) -> io::Result<Infallible> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut passed = 0;
    while let Ok(1..) = body.read_buf(&mut piece).await {
        let flip_here = flip_at.and_then(|position| position.checked_sub(passed));
        let flip_here = flip_here.and_then(|at| piece.get_mut(usize::try_from(at).ok()?));
        if let Some(byte) = flip_here {
            *byte ^= 1;
        }
        passed += piece.len() as u64;
        if let Some(record) = &mut record {
            if record.len() + piece.len() > DOUBLED_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            record.extend_from_slice(&piece);
        }
        if to_server.write_all(&piece).await.is_err() {
            // The server reads no further. It says why in its answer.
            return pending().await;
        }
        piece.clear();
    }
    // The client has gone away, and the server is told so in the same way.
    drop(to_server.shutdown().await);
    pending().await
}

async fn answer(
    mut from_server: impl AsyncRead + Unpin,
    to_client: &mut (impl AsyncWrite + Unpin),
    fault: Option<&Fault>,
    watched: Watched<'_>,
) -> io::Result<()> {
    let mut head = Head::read(&mut from_server, Vec::new()).await?;
    while head.is_interim() {
        to_client.write_all(&head.unchanged()).await?;
        head = Head::read(&mut from_server, head.rest).await?;
    }
    let begun = mem::take(&mut head.rest);
    let mut body = begun.as_slice().chain(from_server);
    let Some((watch, number)) = watched else {
        return deliver(head, body, to_client, fault).await;
    };
    let mut whole = Vec::new();
    body.read_to_end(&mut whole).await?;
    watch.after(number).await;
    deliver(head, whole.as_slice(), to_client, fault).await
}

async fn deliver(
    mut head: Head,
    mut body: impl AsyncRead + Unpin,
    to_client: &mut (impl AsyncWrite + Unpin),
    fault: Option<&Fault>,
) -> io::Result<()> {
    if let Some(Fault::DropAnswer | Fault::Double) = fault {
        return copy(&mut body, &mut sink()).await.map(drop);
    }
    if let Some(Fault::Shorten(length_max)) = fault {
        head.shorten(*length_max);
    }
    if let Some(Fault::WithoutHeaders(prefix)) = fault {
        head.remove(prefix);
    }
    if let Some(Fault::WithHeader(name, value)) = fault {
        head.add(name, value);
    }
    to_client.write_all(&head.last()).await?;
    if let Some(Fault::ResetAfter(count) | Fault::TruncateAfter(count) | Fault::Shorten(count)) =
        fault
    {
        return copy(&mut body.take(*count), to_client).await.map(drop);
    }
    if let Some(Fault::FlipBit(position)) = fault {
        copy(&mut (&mut body).take(*position), to_client).await?;
        let mut byte = [0];
        if body.read(&mut byte).await? == 1 {
            to_client.write_all(&byte.map(|byte| byte ^ 1)).await?;
        }
    }
    if let Some(Fault::Rename(from, to)) = fault {
        let mut whole = Vec::new();
        body.read_to_end(&mut whole).await?;
        rename(&mut whole, from.as_bytes(), to.as_bytes());
        return to_client.write_all(&whole).await;
    }
    copy(&mut body, to_client).await.map(drop)
}

/// Overwrites in place, because the head has promised the length.
fn rename(body: &mut [u8], from: &[u8], to: &[u8]) {
    debug_assert_eq!(from.len(), to.len(), "the length does not change");
    let mut at = 0;
    while let Some(word) = body.get_mut(at..at + from.len()) {
        if word == from {
            word.copy_from_slice(to);
        }
        at += 1;
    }
}
