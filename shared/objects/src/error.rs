//! What can go wrong between us and a bucket, by type, and what follows from each.
//!
//! Nothing outside this crate sees an SDK error. How an answer of the store becomes one of these
//! is in `answer.rs`, decided by status and error code and never by text. What an error means to
//! the run loop, to the retry and to the gate is in one table, [`StorageError::traits`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use muniment_model::{BucketAddress, Class, Classify, Dependency, ObjectKey, StorageTarget};
use muniment_retry::{Again, Retryable};

use crate::gate::Outcome;

/// A cause from a library below us.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Where an object is, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    pub bucket: Arc<BucketAddress>,
    pub key: ObjectKey,
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

/// What a request was about: S3's own word in its error answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The store as a whole, by host and port.
    Endpoint(String),
    Bucket(Arc<BucketAddress>),
    Object(ObjectAddress),
}

impl Resource {
    /// The store behind it.
    fn endpoint(&self) -> Dependency {
        Dependency::Endpoint(match self {
            Self::Endpoint(endpoint) => endpoint.clone(),
            Self::Bucket(bucket) | Self::Object(ObjectAddress { bucket, .. }) => {
                bucket.endpoint.clone()
            }
        })
    }

    /// What is away when requests about it are not served although the store answers.
    fn dependency(&self) -> Dependency {
        match self {
            Self::Endpoint(_) => self.endpoint(),
            Self::Bucket(bucket) | Self::Object(ObjectAddress { bucket, .. }) => {
                Dependency::Bucket(Arc::clone(bucket))
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => f.write_str(endpoint),
            Self::Bucket(bucket) => bucket.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("{} has no object {}", .0.bucket, .0.key)]
    NotFound(ObjectAddress),
    #[error("there is no bucket {0}")]
    NoBucket(Arc<BucketAddress>),
    #[error("no bucket is configured for {target}")]
    NotConfigured { target: StorageTarget },
    #[error("{resource} refused our credentials ({code})")]
    Denied { resource: Resource, code: String },
    #[error("{resource} asked us to slow down")]
    Throttled {
        resource: Resource,
        retry_after: Option<Duration>,
    },
    /// No connection came about.
    #[error("no answer from {resource}")]
    Unreachable { resource: Resource, source: Cause },
    /// A connection came about, and nothing else within the time limit of a request.
    #[error("no answer from {resource} in time")]
    Silent { resource: Resource, source: Cause },
    /// The store answered with a fault of its own (5xx).
    #[error("{resource} is out of order ({code})")]
    OutOfOrder { resource: Resource, code: String },
    /// The store cannot keep more (507). Nothing was written.
    #[error("no room for {resource}: the disk of the store is full")]
    DiskFull { resource: Resource },
    /// A connection broke before an answer. Whether a write happened is unknown, so every write here
    /// may be made twice.
    #[error("{resource} closed the connection without an answer")]
    Reset { resource: Resource, source: Cause },
    /// An answer broke off or fell silent. Whether a write happened is unknown, so every write here
    /// may be made twice.
    #[error("the exchange with {resource} broke off")]
    Interrupted { resource: Resource, source: Cause },
    /// The object is not the one we had looked at: there is another upload under its key.
    #[error("{0} was replaced by another upload")]
    Superseded(ObjectAddress),
    /// We asked to create the object, and the key is taken.
    #[error("{} already has an object {}", .0.bucket, .0.key)]
    AlreadyThere(ObjectAddress),
    /// What arrived is not what was sent.
    #[error("{0} does not have the recorded checksum")]
    DamagedOnTheWay(ObjectAddress),
    /// The store holds the object, but reports no checksum to compare with ours.
    #[error("{} reports no full-object checksum of {}", .0.bucket, .0.key)]
    Unconfirmed(ObjectAddress),
    #[error("{object} has {found} bytes, expected {expected}")]
    WrongSize {
        object: ObjectAddress,
        expected: u64,
        found: u64,
    },
    #[error("{object} has more than {size_max} bytes")]
    TooLarge {
        object: ObjectAddress,
        size_max: u64,
    },
    /// The multipart upload is no longer known: completed by an attempt whose answer was lost, or
    /// aborted.
    #[error("{} no longer knows the multipart upload of {}", .0.bucket, .0.key)]
    UploadGone(ObjectAddress),
    /// The same request would be refused again.
    #[error("{resource} refused the request: {code} ({message})")]
    Refused {
        resource: Resource,
        code: String,
        message: String,
    },
    #[error("told to stop")]
    Stopped,
}

/// What about a request was refused, where our credentials were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// They are not those of anybody, or no longer.
    Keys,
    /// They are good, and not for this.
    Rights,
    /// The region that the request was signed for.
    Region,
    /// The time at which it was signed.
    Clock,
}

impl StorageError {
    /// What was refused, of an answer that refuses our credentials.
    pub fn denial(&self) -> Option<Denial> {
        let Self::Denied { code, .. } = self else {
            return None;
        };
        Some(match code.as_str() {
            "ExpiredToken"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "SignatureDoesNotMatch"
            | "TokenRefreshRequired"
            | "401" => Denial::Keys,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "Redirect"
            | "TemporaryRedirect"
            | "301"
            | "307"
            | "308" => Denial::Region,
            "RequestTimeTooSkewed" => Denial::Clock,
            _ => Denial::Rights,
        })
    }

    /// Whether the bucket that was to be made is there, and ours.
    pub(crate) fn is_own_bucket(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "BucketAlreadyOwnedByYou")
    }

    /// The one table of what follows from each error: what it means to the run loop that the retry
    /// did not help, whether the same request is worth repeating within seconds, and what it says
    /// about the endpoint's load. Exhaustive, so that a new one does not compile until all three
    /// questions are answered.
    fn traits(&self) -> (Class, Again, Outcome) {
        const TRANSIENT: Class = Class::Transient { after: None };
        const SOON: Again = Again::Soon { after: None };
        match self {
            // The retry has gone on for as long as is sensible within a job. A store that still
            // throttles or fails is away: that never counts against a bag.
            Self::Throttled {
                resource,
                retry_after,
            } => {
                let (away, after) = (resource.dependency(), *retry_after);
                (
                    Class::Outage(away),
                    Again::Soon { after },
                    Outcome::PushedBack,
                )
            }
            Self::OutOfOrder { resource, .. } => (
                Class::Outage(resource.dependency()),
                SOON,
                Outcome::PushedBack,
            ),
            // One lost packet is not an outage, so a missing answer is asked for again as well.
            Self::Unreachable { resource, .. } => {
                (Class::Outage(resource.endpoint()), SOON, Outcome::Neither)
            }
            // A store that answers others may be silent about one bucket.
            Self::Silent { resource, .. } => {
                (Class::Outage(resource.dependency()), SOON, Outcome::Neither)
            }
            // Of a single request. When all are reset, it is an outage (`Connection::call`).
            Self::Reset { .. } | Self::Interrupted { .. } => (TRANSIENT, SOON, Outcome::Neither),
            // Credentials, buckets and full disks do not mend within seconds.
            Self::DiskFull { resource } => (
                Class::Outage(resource.endpoint()),
                Again::Never,
                Outcome::Neither,
            ),
            Self::Denied { resource, .. } => (
                Class::Outage(resource.dependency()),
                Again::Never,
                Outcome::Neither,
            ),
            Self::NoBucket(bucket) => (
                Class::Outage(Dependency::Bucket(Arc::clone(bucket))),
                Again::Never,
                Outcome::Neither,
            ),
            // Bytes that are not the recorded ones may be wrong in our own memory, and an upload
            // that is gone has lost its parts: the reader of the source has to begin anew.
            Self::DamagedOnTheWay(_) | Self::UploadGone(_) | Self::Stopped => {
                (TRANSIENT, Again::Never, Outcome::Neither)
            }
            Self::NotFound(_)
            | Self::NotConfigured { .. }
            | Self::Superseded(_)
            | Self::AlreadyThere(_)
            | Self::Unconfirmed(_)
            | Self::WrongSize { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. } => (Class::Permanent, Again::Never, Outcome::Neither),
        }
    }

    /// Whether the store has no such operation at all, so that it has to be done another way.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "NotImplemented" || code == "501")
    }

    pub(crate) const fn is_unconfirmed(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }

    pub(crate) fn load(&self) -> Outcome {
        self.traits().2
    }
}

impl Classify for StorageError {
    fn class(&self) -> Class {
        self.traits().0
    }
}

impl Retryable for StorageError {
    fn again(&self) -> Again {
        self.traits().1
    }
}

#[cfg(test)]
mod tests;
