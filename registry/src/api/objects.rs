//! `/objects`: intellectual objects.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::registry::IntellectualObject;

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{Json, Name, id, reply, same_institution};
use crate::rules::{Refusal, checks};
use crate::store::objects::{Made, OBJECTS};

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&OBJECTS, &uri, caller)?;
    let page = app.store.objects(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let view = match Name::of(name) {
        Name::Id(id) => app.store.object(id).await?,
        Name::Identifier(identifier) => app.store.object_by_identifier(&identifier).await?,
    };
    caller.may_see(view.object.institution_id)?;
    Ok(reply(StatusCode::OK, &view))
}

/// 201 for a new object, 200 when the same work item has created it already.
pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(object): Json<IntellectualObject>,
) -> Result<Response, Failure> {
    same_institution(&institution, object.institution_id)?;
    if object.id != 0 {
        return Err(Refusal::Mismatch.into());
    }
    checks::object(&object)?;
    Ok(match app.store.create_object(&object).await? {
        Made::New(object) => reply(StatusCode::CREATED, &object),
        Made::Existing(object) => reply(StatusCode::OK, &object),
    })
}

pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(object): Json<IntellectualObject>,
) -> Result<Response, Failure> {
    if id(&name)? != object.id {
        return Err(Refusal::Mismatch.into());
    }
    checks::object(&object)?;
    let stored = app.store.update_object(&object).await?;
    Ok(reply(StatusCode::OK, &stored))
}
