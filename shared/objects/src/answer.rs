//! What an answer of the store means, decided by status and error code, never by its text.
//!
//! The one place that sees SDK errors. AWS lists the codes under "Error responses"; other stores
//! use the same ones, or none, and then the status decides.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use muniment_model::{BucketName, ObjectKey};

use crate::error::{Place, StorageError};

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

/// What a failed call means.
pub(crate) fn error_of<E>(
    error: SdkError<E, HttpResponse>,
    place: &Place,
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
        return answer.into_error(place, condition);
    }
    let place = place.clone();
    if let SdkError::ConstructionFailure(failure) = &error {
        return StorageError::Refused {
            place,
            code: "not sent".to_owned(),
            message: bounded(&format!("{failure:?}")),
        };
    }
    let unconnected = if let SdkError::DispatchFailure(failure) = &error {
        failure.as_connector_error().is_some_and(never_connected)
    } else {
        false
    };
    let source = error.into();
    if unconnected {
        StorageError::Unreachable { place, source }
    } else {
        StorageError::Interrupted { place, source }
    }
}

/// What a body that broke off means.
pub(crate) fn broken_body(
    error: impl Error + Send + Sync + 'static,
    place: &Place,
) -> StorageError {
    StorageError::Interrupted {
        place: place.clone(),
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
    pub(crate) fn into_error(self, place: &Place, condition: Condition) -> StorageError {
        match self.code.as_str() {
            "NoSuchKey" => self.not_found(place),
            "NoSuchBucket" => match bucket_of(place) {
                Some(bucket) => StorageError::NoBucket { bucket },
                None => self.refused(place),
            },
            "NoSuchUpload" => with_object(place, |bucket, key| StorageError::UploadGone {
                bucket,
                key,
            })
            .unwrap_or_else(|| self.refused(place)),
            "BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => {
                with_object(place, |bucket, key| StorageError::DamagedOnTheWay {
                    bucket,
                    key,
                })
                .unwrap_or_else(|| self.refused(place))
            }
            "PreconditionFailed" => self.precondition(place, condition),
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
            | "TokenRefreshRequired" => self.denied(place),
            "BandwidthLimitExceeded"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "ServiceUnavailable"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests" => self.throttled(place),
            "InternalError" => self.out_of_order(place),
            // Their status would say that our credentials or the store are at fault.
            "InvalidObjectState" | "NotImplemented" => self.refused(place),
            "IncompleteBody" | "OperationAborted" | "RequestTimeout" => self.interrupted(place),
            _ => self.by_status(place, condition),
        }
    }

    fn by_status(self, place: &Place, condition: Condition) -> StorageError {
        match (self.status, condition) {
            // The answer was cut off before it could be read: it may have been a success.
            (200..=299 | 408, _) | (409, Condition::IfMatch) => self.interrupted(place),
            (301 | 307 | 308 | 401 | 403, _) => self.denied(place),
            (404, _) => self.not_found(place),
            (409, Condition::IfNoneMatch) | (412, _) => self.precondition(place, condition),
            (429 | 503, _) => self.throttled(place),
            (500..=599, _) => self.out_of_order(place),
            _ => self.refused(place),
        }
    }

    fn precondition(self, place: &Place, condition: Condition) -> StorageError {
        let meant = match condition {
            Condition::None => None,
            Condition::IfMatch => with_object(place, |bucket, key| StorageError::Superseded {
                bucket,
                key,
            }),
            Condition::IfNoneMatch => with_object(place, |bucket, key| {
                StorageError::AlreadyThere { bucket, key }
            }),
        };
        meant.unwrap_or_else(|| self.refused(place))
    }

    fn not_found(self, place: &Place) -> StorageError {
        match place {
            Place::Object(bucket, key) => StorageError::NotFound {
                bucket: bucket.clone(),
                key: key.clone(),
            },
            Place::Bucket(bucket) => StorageError::NoBucket {
                bucket: bucket.clone(),
            },
            Place::Endpoint(_) => self.refused(place),
        }
    }

    fn denied(self, place: &Place) -> StorageError {
        StorageError::Denied {
            place: place.clone(),
            code: self.code_or_status(),
        }
    }

    fn throttled(self, place: &Place) -> StorageError {
        StorageError::Throttled {
            place: place.clone(),
            retry_after: self.retry_after,
        }
    }

    fn out_of_order(self, place: &Place) -> StorageError {
        StorageError::OutOfOrder {
            place: place.clone(),
            code: self.code_or_status(),
        }
    }

    fn interrupted(self, place: &Place) -> StorageError {
        let code = self.code_or_status();
        broken_body(std::io::Error::other(format!("answer {code}")), place)
    }

    fn refused(self, place: &Place) -> StorageError {
        StorageError::Refused {
            place: place.clone(),
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

fn bucket_of(place: &Place) -> Option<BucketName> {
    match place {
        Place::Endpoint(_) => None,
        Place::Bucket(bucket) | Place::Object(bucket, _) => Some(bucket.clone()),
    }
}

fn with_object(
    place: &Place,
    meaning: impl FnOnce(BucketName, ObjectKey) -> StorageError,
) -> Option<StorageError> {
    match place {
        Place::Endpoint(_) | Place::Bucket(_) => None,
        Place::Object(bucket, key) => Some(meaning(bucket.clone(), key.clone())),
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
