//! `/items`: work items, and the lock of their objects.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use muniment_model::registry::{TakeLock, WorkItem, cancelled_by_operator};
use muniment_model::{Stage, WorkItemId};
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::request::{Form, Json, expected_version, id, made, reply, same_institution, versioned};
use crate::rules::{RuleError, checks, orders};

/// An upload that has an item already gets that one.
pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(item): Json<WorkItem>,
) -> Result<Response, ApiError> {
    same_institution(&institution, item.institution_id)?;
    if item.id.0 != 0 {
        return Err(RuleError::Mismatch.into());
    }
    let item = in_micros(item);
    checks::new_item(&item)?;
    let (status, item) = made(app.store.create_item(&item).await?);
    Ok(versioned(status, item.version, &item))
}

pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(item): Json<WorkItem>,
) -> Result<Response, ApiError> {
    if id(&name)? != item.id.0 {
        return Err(RuleError::Mismatch.into());
    }
    let expected = expected_version(&headers, &item)?;
    let item = in_micros(item);
    checks::item(&item)?;
    let stored = app.store.update_item(&item, expected).await?;
    Ok(versioned(StatusCode::OK, stored.version, &stored))
}

/// What an order came to, in the original's shape.
#[derive(Serialize)]
struct Done {
    #[serde(rename = "Message")]
    message: String,
    #[serde(rename = "StatusCode")]
    status: u16,
}

fn done(message: String) -> Response {
    let status = StatusCode::OK.as_u16();
    reply(StatusCode::OK, &Done { message, status })
}

/// An item goes on: at the `stage` that the form names, else where it is. Its message comes from
/// `apt_queue`.
pub(super) async fn requeue(
    State(app): State<App>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let id = WorkItemId(id(&name)?);
    let stage = form.only("stage")?.map(str::parse::<Stage>).transpose();
    let stage = stage.map_err(|unknown| ApiError::Bad(unknown.to_string()))?;
    let order = |item: &WorkItem| orders::requeued(item, stage);
    let item = app.store.change_item(id, order).await?;
    Ok(done(format!("Requeued WorkItem {id} to {}", item.stage)))
}

/// Ours: an item ends as Cancelled, once Cleanup has cleaned up after it. The form may name a `reason`.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let id = WorkItemId(id(&name)?);
    let reason = cancelled_by_operator(form.only("reason")?);
    let order = |item: &WorkItem| {
        let cancelled = orders::cancelled(item, &reason)?;
        checks::item(&cancelled)?;
        Ok(cancelled)
    };
    app.store.change_item(id, order).await?;
    Ok(done(format!("Cancelling WorkItem {id}")))
}

/// 200 when the item has the lock, 409 naming the item to wait for.
pub(super) async fn take_lock(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(ask): Json<TakeLock>,
) -> Result<Response, ApiError> {
    let id = WorkItemId(id(&name)?);
    if ask.object_identifier.is_empty() {
        let text = "ObjectIdentifier: Identifier is required".to_owned();
        return Err(ApiError::Bad(text));
    }
    let lock = app.store.take_lock(id, &ask.object_identifier).await?;
    let status = if lock.holder == id {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    };
    Ok(reply(status, &lock))
}

pub(super) async fn recorded(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let recorded = app.store.recorded(WorkItemId(id(&name)?)).await?;
    Ok(reply(StatusCode::OK, &recorded))
}

/// What identifies an upload is compared with what is stored, which has microseconds.
fn in_micros(item: WorkItem) -> WorkItem {
    use chrono::SubsecRound;
    WorkItem {
        bag_date: item.bag_date.map(|time| time.trunc_subsecs(6)),
        ..item
    }
}
