//! Whether trying the same thing again can help, decided once per error, by type.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::BucketName;

/// Whether trying the same thing again can help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// This call may work in a moment, or after the time the service asked for.
    Transient { after: Option<Duration> },
    /// This is away, or refuses us altogether. Not this job's fault: no attempt is counted.
    Outage(Dependency),
    /// The same call will fail in the same way.
    Permanent,
}

/// What can be away by itself: work that needs it waits, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dependency {
    Registry,
    WorkStore,
    /// A whole S3 store, by host and port: no connection comes about.
    Endpoint(String),
    /// One bucket: it is closed to us, missing, silent, or out of order.
    Bucket(Arc<BucketAddress>),
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("the registry"),
            Self::WorkStore => f.write_str("the work store"),
            Self::Endpoint(endpoint) => write!(f, "the S3 endpoint {endpoint}"),
            Self::Bucket(bucket) => write!(f, "the bucket {bucket} at {}", bucket.endpoint),
        }
    }
}

/// A bucket and the store it is in. Displayed as its name alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketAddress {
    /// Host and port.
    pub endpoint: String,
    pub bucket: BucketName,
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.fmt(f)
    }
}

/// Implemented by every error that can reach the run loop.
///
/// Write `class` as a `match` that names every variant. A `_` arm would classify the next variant
/// someone adds without anyone having decided.
pub trait Classify {
    fn class(&self) -> Class;
}

/// Prints an error and its sources as one line, each cause once.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read the bag")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("no answer from receiving.test.edu")]
    struct Inner;

    #[test]
    fn a_chain_names_each_cause_once() {
        let text = Chain(&Outer(Inner)).to_string();

        assert_eq!(
            text,
            "could not read the bag: no answer from receiving.test.edu"
        );
    }
}
