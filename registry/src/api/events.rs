//! `/events`: PREMIS events.

use axum::extract::State;
use axum::response::Response;
use muniment_model::registry::PremisEvent;

use super::App;
use super::error::ApiError;
use super::request::{Json, made, reply};

/// A repetition finds the event that is recorded already.
pub(super) async fn create(
    State(app): State<App>,
    Json(event): Json<PremisEvent>,
) -> Result<Response, ApiError> {
    let (status, event) = made(app.store.create_event(&event).await?);
    Ok(reply(status, &event))
}
