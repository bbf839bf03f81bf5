//! What can go wrong between us and a bucket, by type, and whether trying again can help.
//!
//! Nothing outside this crate sees an SDK error. How an answer of the store becomes one of these
//! is in `answer.rs`, decided by status and error code and never by text.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use muniment_model::{BucketName, Class, Classify, ObjectKey, StorageTarget};

use crate::retry::{Again, Repeat};

/// A cause from a library below us.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a request was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The store as a whole, by its host name.
    Endpoint(String),
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(host) => f.write_str(host),
            Self::Bucket(bucket) => write!(f, "{bucket}"),
            Self::Object(bucket, key) => write!(f, "{bucket}/{key}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("{bucket} has no object {key}")]
    NotFound { bucket: BucketName, key: ObjectKey },
    #[error("there is no bucket {bucket}")]
    NoBucket { bucket: BucketName },
    #[error("no bucket is configured for {target}")]
    NotConfigured { target: StorageTarget },
    #[error("{place} refused our credentials ({code})")]
    Denied { place: Place, code: String },
    #[error("{place} asked us to slow down")]
    Throttled {
        place: Place,
        retry_after: Option<Duration>,
    },
    /// No connection came about.
    #[error("no answer from {place}")]
    Unreachable { place: Place, source: Cause },
    /// The store answered with a fault of its own (5xx).
    #[error("{place} is out of order ({code})")]
    OutOfOrder { place: Place, code: String },
    /// A connection broke or fell silent. Whether a write happened is unknown, so every write here
    /// may be made twice.
    #[error("the exchange with {place} broke off")]
    Interrupted { place: Place, source: Cause },
    /// The object is not the one we had looked at: somebody put another under its key.
    #[error("{bucket}/{key} was replaced by another upload")]
    Superseded { bucket: BucketName, key: ObjectKey },
    /// We asked to create the object, and the key is taken.
    #[error("{bucket} already has an object {key}")]
    AlreadyThere { bucket: BucketName, key: ObjectKey },
    /// What arrived is not what was sent.
    #[error("{bucket}/{key} does not have the recorded checksum")]
    DamagedOnTheWay { bucket: BucketName, key: ObjectKey },
    /// The store holds the object, but reports no checksum to compare with ours.
    #[error("{bucket} reports no full-object checksum of {key}")]
    Unconfirmed { bucket: BucketName, key: ObjectKey },
    #[error("{bucket}/{key} has {found} bytes, expected {expected}")]
    WrongSize {
        bucket: BucketName,
        key: ObjectKey,
        expected: u64,
        found: u64,
    },
    #[error("{bucket}/{key} has more than {size_max} bytes")]
    TooLarge {
        bucket: BucketName,
        key: ObjectKey,
        size_max: u64,
    },
    /// The multipart upload is no longer known: completed by an attempt whose answer was lost, or
    /// aborted.
    #[error("{bucket} no longer knows the multipart upload of {key}")]
    UploadGone { bucket: BucketName, key: ObjectKey },
    /// The same request would be refused again.
    #[error("{place} refused the request: {code} ({message})")]
    Refused {
        place: Place,
        code: String,
        message: String,
    },
    #[error("told to stop")]
    Stopped,
}

impl Classify for StorageError {
    fn class(&self) -> Class {
        match self {
            // The layer below has tried again for as long as is sensible within a job. A store
            // that still throttles or fails is away: that never counts against a bag.
            Self::Throttled { .. }
            | Self::Unreachable { .. }
            | Self::OutOfOrder { .. }
            | Self::Denied { .. }
            | Self::NoBucket { .. } => Class::Outage,
            Self::Interrupted { .. }
            | Self::DamagedOnTheWay { .. }
            | Self::UploadGone { .. }
            | Self::Stopped => Class::Transient { after: None },
            Self::NotFound { .. }
            | Self::NotConfigured { .. }
            | Self::Superseded { .. }
            | Self::AlreadyThere { .. }
            | Self::Unconfirmed { .. }
            | Self::WrongSize { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. } => Class::Permanent,
        }
    }
}

impl Repeat for StorageError {
    fn again(&self) -> Again {
        match self {
            Self::Throttled { retry_after, .. } => Again::Soon {
                after: *retry_after,
            },
            // One lost packet is not an outage, so a missing answer is asked for again as well.
            Self::Unreachable { .. } | Self::OutOfOrder { .. } | Self::Interrupted { .. } => {
                Again::Soon { after: None }
            }
            // Credentials and buckets do not mend within seconds. Bytes that are not the recorded
            // ones may be wrong in our own memory, and an upload that is gone has lost its parts:
            // whoever reads the source has to begin anew.
            Self::Denied { .. }
            | Self::DamagedOnTheWay { .. }
            | Self::NoBucket { .. }
            | Self::UploadGone { .. }
            | Self::Stopped
            | Self::NotFound { .. }
            | Self::NotConfigured { .. }
            | Self::Superseded { .. }
            | Self::AlreadyThere { .. }
            | Self::Unconfirmed { .. }
            | Self::WrongSize { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. } => Again::Never,
        }
    }
}
