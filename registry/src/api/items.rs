//! `/items`: work items, and the turn of their objects.

use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use muniment_model::WorkItemId;
use muniment_model::registry::{TakeTurn, WorkItem};

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{Json, expected_version, id, item_reply, reply, same_institution};
use crate::rules::{Refusal, checks};
use crate::store::items::{ITEMS, Made};

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&ITEMS, &uri, caller)?;
    let page = app.store.items(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let view = app.store.item(WorkItemId(id(&name)?)).await?;
    caller.may_see(view.item.institution_id)?;
    Ok(item_reply(StatusCode::OK, view.item.version, &view))
}

/// 201 for a new item, 200 for the one that the same upload has already.
pub(super) async fn create(
    State(app): State<App>,
    Path(institution): Path<String>,
    Json(item): Json<WorkItem>,
) -> Result<Response, Failure> {
    same_institution(&institution, item.institution_id)?;
    if item.id.0 != 0 {
        return Err(Refusal::Mismatch.into());
    }
    let item = in_micros(item);
    checks::item(&item)?;
    Ok(match app.store.create_item(&item).await? {
        Made::New(item) => item_reply(StatusCode::CREATED, item.version, &item),
        Made::Existing(item) => item_reply(StatusCode::OK, item.version, &item),
    })
}

pub(super) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(item): Json<WorkItem>,
) -> Result<Response, Failure> {
    if id(&name)? != item.id.0 {
        return Err(Refusal::Mismatch.into());
    }
    let expected = expected_version(&headers, &item)?;
    let item = in_micros(item);
    checks::item(&item)?;
    let stored = app.store.update_item(&item, expected).await?;
    Ok(item_reply(StatusCode::OK, stored.version, &stored))
}

/// 200 when the item has the turn, 409 naming the item to wait for.
pub(super) async fn take_turn(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(ask): Json<TakeTurn>,
) -> Result<Response, Failure> {
    let id = WorkItemId(id(&name)?);
    if ask.object_identifier.is_empty() {
        let text = "ObjectIdentifier: Identifier is required".to_owned();
        return Err(Failure::Bad(text));
    }
    let turn = app.store.take_turn(id, &ask.object_identifier).await?;
    let status = if turn.holder == id {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    };
    Ok(reply(status, &turn))
}

pub(super) async fn recorded(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
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
