//! Tells over HTTP how a worker's process is: `/health`, `/ready` and `/metrics`.
//!
//! It looks at the work store for `/metrics` alone, so that a store that is away makes no container unhealthy:
//! replacing workers does not bring a service back.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::Service;
use muniment_http_server::{Limits, serve};
use muniment_meter::Meters;
use muniment_work::WorkStore;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics::{CONTENT_TYPE, text_of};
use crate::services::Services;

/// A balancer, a collector and an operator ask at a time. What is beyond it waits, or takes an idle connection's
/// place.
const CONNECTIONS_MAX: usize = 32;

const LIMITS: Limits = Limits {
    connections_max: CONNECTIONS_MAX,
    // Behind a balancer all clients have its address.
    per_address_max: CONNECTIONS_MAX,
    headers_max: 64,
    head_bytes_max: 16 * 1024,
    head_wait_max: Duration::from_secs(10),
    idle_wait_max: Duration::from_mins(1),
    stall_wait_max: Duration::from_secs(30),
    drain_wait_max: Duration::from_secs(1),
};

/// How a process is. Clones are one.
#[derive(Clone)]
pub(crate) struct Health {
    /// It has connected to what it needs.
    is_connected: Arc<AtomicBool>,
    /// Told to stop.
    stop: CancellationToken,
    meters: Meters,
    work: Arc<dyn WorkStore>,
}

impl Health {
    pub(crate) fn of(services: &Services, stop: CancellationToken) -> Self {
        Self {
            is_connected: Arc::default(),
            stop,
            meters: services.meters.clone(),
            work: services.work(),
        }
    }

    /// From now on it claims work.
    pub(crate) fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
    }

    /// Answers until dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        if let Ok(address) = listener.local_addr() {
            info!(%address, "serving /health, /ready and /metrics");
        }
        serve(listener, self, &LIMITS, &CancellationToken::new()).await;
    }

    fn state(&self) -> Response<Full<Bytes>> {
        let draining = self.stop.is_cancelled();
        let ready = self.is_connected.load(Ordering::Relaxed) && !draining;
        let said = json!({"live": true, "ready": ready, "draining": draining});
        let mut answer = answer("application/json", said.to_string());
        if !ready {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        answer
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let backlogs = self.work.backlog().await;
        if let Err(cause) = &backlogs {
            warn!(%cause, "metrics are told without the queues");
        }
        text_of(&self.meters, backlogs.ok()).map_or_else(
            |_unwritable| status(StatusCode::INTERNAL_SERVER_ERROR),
            |text| answer(CONTENT_TYPE, text),
        )
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(method) {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        match path {
            // Alive, whatever else: it answers.
            "/health" => {
                let mut answer = self.state();
                *answer.status_mut() = StatusCode::OK;
                answer
            }
            "/ready" => self.state(),
            "/metrics" => self.metrics().await,
            _ => status(StatusCode::NOT_FOUND),
        }
    }
}

fn answer(kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    let kind = header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = answer("text/plain", status.to_string());
    *answer.status_mut() = status;
    answer
}

impl Service<Request<Incoming>> for Health {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let health = self.clone();
        Box::pin(async move {
            let (head, _body) = request.into_parts();
            Ok(health.answer(&head.method, head.uri.path()).await)
        })
    }
}
