//! `/events`: PREMIS events.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::registry::PremisEvent;

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{Json, Name, reply};
use crate::store::events::{EVENTS, Made};

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&EVENTS, &uri, caller)?;
    let page = app.store.events(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let view = match Name::of(name) {
        Name::Id(id) => app.store.event(id).await?,
        Name::Identifier(identifier) => app.store.event_by_identifier(&identifier).await?,
    };
    caller.may_see(view.event.institution_id)?;
    Ok(reply(StatusCode::OK, &view))
}

/// 201 for a new event, 200 when it is recorded already.
pub(super) async fn create(
    State(app): State<App>,
    Json(event): Json<PremisEvent>,
) -> Result<Response, Failure> {
    Ok(match app.store.create_event(&event).await? {
        Made::New(event) => reply(StatusCode::CREATED, &event),
        Made::Existing(event) => reply(StatusCode::OK, &event),
    })
}
