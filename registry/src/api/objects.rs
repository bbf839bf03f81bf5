//! `/objects`: intellectual objects.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::registry::IntellectualObject;

use super::App;
use super::error::ApiError;
use super::request::{Json, id, made, reply, same_institution};
use crate::rules::{RuleError, checks};

/// A repetition by the same work item finds the object that it made before.
pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(object): Json<IntellectualObject>,
) -> Result<Response, ApiError> {
    same_institution(&institution, object.institution_id)?;
    if object.id != 0 {
        return Err(RuleError::Mismatch.into());
    }
    checks::object(&object)?;
    let (status, object) = made(app.store.create_object(&object).await?);
    Ok(reply(status, &object))
}

pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(object): Json<IntellectualObject>,
) -> Result<Response, ApiError> {
    if id(&name)? != object.id {
        return Err(RuleError::Mismatch.into());
    }
    checks::object(&object)?;
    let stored = app.store.update_object(&object).await?;
    Ok(reply(StatusCode::OK, &stored))
}
