//! Why the observer could not look, or waited in vain.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStreamError;
use muniment_model::BucketName;
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    #[error("the site names no receiving bucket of {institution}")]
    UnknownInstitution { institution: String },
    #[error("cannot make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
    #[error("no answer from {url}")]
    NoAnswer { url: String, source: reqwest::Error },
    #[error("{url} answers {status}")]
    Status { url: String, status: u16 },
    #[error("S3 does not {act} {bucket}/{key}")]
    S3 {
        act: &'static str,
        bucket: BucketName,
        key: String,
        source: Box<aws_sdk_s3::Error>,
    },
    #[error("{bucket}/{key} cannot be read to its end")]
    Body {
        bucket: BucketName,
        key: String,
        source: ByteStreamError,
    },
    #[error("{bucket}/{key} is too large to be read into memory")]
    TooLarge { bucket: BucketName, key: String },
    #[error("{key} has not ended within {limit:?}; its work item: {last:#}")]
    NotEnded {
        key: String,
        limit: Duration,
        last: Value,
        /// Why the last look failed, if it did.
        source: Option<Box<Self>>,
    },
}

impl ObserverError {
    pub(crate) fn s3(
        act: &'static str,
        bucket: &BucketName,
        key: &str,
        source: impl Into<aws_sdk_s3::Error>,
    ) -> Self {
        Self::S3 {
            act,
            bucket: bucket.clone(),
            key: key.to_owned(),
            source: Box::new(source.into()),
        }
    }

    /// Whether there was no room to write: 507, for which the embedded S3 endpoint has this code.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == 507,
            Self::S3 { source, .. } => source.code() == Some("DiskFull"),
            Self::UnknownInstitution { .. }
            | Self::HttpClient(_)
            | Self::NoAnswer { .. }
            | Self::Body { .. }
            | Self::TooLarge { .. }
            | Self::NotEnded { .. } => false,
        }
    }

    /// Whether another look may succeed: the system may be starting, or busy.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::S3 { .. } | Self::Body { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::UnknownInstitution { .. }
            | Self::HttpClient(_)
            | Self::TooLarge { .. }
            | Self::NotEnded { .. } => false,
        }
    }
}
