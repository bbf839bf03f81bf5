//! Serves HTTP/1 on a listener: how many connections, how long each may take, and how all end.
//!
//! A connection that does nothing costs nobody else theirs: heads and idle connections have their time,
//! and when there are too many connections the one that was idle for longest is closed for the next.
//!
//! On stop no connection is accepted any more, idle ones close, and requests that are being answered
//! get a moment to finish. Then they are dropped: a service must be safe to drop at any point.
//!
//! Cannot do: TLS, HTTP/2, upgrades. It is meant for loopback, or for behind a load balancer.

mod connections;
mod watch;
mod watched_service;

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use connections::{Connections, Room};
use watch::{Watch, Watched};
use watched_service::WatchedService;

/// A pause when a connection cannot be accepted, so that the loop does not spin while the process
/// has no more file descriptors, or every connection is being answered.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server grants its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; beyond it the longest idle one is closed for the next.
    pub connections_max: usize,
    /// Connections of one address at a time, so that one client does not take all.
    pub per_address_max: usize,
    /// Headers of one request. One with more is refused.
    pub headers_max: usize,
    /// Bytes of the head of a request, and of a body held unread. A longer head is refused.
    pub head_bytes_max: usize,
    /// How long a client may take over its head.
    pub head_wait_max: Duration,
    /// How long a connection is kept on which nothing is asked.
    pub idle_wait_max: Duration,
    /// How long a request may go on without a byte of it or of its answer.
    pub stall_wait_max: Duration,
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
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    // The time a head may take is that of its watch, which knows an idle connection from a slow one.
    http.header_read_timeout(None)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max);
    let mut connections = Connections::default();
    while let Some((stream, address)) = next(&listener, &mut connections, limits, stop).await {
        let watch = Watch::new();
        let service = WatchedService {
            service: service.clone(),
            watch: Arc::clone(&watch),
        };
        let watched = Watched {
            stream,
            watch: Arc::clone(&watch),
        };
        let connection = http.serve_connection(TokioIo::new(watched), service);
        let (stop, limits, own) = (stop.clone(), *limits, Arc::clone(&watch));
        connections.spawn(address, watch, async move {
            tokio::select! {
                () = attend(connection, &stop) => {}
                () = own.overdue(&limits) => debug!("closing a connection"),
            }
        });
    }
    drop(listener);
    let mut tasks = connections.tasks;
    let drained = timeout(limits.drain_wait_max, async {
        while tasks.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        let left = tasks.len();
        warn!(left, "dropping requests that did not end in time");
        tasks.shutdown().await;
    }
}

/// The next connection that there is room for; nothing after the stop.
async fn next(
    listener: &TcpListener,
    connections: &mut Connections,
    limits: &Limits,
    stop: &CancellationToken,
) -> Option<(TcpStream, IpAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = accept(listener) => accepted,
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.forget(&ended);
                continue;
            }
            () = stop.cancelled() => return None,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "could not accept a connection");
                if timeout(ACCEPT_PAUSE, stop.cancelled()).await.is_ok() {
                    return None;
                }
                continue;
            }
        };
        loop {
            match connections.make_room(address, limits) {
                Room::Now => return Some((stream, address)),
                Room::NotForThisAddress => {
                    info!(%address, "refusing a connection: its address has too many");
                    break;
                }
                Room::Later => {}
            }
            tokio::select! {
                Some(ended) = connections.tasks.join_next_with_id() => connections.forget(&ended),
                stopped = timeout(ACCEPT_PAUSE, stop.cancelled()) => if stopped.is_ok() {
                    return None;
                }
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, IpAddr)> {
    let (stream, peer) = listener.accept().await?;
    // Answers are written whole: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "could not set TCP_NODELAY");
    }
    Ok((stream, peer.ip()))
}

/// Answers the requests of one connection, one after the other; after the stop no more than the one
/// that is running.
async fn attend<S, B>(connection: http1::Connection<TokioIo<Watched>, S>, stop: &CancellationToken)
where
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
