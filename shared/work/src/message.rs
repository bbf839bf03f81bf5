//! What the queue carries: messages, claims and leases. Values only, no I/O.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, FileId, InstitutionId, QueueName, WorkItemId};

use crate::BATCH_BYTES_MAX;

/// What a piece of work is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A work item of the registry. Only these have work records.
    Item(WorkItemId),
    /// A file of the registry, for fixity checks.
    File(FileId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(id) => write!(f, "item/{id}"),
            Self::File(id) => write!(f, "file/{id}"),
        }
    }
}

/// Not `item/NUMBER` or `file/NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no work item and no file")]
pub struct UnknownSubject(String);

impl FromStr for Subject {
    type Err = UnknownSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = match text.split_once('/') {
            Some(("item", id)) => id.parse().ok().map(|id| Self::Item(WorkItemId(id))),
            Some(("file", id)) => id.parse().ok().map(|id| Self::File(FileId(id))),
            Some(_) | None => None,
        };
        known.ok_or_else(|| UnknownSubject(text.to_owned()))
    }
}

/// Names a message. There is at most one message of an identity at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub subject: Subject,
    pub queue: QueueName,
    /// `None` is the planner of that step.
    pub batch: Option<BatchNumber>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.batch {
            Some(batch) => write!(f, "{}/{}/{batch}", self.subject, self.queue),
            None => write!(f, "{}/{}", self.subject, self.queue),
        }
    }
}

/// A hint that there is work. A claim of it looks at the subject to see what is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub subject: Subject,
    pub queue: QueueName,
    /// `None` is the planner of that step, which publishes the batches that are not yet done.
    pub batch: Option<BatchNumber>,
    /// Institutions are served round-robin.
    pub institution: InstitutionId,
    /// How many bytes this work is about: of a batch its own, of a planner those of the bag.
    pub size_bytes: u64,
    /// How many files; 0 for a planner, which may come before they are counted.
    pub files: u32,
}

impl Message {
    pub const fn identity(&self) -> Identity {
        Identity {
            subject: self.subject,
            queue: self.queue,
            batch: self.batch,
        }
    }

    /// Whether it is kept from taking more than half of the workers: anything above one batch.
    pub const fn is_big(&self) -> bool {
        self.size_bytes > BATCH_BYTES_MAX
    }
}

/// Tells one claim of a message from every other claim of it, for ever: drawn at random, 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u128);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The right to do a piece of work and to write its records, for as long as the store holds the
/// same token for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub identity: Identity,
    pub token: Token,
}

/// A message that is ours for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub message: Message,
    pub lease: Lease,
    /// Counts from 1, this claim included; starts again after progress.
    pub attempt: u32,
    /// How often a holder of this message has vanished since the last progress: its lease ran out,
    /// or was revoked.
    pub vanished: u32,
    /// How many of those ran this work alone in their process ([`crate::Queue::run_alone`]), so
    /// that nothing else can have ended it.
    pub vanished_alone: u32,
    /// By the store's clock. A holder that wants to know how much is left measures from before
    /// the claim, with a monotonic clock.
    pub deadline: DateTime<Utc>,
}

/// When a message that its holder gives up may be claimed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// After this time; the attempt counts.
    Retry(Duration),
    /// After this time; the attempt does not count. For waiting for another item, and for outages.
    Later(Duration),
    /// At once; the attempt does not count. For a worker that was told to stop.
    Now,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_back_as_written_and_nothing_else_is() {
        for subject in [Subject::Item(WorkItemId(12)), Subject::File(FileId(12))] {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        for text in ["12", "item/", "item/x", "bag/12", ""] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
