//! What an answer of the store means, decided by status and error code, never by its text.
//!
//! The one place that sees SDK errors. AWS lists the codes under "Error responses"; other stores
//! use the same ones, or none, and then the status decides.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};

use crate::error::{ObjectAddress, Resource, StorageError};

/// The longest text of a store that is kept, in characters.
const MESSAGE_MAX: usize = 300;

/// Which condition a request carried: it decides what 412 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    /// The object must still be the one we looked at.
    IfMatch,
    /// There must be no object yet.
    IfNoneMatch,
}

impl Condition {
    /// Of a request that names this etag, if any.
    pub(crate) fn if_match(etag: Option<&str>) -> Self {
        match etag {
            Some(_) => Self::IfMatch,
            None => Self::None,
        }
    }

    pub(crate) fn if_none_match(self) -> Option<String> {
        (self == Self::IfNoneMatch).then(|| "*".to_owned())
    }
}

/// What of an answer matters.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// 0 when a code came without one, as for a key within a bulk delete.
    pub(crate) status: u16,
    /// Empty when there is none, as in every answer to HEAD.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// How the SDK answers.
pub(crate) type SdkResult<T, E> = Result<T, SdkError<E, HttpResponse>>;

/// What a failed call means.
pub(crate) fn error_of<E>(
    error: SdkError<E, HttpResponse>,
    resource: &Resource,
    condition: Condition,
) -> StorageError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(response) = error.raw_response() {
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let answer = Answer {
            status: response.status().as_u16(),
            code: error.code().unwrap_or_default().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
            retry_after,
        };
        return answer.into_error(resource, condition);
    }
    let resource = resource.clone();
    if let SdkError::ConstructionFailure(failure) = &error {
        return StorageError::Refused {
            resource,
            code: "not sent".to_owned(),
            message: bounded(&format!("{failure:?}")),
        };
    }
    let unconnected = matches!(&error, SdkError::DispatchFailure(failure)
        if failure.as_connector_error().is_some_and(never_connected));
    let source = error.into();
    if unconnected {
        StorageError::Unreachable { resource, source }
    } else {
        StorageError::Reset { resource, source }
    }
}

/// What a body that broke off means.
pub(crate) fn broken_body(
    error: impl Error + Send + Sync + 'static,
    resource: &Resource,
) -> StorageError {
    StorageError::Interrupted {
        resource: resource.clone(),
        source: error.into(),
    }
}

/// Whether no connection came about, as opposed to one that broke.
fn never_connected(error: &ConnectorError) -> bool {
    use std::io::ErrorKind;

    // The only time limit that the connector has is the one on connecting.
    if error.is_timeout() {
        return true;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<ResolveDnsError>() {
            return true;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let broke = [
                ErrorKind::ConnectionReset,
                ErrorKind::ConnectionAborted,
                ErrorKind::BrokenPipe,
                ErrorKind::UnexpectedEof,
            ];
            return !broke.contains(&io.kind());
        }
        next = cause.source();
    }
    false
}

impl Answer {
    pub(crate) fn into_error(self, resource: &Resource, condition: Condition) -> StorageError {
        match self.code.as_str() {
            "NoSuchKey" => self.not_found(resource),
            "NoSuchBucket" => self.no_bucket(resource),
            "NoSuchUpload" => self.about_object(resource, StorageError::UploadGone),
            "BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => {
                self.about_object(resource, StorageError::DamagedOnTheWay)
            }
            "PreconditionFailed" => self.precondition(resource, condition),
            // Wrong keys, a wrong clock and a wrong region are settings of ours, not of the job.
            "AccessDenied"
            | "AccountProblem"
            | "AllAccessDisabled"
            | "AuthorizationHeaderMalformed"
            | "ExpiredToken"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "NotSignedUp"
            | "PermanentRedirect"
            | "Redirect"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch"
            | "TemporaryRedirect"
            | "TokenRefreshRequired" => self.denied(resource),
            "BandwidthLimitExceeded"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "ServiceUnavailable"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests" => self.throttled(resource),
            "InternalError" => self.out_of_order(resource),
            // Their status would say that our credentials or the store are at fault.
            "InvalidObjectState" | "NotImplemented" => self.refused(resource),
            "IncompleteBody" | "OperationAborted" | "RequestTimeout" => self.interrupted(resource),
            _ => self.by_status(resource, condition),
        }
    }

    fn by_status(self, resource: &Resource, condition: Condition) -> StorageError {
        match (self.status, condition) {
            // The answer was cut off before it could be read: it may have been a success.
            (200..=299 | 408, _) | (409, Condition::IfMatch) => self.interrupted(resource),
            (301 | 307 | 308 | 401 | 403, _) => self.denied(resource),
            // To HEAD, a session that has expired is 400 and nothing more. A store names the
            // code of any other 400.
            (400, _) if self.code.is_empty() => self.denied(resource),
            (404, _) => self.not_found(resource),
            (409, Condition::IfNoneMatch) | (412, _) => self.precondition(resource, condition),
            (429 | 503, _) => self.throttled(resource),
            (501, _) => self.refused(resource),
            (507, _) => disk_full(resource),
            (500..=599, _) => self.out_of_order(resource),
            _ => self.refused(resource),
        }
    }

    fn precondition(self, resource: &Resource, condition: Condition) -> StorageError {
        match condition {
            Condition::None => self.refused(resource),
            Condition::IfMatch => self.about_object(resource, StorageError::Superseded),
            Condition::IfNoneMatch => self.about_object(resource, StorageError::AlreadyThere),
        }
    }

    fn not_found(self, resource: &Resource) -> StorageError {
        match resource {
            Resource::Object(object) => StorageError::NotFound(object.clone()),
            Resource::Bucket(_) | Resource::Endpoint(_) => self.no_bucket(resource),
        }
    }

    fn no_bucket(self, resource: &Resource) -> StorageError {
        match resource {
            Resource::Bucket(bucket) | Resource::Object(ObjectAddress { bucket, .. }) => {
                StorageError::NoBucket(Arc::clone(bucket))
            }
            Resource::Endpoint(_) => self.refused(resource),
        }
    }

    /// What only an object can have. The same answer about anything else is a refusal.
    fn about_object(
        self,
        resource: &Resource,
        meaning: fn(ObjectAddress) -> StorageError,
    ) -> StorageError {
        match resource {
            Resource::Object(object) => meaning(object.clone()),
            Resource::Bucket(_) | Resource::Endpoint(_) => self.refused(resource),
        }
    }

    fn denied(self, resource: &Resource) -> StorageError {
        StorageError::Denied {
            resource: resource.clone(),
            code: self.code_or_status(),
        }
    }

    fn throttled(self, resource: &Resource) -> StorageError {
        StorageError::Throttled {
            resource: resource.clone(),
            retry_after: self.retry_after,
        }
    }

    fn out_of_order(self, resource: &Resource) -> StorageError {
        StorageError::OutOfOrder {
            resource: resource.clone(),
            code: self.code_or_status(),
        }
    }

    fn interrupted(self, resource: &Resource) -> StorageError {
        let code = self.code_or_status();
        broken_body(std::io::Error::other(format!("answer {code}")), resource)
    }

    fn refused(self, resource: &Resource) -> StorageError {
        StorageError::Refused {
            resource: resource.clone(),
            message: bounded(&self.message),
            code: self.code_or_status(),
        }
    }

    fn code_or_status(self) -> String {
        if self.code.is_empty() {
            self.status.to_string()
        } else {
            bounded(&self.code)
        }
    }
}

/// Stores have words of their own for it; the status is HTTP's.
fn disk_full(resource: &Resource) -> StorageError {
    StorageError::DiskFull {
        resource: resource.clone(),
    }
}

/// A store's text without control characters, and not longer than we want to log.
fn bounded(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(MESSAGE_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
