//! What this installation is, and whether it is ready.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::registry::Installation;
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::request::reply;

pub(super) async fn show(State(app): State<App>) -> Response {
    let installation = Installation {
        namespace: app.namespace,
    };
    reply(StatusCode::OK, &installation)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// 200 when the database answers. Needs no credentials, and says nothing else.
pub(super) async fn health(State(app): State<App>) -> Result<Response, ApiError> {
    app.store.ping().await?;
    Ok(reply(StatusCode::OK, &Health { status: "ok" }))
}
