//! `/checksums`: read only. They are written with their files.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{id, reply};
use crate::store::checksums::CHECKSUMS;

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&CHECKSUMS, &uri, caller)?;
    let page = app.store.checksums(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let view = app.store.checksum(id(&name)?).await?;
    caller.may_see(view.institution_id)?;
    Ok(reply(StatusCode::OK, &view))
}
