//! Lists and look-ups, the same for every kind of record, within the caller's scope.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::App;
use super::access::Caller;
use super::error::ApiError;
use super::listing::Asked;
use super::request::{reply, versioned};
use crate::store::query::View;

pub(super) async fn list<V: View>(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, ApiError> {
    let asked = Asked::read(V::RESOURCE, &uri, caller)?;
    let page = app.store.page::<V>(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show<V: View>(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let view: V = app.store.named(&name).await?;
    caller.may_see(view.institution())?;
    Ok(match view.version() {
        Some(version) => versioned(StatusCode::OK, version, &view),
        None => reply(StatusCode::OK, &view),
    })
}
