//! `/storage_records`: the copies of files. Behind the admin door only.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::InstitutionId;
use muniment_model::registry::StorageRecord;

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{Json, id, reply};
use crate::rules::checks;
use crate::store::storage_records::STORAGE_RECORDS;

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&STORAGE_RECORDS, &uri, caller)?;
    let page = app.store.storage_records(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let record = app.store.storage_record(id(&name)?).await?;
    Ok(reply(StatusCode::OK, &record))
}

pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(record): Json<StorageRecord>,
) -> Result<Response, Failure> {
    checks::storage_record(&record)?;
    let institution = InstitutionId(id(&institution)?);
    let stored = app
        .store
        .create_storage_record(institution, &record)
        .await?;
    Ok(reply(StatusCode::CREATED, &stored))
}
