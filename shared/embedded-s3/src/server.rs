//! Accepts connections and hands their requests to the service, until told to stop.
//!
//! On stop: no new connections, idle ones close, running requests get [`DRAIN_LIMIT`], then they are
//! dropped. Dropping is safe at any point: a change is committed or it is not, and a file nobody
//! refers to goes away.

use std::io;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::EmbeddedS3Error;

/// How long running requests may take to finish after the stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Connections at a time; each may hold about 2 MiB of a body. Clients of one machine use a few dozen.
const CONNECTIONS_MAX: usize = 1024;
/// How long to wait when the process has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn serve(
    listener: TcpListener,
    service: S3Service,
    stop: CancellationToken,
) -> Result<(), EmbeddedS3Error> {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next(), if connections.len() >= CONNECTIONS_MAX => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, _peer)) => {
                        connections.spawn(connection(stream, service.clone(), stop.clone()));
                    }
                    Err(error) => pause_or_fail(error, &stop).await?,
                }
            }
        }
    }
    drop(listener);
    let drained = timeout(DRAIN_LIMIT, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "dropping the requests that did not finish in time"
        );
        connections.shutdown().await;
    }
    Ok(())
}

/// A connection that broke before it was accepted, or a lack of descriptors, is no reason to end.
async fn pause_or_fail(error: io::Error, stop: &CancellationToken) -> Result<(), EmbeddedS3Error> {
    if error.kind() == io::ErrorKind::InvalidInput {
        return Err(EmbeddedS3Error::Listener(error));
    }
    tracing::warn!(%error, "could not accept a connection");
    tokio::select! {
        () = sleep_until(tokio::time::Instant::now() + ACCEPT_PAUSE) => {}
        () = stop.cancelled() => {}
    }
    Ok(())
}

async fn connection(stream: TcpStream, service: S3Service, stop: CancellationToken) {
    // Small answers must not wait for a full packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let mut serving =
        std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
