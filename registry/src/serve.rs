//! What the registry grants its clients: how many connections, and how long each may take.
//!
//! Dropping a request is safe at any point: its transaction leaves nothing.

use std::time::Duration;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use muniment_http_server::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMITS: Limits = Limits {
    connections_max: CONNECTIONS_MAX,
    // Behind a load balancer all clients have its address.
    per_address_max: CONNECTIONS_MAX,
    headers_max: HEADERS_MAX,
    head_bytes_max: HEAD_BYTES_MAX,
    head_wait_max: HEAD_WAIT_MAX,
    idle_wait_max: IDLE_WAIT_MAX,
    stall_wait_max: STALL_WAIT_MAX,
    drain_wait_max: DRAIN_WAIT_MAX,
};
/// Seventeen kinds of workers hold a few connections each; beyond this, idle ones are closed.
const CONNECTIONS_MAX: usize = 1_024;
/// Ours sends 6. A client that needs more than this is none of ours.
const HEADERS_MAX: usize = 64;
/// The longest request head: a list with 200 filter values fits.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Far more than a head takes on a slow network.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longer than clients keep an idle connection, so that it is they who close it.
const IDLE_WAIT_MAX: Duration = Duration::from_mins(2);
/// Longer than any client waits for an answer.
const STALL_WAIT_MAX: Duration = Duration::from_mins(2);
/// A request is a few statements: one that takes longer is stuck.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(5);

/// Serves until `stop` fires.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: &CancellationToken) {
    let service = TowerToHyperService::new(app);
    muniment_http_server::serve(listener, service, &LIMITS, stop).await;
}
