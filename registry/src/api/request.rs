//! Reading bodies, ids and preconditions; writing replies.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, OriginalUri, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use muniment_model::registry::WorkItem;
use muniment_model::{InstitutionId, WorkItemId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::failure::Failure;
use crate::rules::Refusal;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A body, whatever its content type says: clients of the contract are not made to name it.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    Failure::TooLong
                } else {
                    Failure::Bad(rejection.body_text())
                }
            })?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Failure::Bad(format!("the body cannot be read: {error}"))),
        }
    }
}

pub(super) fn reply<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    let (status, text) = match serde_json::to_vec(body) {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(%error, "a reply cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A work item, with its version as `ETag`.
pub(super) fn item_reply<T: Serialize>(status: StatusCode, version: i64, body: &T) -> Response {
    let mut response = reply(status, body);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// How a path names a record.
pub(super) enum Name {
    Id(i64),
    Identifier(String),
}

impl Name {
    /// As the contract has it: what reads as a number is one.
    pub(super) fn of(text: String) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_not_a_number) => Self::Identifier(text),
        }
    }
}

/// An id where nothing else will do. Text that is no number names no record.
pub(super) fn id(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_not_a_number| Failure::NotFound)
}

/// The institution in the path must be that in the body.
pub(super) fn same_institution(path: &str, body: InstitutionId) -> Result<(), Failure> {
    if id(path)? == body.0 {
        Ok(())
    } else {
        Err(Refusal::Mismatch.into())
    }
}

/// The ingest that the query says is recording, 0 for none.
pub(super) fn recording_item(uri: &OriginalUri) -> Result<WorkItemId, Failure> {
    let query = uri.query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "work_item_id");
    let Some((_, value)) = named else {
        return Ok(WorkItemId(0));
    };
    value.parse().map(WorkItemId).map_err(|_not_a_number| {
        Failure::Bad("work_item_id in the query is not a number".to_owned())
    })
}

/// The version that `If-Match` names. `*` and no header mean any.
pub(super) fn expected_version(
    headers: &HeaderMap,
    item: &WorkItem,
) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .and_then(|version| version.parse().ok())
        .map(Some)
        .ok_or_else(|| {
            Failure::Bad(format!(
                "If-Match of work item {} is not a version in quotes",
                item.id
            ))
        })
}
