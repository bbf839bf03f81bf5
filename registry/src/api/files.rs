//! `/files`: files, one by one and in batches.

use std::slice;

use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use muniment_model::registry::{BATCH_MAX, FileLookup, GenericFile};
use muniment_model::{InstitutionId, WorkItemId};

use super::App;
use super::error::ApiError;
use super::listing::whole;
use super::request::{
    Json, id, minimal, number_in_query, prefers_minimal, reply, same_institution,
};
use crate::rules::RuleError;
use crate::store::StoreError;

pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(file): Json<GenericFile>,
) -> Result<Response, ApiError> {
    same_institution(&institution, file.institution_id)?;
    if file.id != 0 {
        return Err(RuleError::Mismatch.into());
    }
    let saved = save_one(&app, &file).await?;
    Ok(reply(StatusCode::CREATED, &saved))
}

/// New files, files that are there already, and (with their id) files with new bytes. `work_item_id`
/// in the query, which is ours, names the ingest that records them. A client that prefers `return=minimal`
/// (RFC 7240 §4.2) is not sent back what it sent: with their events, a thousand files are 10 MiB.
pub(super) async fn create_batch(
    State(app): State<App>,
    Path(institution): Path<String>,
    uri: OriginalUri,
    headers: HeaderMap,
    Json(files): Json<Vec<GenericFile>>,
) -> Result<Response, ApiError> {
    let institution = InstitutionId(id(&institution)?);
    let work_item = WorkItemId(number_in_query(&uri, "work_item_id")?);
    if prefers_minimal(&headers) {
        let recorded = app.store.record_files(institution, work_item, &files);
        recorded.await?;
        return Ok(minimal());
    }
    let saved = app.store.save_files(institution, work_item, &files).await?;
    Ok(whole(StatusCode::CREATED, &saved))
}

pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(file): Json<GenericFile>,
) -> Result<Response, ApiError> {
    let id = id(&name)?;
    if id != file.id || id == 0 || app.store.institution_of_file(id).await? != file.institution_id {
        return Err(RuleError::Mismatch.into());
    }
    let saved = save_one(&app, &file).await?;
    Ok(reply(StatusCode::OK, &saved))
}

pub(super) async fn lookup(
    State(app): State<App>,
    Json(lookup): Json<FileLookup>,
) -> Result<Response, ApiError> {
    if lookup.identifiers.len() > BATCH_MAX {
        return Err(ApiError::Bad(format!(
            "a look-up takes at most {BATCH_MAX} identifiers"
        )));
    }
    let found = app.store.lookup_files(&lookup).await?;
    Ok(whole(StatusCode::OK, &found))
}

/// Ours: which files an object has, and how large they are. The next page is asked for with the last id of
/// this one as `after_id`; a page of fewer than [`BATCH_MAX`] is the last.
pub(super) async fn sizes(
    State(app): State<App>,
    Path(object): Path<String>,
    uri: OriginalUri,
) -> Result<Response, ApiError> {
    let after = number_in_query(&uri, "after_id")?;
    let found = app.store.file_sizes(id(&object)?, after).await?;
    Ok(whole(StatusCode::OK, &found))
}

/// A batch of one; its faults name no index.
async fn save_one(app: &App, file: &GenericFile) -> Result<GenericFile, ApiError> {
    let saved = app
        .store
        .save_files(file.institution_id, WorkItemId(0), slice::from_ref(file))
        .await;
    match saved {
        Ok(files) => files.into_iter().next().ok_or(ApiError::NotFound),
        Err(StoreError::Refused(RuleError::InBatch { source, .. })) => Err((*source).into()),
        Err(error) => Err(error.into()),
    }
}
