//! `/storage_records`: the copies of files, for administrators only.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::InstitutionId;
use muniment_model::registry::StorageRecord;

use super::App;
use super::error::ApiError;
use super::request::{Json, id, reply};
use crate::rules::checks;

pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(record): Json<StorageRecord>,
) -> Result<Response, ApiError> {
    checks::storage_record(&record)?;
    let institution = InstitutionId(id(&institution)?);
    let stored = app
        .store
        .create_storage_record(institution, &record)
        .await?;
    Ok(reply(StatusCode::CREATED, &stored))
}
