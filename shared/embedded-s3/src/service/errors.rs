//! Every way a request can be refused, and the S3 error it becomes.

use std::io;
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use s3s::{S3Error, S3ErrorCode};

use super::words::{http_date, whole_seconds};
use crate::checksums::claims::ClaimFault;
use crate::cold::ColdFault;
use crate::conditions::ConditionFault;
use crate::intake::IntakeError;
use crate::limits::LimitFault;
use crate::multipart::AssemblyFault;
use crate::store::StoreError;
use crate::tags::TagFault;

/// S3 has no word for it. Clients take the status, 507, for an outage.
const DISK_FULL: &str = "DiskFull";

#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Claim(#[from] ClaimFault),
    #[error(transparent)]
    Limit(#[from] LimitFault),
    #[error(transparent)]
    Condition(#[from] ConditionFault),
    #[error(transparent)]
    Cold(#[from] ColdFault),
    #[error(transparent)]
    Tag(#[from] TagFault),
    #[error("the body does not have the sha256 that was signed")]
    SignedHash,
    #[error("the request does not say how long its body is")]
    NoLength,
    #[error("the object has no byte in that range")]
    Range,
    #[error("the range of a copy is first-last and lies within the source")]
    CopyRange,
    #[error("the storage class is not one we know")]
    StorageClass,
    #[error("the checksum algorithm or type is not one we know, or they do not go together")]
    Checksum,
    #[error("the upload was started with another checksum algorithm")]
    OtherChecksum,
    #[error("the continuation token is not one of ours")]
    Token,
    #[error("a version marker goes with a key marker")]
    VersionMarker,
    #[error("the attribute is not one that objects have")]
    Attribute,
    #[error("an object is restored for one day or more")]
    Days,
    #[error("versions are Enabled or Suspended")]
    Versioning,
    #[error("a copy onto itself must change something")]
    CopyOntoItself,
    #[error("the request leaves out {0}")]
    Missing(&'static str),
    #[error("{0} is not supported here")]
    Unsupported(&'static str),
    #[error("could not read the bytes of an object")]
    Read(#[source] io::Error),
    #[error("could not copy the bytes of an object")]
    Copy(#[source] io::Error),
    #[error("could not read the bytes of an object back")]
    ReadBack(#[source] Arc<io::Error>),
    #[error("the source no longer has the checksum it was stored with")]
    DamagedSource,
}

impl From<RequestError> for S3Error {
    fn from(error: RequestError) -> Self {
        if error.is_disk_full() {
            let message = "the disk is full; the same request works when there is room";
            let mut answer = Self::with_message(S3ErrorCode::Custom(DISK_FULL.into()), message);
            answer.set_status_code(http::StatusCode::INSUFFICIENT_STORAGE);
            answer.set_source(Box::new(error));
            return answer;
        }
        let code = match &error {
            RequestError::Store(error) => store_code(error),
            RequestError::Intake(error) => match error {
                IntakeError::Body(_) | IntakeError::Length { .. } => S3ErrorCode::IncompleteBody,
                IntakeError::Write(_) => S3ErrorCode::InternalError,
            },
            RequestError::Claim(fault) => claim_code(*fault),
            RequestError::Limit(fault) => limit_code(*fault),
            RequestError::Condition(fault) => condition_code(*fault),
            RequestError::Cold(fault) => cold_code(*fault),
            RequestError::Tag(fault) => tag_code(*fault),
            RequestError::SignedHash => S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            RequestError::NoLength => S3ErrorCode::MissingContentLength,
            RequestError::Range => S3ErrorCode::InvalidRange,
            RequestError::StorageClass => S3ErrorCode::InvalidStorageClass,
            RequestError::CopyRange
            | RequestError::Token
            | RequestError::VersionMarker
            | RequestError::Attribute
            | RequestError::Days => S3ErrorCode::InvalidArgument,
            RequestError::Versioning => S3ErrorCode::IllegalVersioningConfigurationException,
            RequestError::Checksum | RequestError::OtherChecksum | RequestError::CopyOntoItself => {
                S3ErrorCode::InvalidRequest
            }
            RequestError::Missing(_) => S3ErrorCode::MalformedXML,
            RequestError::Unsupported(_) => S3ErrorCode::NotImplemented,
            RequestError::Read(_) | RequestError::Copy(_) | RequestError::ReadBack(_) => {
                S3ErrorCode::InternalError
            }
            // Clients of ours know it: the bytes are not those of the record.
            RequestError::DamagedSource => S3ErrorCode::BadDigest,
        };
        let mut answer = Self::with_message(code, error.to_string());
        if let RequestError::Store(error) = &error
            && let Some(headers) = marker_headers(error)
        {
            answer.set_headers(headers);
        }
        if matches!(
            error,
            RequestError::SignedHash | RequestError::Tag(TagFault::TooMany)
        ) {
            answer.set_status_code(http::StatusCode::BAD_REQUEST);
        }
        answer.set_source(Box::new(error));
        answer
    }
}

/// What tells a delete marker from a key that never was. They replace those of the answer, the type of
/// its body included.
fn marker_headers(error: &StoreError) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let version = if let StoreError::IsMarker {
        version,
        modified_micros,
    } = error
    {
        let date = http_date(&whole_seconds(*modified_micros))?;
        headers.insert(LAST_MODIFIED, HeaderValue::from_str(&date).ok()?);
        headers.insert(ALLOW, HeaderValue::from_static("DELETE"));
        version
    } else if let StoreError::Deleted { marker } = error {
        marker
    } else {
        return None;
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    headers.insert("x-amz-version-id", HeaderValue::from_str(version).ok()?);
    Some(headers)
}

/// The code of one key of a bulk delete.
pub(crate) fn store_code(error: &StoreError) -> S3ErrorCode {
    match error {
        StoreError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        StoreError::NoSuchKey | StoreError::Deleted { .. } => S3ErrorCode::NoSuchKey,
        StoreError::NoSuchVersion => S3ErrorCode::NoSuchVersion,
        StoreError::IsMarker { .. } => S3ErrorCode::MethodNotAllowed,
        StoreError::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        StoreError::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
        StoreError::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
        StoreError::SourceChanged => S3ErrorCode::ConditionalRequestConflict,
        StoreError::Condition(fault) => condition_code(*fault),
        StoreError::Cold(fault) => cold_code(*fault),
        StoreError::Assembly(fault) => assembly_code(*fault),
        StoreError::Database(_) | StoreError::Unreadable(_) => S3ErrorCode::InternalError,
        StoreError::Stopping => S3ErrorCode::ServiceUnavailable,
    }
}

fn condition_code(fault: ConditionFault) -> S3ErrorCode {
    match fault {
        ConditionFault::Failed => S3ErrorCode::PreconditionFailed,
        ConditionFault::NotModified => S3ErrorCode::NotModified,
        ConditionFault::Absent => S3ErrorCode::NoSuchKey,
        ConditionFault::Unsupported => S3ErrorCode::NotImplemented,
    }
}

fn cold_code(fault: ColdFault) -> S3ErrorCode {
    match fault {
        ColdFault::Unreadable | ColdFault::NotCold => S3ErrorCode::InvalidObjectState,
        ColdFault::Thawing => S3ErrorCode::RestoreAlreadyInProgress,
        ColdFault::Tier => S3ErrorCode::InvalidArgument,
    }
}

fn tag_code(fault: TagFault) -> S3ErrorCode {
    match fault {
        TagFault::TooMany => S3ErrorCode::Custom("BadRequest".into()),
        TagFault::Key | TagFault::Value | TagFault::Twice => S3ErrorCode::InvalidTag,
        TagFault::Malformed => S3ErrorCode::InvalidArgument,
    }
}

fn assembly_code(fault: AssemblyFault) -> S3ErrorCode {
    match fault {
        AssemblyFault::Empty => S3ErrorCode::MalformedXML,
        AssemblyFault::Order(_) => S3ErrorCode::InvalidPartOrder,
        AssemblyFault::Part(_) => S3ErrorCode::InvalidPart,
        AssemblyFault::TooSmall(_) => S3ErrorCode::EntityTooSmall,
        AssemblyFault::TooLarge => S3ErrorCode::EntityTooLarge,
        AssemblyFault::WrongChecksum => S3ErrorCode::BadDigest,
        AssemblyFault::WrongSize | AssemblyFault::NoChecksum(_) => S3ErrorCode::InvalidRequest,
    }
}

fn claim_code(fault: ClaimFault) -> S3ErrorCode {
    match fault {
        ClaimFault::WrongMd5 | ClaimFault::WrongChecksum(_) => S3ErrorCode::BadDigest,
        ClaimFault::MalformedMd5 => S3ErrorCode::InvalidDigest,
        ClaimFault::TrailerMissing(_) => S3ErrorCode::IncompleteBody,
        ClaimFault::MalformedChecksum(_)
        | ClaimFault::SeveralChecksums
        | ClaimFault::NoValue
        | ClaimFault::UnknownAlgorithm => S3ErrorCode::InvalidRequest,
    }
}

fn limit_code(fault: LimitFault) -> S3ErrorCode {
    match fault {
        LimitFault::BodyTooLarge => S3ErrorCode::EntityTooLarge,
        LimitFault::CopyTooLarge => S3ErrorCode::InvalidRequest,
        LimitFault::Key => S3ErrorCode::KeyTooLongError,
        LimitFault::MetadataTooLarge => S3ErrorCode::MetadataTooLarge,
        LimitFault::DeleteCount => S3ErrorCode::MalformedXML,
        LimitFault::PartNumber | LimitFault::PageSize => S3ErrorCode::InvalidArgument,
    }
}
