//! Every way a request can be refused, and the S3 error it becomes.

use std::io;

use s3s::{S3Error, S3ErrorCode};

use crate::checksums::claims::ClaimFault;
use crate::conditions::ConditionFault;
use crate::intake::IntakeFault;
use crate::limits::LimitFault;
use crate::multipart::AssemblyFault;
use crate::store::StoreFault;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Intake(#[from] IntakeFault),
    #[error(transparent)]
    Claim(#[from] ClaimFault),
    #[error(transparent)]
    Limit(#[from] LimitFault),
    #[error(transparent)]
    Condition(#[from] ConditionFault),
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
    #[error("a copy onto itself must change something")]
    CopyOntoItself,
    #[error("the request leaves out {0}")]
    Missing(&'static str),
    #[error("{0} is not supported here")]
    Unsupported(&'static str),
    #[error("could not read the bytes of an object")]
    Read(#[source] io::Error),
}

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        let code = match &fault {
            Fault::Store(fault) => store_code(fault),
            Fault::Intake(fault) => match fault {
                IntakeFault::Body(_) | IntakeFault::Length { .. } => S3ErrorCode::IncompleteBody,
                IntakeFault::Write(_) => S3ErrorCode::InternalError,
            },
            Fault::Claim(fault) => claim_code(*fault),
            Fault::Limit(fault) => limit_code(*fault),
            Fault::Condition(fault) => condition_code(*fault),
            Fault::SignedHash => S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            Fault::NoLength => S3ErrorCode::MissingContentLength,
            Fault::Range => S3ErrorCode::InvalidRange,
            Fault::StorageClass => S3ErrorCode::InvalidStorageClass,
            Fault::CopyRange | Fault::Token => S3ErrorCode::InvalidArgument,
            Fault::Checksum | Fault::OtherChecksum | Fault::CopyOntoItself => {
                S3ErrorCode::InvalidRequest
            }
            Fault::Missing(_) => S3ErrorCode::MalformedXML,
            Fault::Unsupported(_) => S3ErrorCode::NotImplemented,
            Fault::Read(_) => S3ErrorCode::InternalError,
        };
        let mut error = S3Error::with_message(code, fault.to_string());
        if matches!(fault, Fault::SignedHash) {
            error.set_status_code(http::StatusCode::BAD_REQUEST);
        }
        error.set_source(Box::new(fault));
        error
    }
}

/// The code of one key of a bulk delete.
pub(crate) fn store_code(fault: &StoreFault) -> S3ErrorCode {
    match fault {
        StoreFault::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        StoreFault::NoSuchKey => S3ErrorCode::NoSuchKey,
        StoreFault::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        StoreFault::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
        StoreFault::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
        StoreFault::SourceChanged => S3ErrorCode::ConditionalRequestConflict,
        StoreFault::Condition(fault) => condition_code(*fault),
        StoreFault::Assembly(fault) => assembly_code(*fault),
        StoreFault::Database(_) | StoreFault::Unreadable(_) => S3ErrorCode::InternalError,
        StoreFault::Stopping => S3ErrorCode::ServiceUnavailable,
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
        | ClaimFault::UnknownAlgorithm(_) => S3ErrorCode::InvalidRequest,
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
