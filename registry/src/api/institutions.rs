//! `/institutions`: read only.

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use muniment_model::InstitutionId;

use super::App;
use super::access::Caller;
use super::failure::Failure;
use super::listing::Asked;
use super::request::{Name, reply};
use crate::store::institutions::INSTITUTIONS;

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    uri: OriginalUri,
) -> Result<Response, Failure> {
    let asked = Asked::read(&INSTITUTIONS, &uri, caller)?;
    let page = app.store.institutions(&asked.query).await?;
    Ok(asked.reply(&page))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let view = match Name::of(name) {
        Name::Id(id) => app.store.institution(InstitutionId(id)).await?,
        Name::Identifier(identifier) => app.store.institution_by_identifier(&identifier).await?,
    };
    caller.may_see(view.institution.id)?;
    Ok(reply(StatusCode::OK, &view))
}
