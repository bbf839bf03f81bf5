//! Reading bodies, ids and preconditions; writing replies.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use muniment_model::InstitutionId;
use muniment_model::registry::WorkItem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_path_to_error::Segment;
use url::form_urlencoded;

use super::error::ApiError;
use crate::rules::RuleError;
use crate::store::Made;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A body, whatever its content type says: clients of the contract are not made to name it.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = body_of(request, state).await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(unreadable::<T>(&body, &error)),
        }
    }
}

async fn body_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let body = Bytes::from_request(request, state).await;
    body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::TooLong
        } else {
            ApiError::Bad(rejection.body_text())
        }
    })
}

/// The fields of a form, whatever its content type says.
pub(super) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = body_of(request, state).await?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

impl Form {
    /// The value of the one field that the form may have; `None` when it is absent or empty. A field that
    /// is misspelt must not be taken for an absent one.
    pub(super) fn only(&self, name: &str) -> Result<Option<&str>, ApiError> {
        if let Some((unknown, _)) = self.0.iter().find(|(given, _)| given != name) {
            return Err(ApiError::Bad(format!("the form has no field {unknown:?}")));
        }
        let value = self.0.first().map(|(_, value)| value.as_str());
        Ok(value.filter(|value| !value.is_empty()))
    }
}

/// What a record of a batch is called, whatever else is wrong with it.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    identifier: String,
}

/// Says which member of the body is wrong and, in a batch, of which file.
fn unreadable<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> ApiError {
    let mut json = serde_json::Deserializer::from_slice(body);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(found) if error.is_data() && found.path().iter().len() > 0 => found.path().clone(),
        Ok(_) | Err(_) => return ApiError::Bad(format!("the body cannot be read: {error}")),
    };
    let member = path.to_string();
    let Some(Segment::Seq { index }) = path.iter().next() else {
        return ApiError::Bad(format!("{member}: {error}"));
    };
    let member = member.trim_start_matches(&format!("[{index}]"));
    let fault = format!("{}: {error}", member.trim_start_matches('.'));
    let records: Vec<Named> = serde_json::from_slice(body).unwrap_or_default();
    let identifier = records.get(*index).map_or("", |named| &named.identifier);
    RuleError::Invalid(fault).at(*index, identifier).into()
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

/// Whether the client prefers to be told no more than that all went well (RFC 7240 §2 and §4.2).
pub(super) fn prefers_minimal(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all(PREFER).iter();
    let preferences = preferences.filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .any(|preference| preference.trim().eq_ignore_ascii_case("return=minimal"))
}

/// The answer to a client that prefers it: nothing, and that its preference was followed.
pub(super) fn minimal() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let applied = HeaderValue::from_static("return=minimal");
    response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    response
}

/// As [`reply`], with the version of the record as `ETag`.
pub(super) fn versioned<T: Serialize>(status: StatusCode, version: i64, body: &T) -> Response {
    let mut response = reply(status, body);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// 201 for a new record, 200 for one that was there already.
pub(super) fn made<T>(made: Made<T>) -> (StatusCode, T) {
    match made {
        Made::New(record) => (StatusCode::CREATED, record),
        Made::Existing(record) => (StatusCode::OK, record),
    }
}

/// An id where only an id will do. Text that is no number names no record.
pub(super) fn id(text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_not_a_number| ApiError::NotFound)
}

/// The institution in the path must be that in the body.
pub(super) fn same_institution(path: &str, body: InstitutionId) -> Result<(), ApiError> {
    if id(path)? == body.0 {
        Ok(())
    } else {
        Err(RuleError::Mismatch.into())
    }
}

/// A number that the query may name; 0 for none.
pub(super) fn number_in_query(uri: &OriginalUri, wanted: &str) -> Result<i64, ApiError> {
    let query = uri.query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    let Some((_, value)) = named else {
        return Ok(0);
    };
    value
        .parse()
        .map_err(|_not_a_number| ApiError::Bad(format!("{wanted} in the query is not a number")))
}

/// The version that `If-Match` names. `*` and no header mean any.
pub(super) fn expected_version(
    headers: &HeaderMap,
    item: &WorkItem,
) -> Result<Option<i64>, ApiError> {
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
            ApiError::Bad(format!(
                "If-Match of work item {} is not a version in quotes",
                item.id
            ))
        })
}
