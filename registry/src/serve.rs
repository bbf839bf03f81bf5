//! Connections: how many, how long they may dawdle, and how they end.
//!
//! On stop no connection is accepted any more; requests that are being answered get a moment to
//! finish. Dropping one that does not is safe: its transaction leaves nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Seventeen kinds of workers hold a few connections each; beyond this, new ones wait.
const CONNECTIONS_MAX: usize = 1_024;
/// Ours sends 6. A client that needs more than this is none of ours.
const HEADERS_MAX: usize = 64;
/// The longest request head: a list with 200 filter values fits.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take over its head; also how long an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_mins(2);
/// How long requests may still take once the server was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// A pause when the system has no more file handles, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` fires.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            Some(_ended) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, place)) => {
                let (app, stop) = (app.clone(), stop.clone());
                connections.spawn(async move {
                    attend(stream, app, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "could not accept a connection");
                // Either way the loop goes on; a stop is seen at its top.
                if tokio::time::timeout(ACCEPT_PAUSE, stop.cancelled())
                    .await
                    .is_ok()
                {
                    break;
                }
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_LIMIT, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        warn!(
            left = connections.len(),
            "dropping requests that did not end"
        );
    }
    connections.shutdown().await;
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _address) = listener.accept().await?;
    Ok((stream, place))
}

/// Answers the requests of one connection, one after the other.
async fn attend(stream: TcpStream, app: Router, stop: CancellationToken) {
    // Replies are written whole; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "no TCP_NODELAY");
    }
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection broke");
    }
}
