//! An HTTP/1.1 proxy on loopback that does to requests what networks and busy services do.
//!
//! It goes before any S3 endpoint or registry that speaks plain HTTP, and is told what to do with the
//! next requests that match. For tests and rehearsals: no worker uses it.
//!
//! ```
//! use std::time::Duration;
//!
//! use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = FaultProxy::before("http://127.0.0.1:9000").await?;
//! let puts = Requests::of(Method::PUT).containing("staging/12/");
//! proxy.plan(puts.clone(), Times::Next(2), Fault::unavailable(None));
//! proxy.plan(Requests::any(), Times::Always, Fault::Delay(Duration::from_millis(50)));
//!
//! // Give `proxy.url()` to a client in place of the endpoint's own URL.
//! let mut client = tokio::net::TcpStream::connect(proxy.address()).await?;
//! client.write_all(b"PUT /staging/12/a HTTP/1.1\r\nhost: s3\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//!
//! assert!(answer.starts_with("HTTP/1.1 503"));
//! assert_eq!(proxy.seen(&puts).len(), 1);
//! assert_eq!(proxy.count(&Method::PUT), 1);
//! # Ok(())
//! # }
//! ```
//!
//! What it is not told to change it passes on as it is, the `Host` header above all, because S3 signatures
//! cover it. The one exception is `Connection`: every connection carries one request, so that a broken one breaks
//! nothing else. Positions in a body count its bytes as they are on the wire, chunk sizes included.
//! A server that cannot be reached looks like a connection that closes without an answer.
//!
//! A [`Watch`] sees every request before it is passed on and again when it has been carried out, and may keep
//! either from going further: for what a plan cannot say, such as the moment at which a process dies.
//!
//! Cannot speak TLS.

mod exchange;
mod head;
mod plan;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use head::Seen;
pub use http::{Method, StatusCode};
pub use plan::{Fault, Requests, SEEN_MAX, Times};
pub use watch::{Passing, Watch};

use plan::State;

/// More clients wait for one of these to end. Well above what the workers of one process open.
const CONNECTIONS_MAX: usize = 1_024;

/// A pause when a connection cannot be accepted, as by a process without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("expected http://HOST:PORT without a path, got {0:?}")]
    NotAnOrigin(String),
    #[error("could not listen on loopback")]
    Listen(#[source] io::Error),
}

/// A running proxy. It ends when it is dropped, with every request under way.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Listens on a free port of loopback, before the server at `upstream` (`http://HOST:PORT`).
    pub async fn before(upstream: &str) -> Result<Self, ProxyError> {
        Self::start(upstream, State::default()).await
    }

    /// As [`Self::before`], with every request watched.
    pub async fn watched(upstream: &str, watch: Arc<dyn Watch>) -> Result<Self, ProxyError> {
        Self::start(upstream, State::watched(watch)).await
    }

    async fn start(upstream: &str, state: State) -> Result<Self, ProxyError> {
        let origin =
            origin(upstream).ok_or_else(|| ProxyError::NotAnOrigin(upstream.to_owned()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(ProxyError::Listen)?;
        let address = listener.local_addr().map_err(ProxyError::Listen)?;
        let state = Arc::new(state);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, origin, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            _tasks: tasks,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients are given instead of the server's own URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens to the next requests that match. Of several plans for one request the oldest
    /// that is not used up applies, and it alone.
    pub fn plan(&self, requests: Requests, times: Times, fault: Fault) {
        self.state.plan(requests, times, fault);
    }

    /// Forgets every plan: from now on all requests are passed on, those that are held as well.
    pub fn heal(&self) {
        self.state.heal();
    }

    /// The matching ones among the last [`SEEN_MAX`] requests, oldest first.
    pub fn seen(&self, requests: &Requests) -> Vec<Seen> {
        self.state.seen(requests)
    }

    /// How many requests of this kind have arrived since the start.
    pub fn count(&self, method: &Method) -> u64 {
        self.state.count(method)
    }
}

/// The host and port of a URL that has nothing else.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let is_origin = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
    let port = uri.port_u16().unwrap_or(80);
    uri.host()
        .filter(|_| is_origin && uri.query().is_none())
        .map(|host| format!("{host}:{port}"))
}

async fn accept(listener: TcpListener, origin: String, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            exchange::wait(ACCEPT_PAUSE).await;
            continue;
        };
        let (origin, state) = (origin.clone(), Arc::clone(&state));
        connections.spawn(async move {
            // A side that goes away in the middle is what this proxy is for.
            drop(exchange::serve(client, &origin, &state).await);
        });
        while connections.try_join_next().is_some() {}
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
    }
}
