//! What the sender of a request that fails is told, and the limit on how long it may take.
//!
//! Every body has `StatusCode` and `Error`; those the original's authoriser wrote also have its
//! lower-case `error` (registry contract, 1.3 and 2.1). The one exception is an unknown route: its 404
//! has only `error`, so that no client takes "there is no such address" for "there is no such
//! record". Database errors are logged and never shown.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use muniment_model::{Chain, InstitutionId};
use serde::Serialize;
use tracing::{error, warn};

use crate::rules::RuleError;
use crate::rules::access::Audience;
use crate::store::StoreError;

/// Shorter than the 30 s that our client waits, so that it hears a reason.
const ANSWER_LIMIT: Duration = Duration::from_secs(25);
/// What a client is asked to wait when the registry is busy, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// Why a request fails. Becomes a body in [`answer_in_time`], which knows the path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("credentials are missing or invalid")]
    Unauthenticated,
    #[error("permission denied")]
    Forbidden {
        institution: InstitutionId,
        audience: Audience,
    },
    #[error("no such record")]
    NotFound,
    #[error("no such route")]
    NoSuchRoute,
    #[error("{0}")]
    Bad(String),
    #[error("the request is too long")]
    TooLong,
    #[error("the request took too long")]
    TooSlow,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Refused(_)
            | StoreError::Taken
            | StoreError::Dangling
            | StoreError::Busy(_)
            | StoreError::DiskFull(_)
            | StoreError::Unusable(_)
            | StoreError::Corrupt { .. }
            | StoreError::Failed(_) => Self::Store(error),
        }
    }
}

impl From<RuleError> for ApiError {
    fn from(error: RuleError) -> Self {
        Self::Store(error.into())
    }
}

impl IntoResponse for ApiError {
    /// A marker: the body is written further out.
    fn into_response(self) -> Response {
        let mut response = status(&self).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

pub(crate) async fn no_such_route() -> ApiError {
    ApiError::NoSuchRoute
}

/// Ends a request that takes too long, and writes the body of every error.
pub(crate) async fn answer_in_time(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = match tokio::time::timeout(ANSWER_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => ApiError::TooSlow.into_response(),
    };
    let Some(error) = response.extensions().get::<Arc<ApiError>>() else {
        return response;
    };
    match error.as_ref() {
        ApiError::Store(
            cause @ (StoreError::Failed(_)
            | StoreError::DiskFull(_)
            | StoreError::Unusable(_)
            | StoreError::Corrupt { .. }),
        ) => {
            error!(%method, path, cause = %Chain(cause), "request failed");
        }
        ApiError::Store(StoreError::Busy(_)) | ApiError::TooSlow => {
            warn!(%method, path, cause = %error, "request gave up");
        }
        ApiError::Unauthenticated
        | ApiError::Forbidden { .. }
        | ApiError::NotFound
        | ApiError::NoSuchRoute
        | ApiError::Bad(_)
        | ApiError::TooLong
        | ApiError::Store(_) => {}
    }
    written(error, &path)
}

/// The bodies of the contract, in its order of members.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    /// 401.
    Credentials {
        #[serde(rename = "Error")]
        error: &'static str,
        #[serde(rename = "StatusCode")]
        status: u16,
    },
    Handler {
        #[serde(rename = "StatusCode")]
        status: u16,
        #[serde(rename = "Error")]
        error: String,
    },
    Authoriser {
        #[serde(rename = "StatusCode")]
        status: u16,
        #[serde(rename = "Error")]
        text: String,
        error: String,
    },
    Route {
        error: String,
    },
}

fn written(error: &ApiError, path: &str) -> Response {
    let status = status(error);
    let authoriser = |text: String| Body::Authoriser {
        status: status.as_u16(),
        error: text.clone(),
        text,
    };
    let body = match error {
        ApiError::Unauthenticated => Body::Credentials {
            error: "API credentials are missing or invalid.",
            status: status.as_u16(),
        },
        ApiError::Forbidden {
            institution,
            audience,
        } => {
            let advice = match audience {
                Audience::Admin => " non-admins must use the member api",
                Audience::Member => "",
            };
            authoriser(format!(
                "Permission denied for {path} (institution {institution}).{advice}"
            ))
        }
        ApiError::NotFound => authoriser(format!("Not found: {path}")),
        ApiError::NoSuchRoute => Body::Route {
            error: format!("Missing authorization check for {path}"),
        },
        ApiError::Store(StoreError::Failed(_) | StoreError::Corrupt { .. }) => Body::Handler {
            status: status.as_u16(),
            error: "the registry failed; its log says why".to_owned(),
        },
        ApiError::Bad(_) | ApiError::TooLong | ApiError::TooSlow | ApiError::Store(_) => {
            Body::Handler {
                status: status.as_u16(),
                error: error.to_string(),
            }
        }
    };
    let mut response = super::request::reply(status, &body);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn status(error: &ApiError) -> StatusCode {
    match error {
        ApiError::Unauthenticated => StatusCode::UNAUTHORIZED,
        ApiError::Forbidden { .. } => StatusCode::FORBIDDEN,
        ApiError::NotFound | ApiError::NoSuchRoute => StatusCode::NOT_FOUND,
        ApiError::Bad(_) => StatusCode::BAD_REQUEST,
        ApiError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ApiError::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        ApiError::Store(error) => match error {
            StoreError::NotFound => StatusCode::NOT_FOUND,
            StoreError::Refused(rule) => refused(rule),
            StoreError::Taken => StatusCode::CONFLICT,
            StoreError::Dangling => StatusCode::BAD_REQUEST,
            StoreError::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Busy(_) | StoreError::Unusable(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Corrupt { .. } | StoreError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

fn refused(error: &RuleError) -> StatusCode {
    match error {
        RuleError::Invalid(_) | RuleError::Mismatch | RuleError::Immutable { .. } => {
            StatusCode::BAD_REQUEST
        }
        RuleError::WrittenOnce => StatusCode::METHOD_NOT_ALLOWED,
        RuleError::Taken { .. }
        | RuleError::WithoutLock { .. }
        | RuleError::LockedBy { .. }
        | RuleError::NotNow(_) => StatusCode::CONFLICT,
        RuleError::VersionDiffers { .. } => StatusCode::PRECONDITION_FAILED,
        RuleError::InBatch { source, .. } => refused(source),
    }
}
