//! Serves HTTP/1 on a listener: how many connections, how long each may take, and how all end.
//!
//! On stop no connection is accepted any more, idle ones close, and requests that are being answered
//! get a moment to finish. Then they are dropped: a service must be safe to drop at any point.
//!
//! Cannot do: TLS, HTTP/2, upgrades. It is meant for loopback, or for behind a load balancer.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// A pause when a connection cannot be accepted, so that the loop does not spin while the process
/// has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server grants its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; beyond it new ones wait to be accepted.
    pub connections_max: usize,
    /// Headers of one request. One with more is refused.
    pub headers_max: usize,
    /// Bytes of the head of a request, and of a body held unread. A longer head is refused.
    pub head_bytes_max: usize,
    /// How long a client may take over its head; also how long an idle connection is kept.
    pub head_wait_max: Duration,
    /// How long requests may still take after the stop.
    pub drain_wait_max: Duration,
}

/// Serves until `stop` fires and what was running then has ended or was dropped.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    limits: &Limits,
    stop: &CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_wait_max)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max);
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            Some(_ended) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, permit)) => {
                let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                let stop = stop.clone();
                connections.spawn(async move {
                    attend(connection, &stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "could not accept a connection");
                if timeout(ACCEPT_PAUSE, stop.cancelled()).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listener);
    let drained = timeout(limits.drain_wait_max, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        let left = connections.len();
        warn!(left, "dropping requests that did not end in time");
        connections.shutdown().await;
    }
}

/// The next connection, once there is a permit for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _peer) = listener.accept().await?;
    // Answers are written whole: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "could not set TCP_NODELAY");
    }
    Ok((stream, permit))
}

/// Answers the requests of one connection, one after the other; after the stop no more than the one
/// that is running.
async fn attend<S, B>(
    connection: http1::Connection<TokioIo<TcpStream>, S>,
    stop: &CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
