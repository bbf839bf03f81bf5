//! Work records, the queue and its leases: what the workers of an installation share.
//!
//! Everything in here can be rebuilt from the registry and S3 (architecture, section 2): records
//! are a cache of progress, messages are hints. So losing all of it, or any last moment of it,
//! costs time and nothing else.
//!
//! * [`Queue`] and [`Records`] are what a worker process sees; [`SqliteWork`] keeps both in one
//!   SQLite file for the processes of one machine, [`RedisWork`] in one Redis for those of many. [`WorkView`] is what an operator's tools see of both.
//! * The queue's logic is the pure function in `decide`, which every back end runs.
//! * Every write to a record carries the writer's [`Lease`] and fails once that lease is lost.

mod calls;
mod codec;
#[cfg(test)]
mod conformance;
mod decide;
mod error;
mod message;
mod redis;
mod rules;
mod settings;
mod sqlite;
mod store;
mod view;
mod what;

pub use self::redis::{RedisUrl, RedisWork};
pub use error::{Cause, WorkError};
pub use message::{Claim, Identity, Lease, Message, Release, Subject, Token, UnknownSubject};
pub use settings::{UnknownWorkLocation, WorkLocation, WorkSettings};
pub use sqlite::SqliteWork;
pub use store::{
    Backlog, BatchRecords, BatchSize, BatchesDone, FileWrite, Progress, Queue, Records, WorkStore,
};
pub use view::{ItemView, MessageState, QueuedMessage, WorkView};

use std::time::Duration;

/// How long a claim holds without renewal: a crashed holder's message is claimed by another after
/// this, "usually within a minute" (architecture, section 7).
pub const LEASE_FOR: Duration = Duration::from_mins(1);

/// How often a holder renews. Two renewals may fail before the lease runs out.
pub const RENEW_EVERY: Duration = Duration::from_secs(20);

/// The most files in one batch: about 500 KB of records, so a batch is one quick read and one
/// quick write.
pub const BATCH_FILES_MAX: usize = 500;

/// The most bytes of files in one batch, unless it holds a single larger file: some minutes of
/// work, so that a stage of a large bag spreads over many workers.
pub const BATCH_BYTES_MAX: u64 = 8 << 30;
