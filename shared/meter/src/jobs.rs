//! What a worker does itself, beside what it asks of others.

use std::collections::BTreeMap;

/// Of one worker since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// How many it does at a time, at most; 0 for a sweep.
    pub at_a_time: u64,
    pub running: u64,
    /// Claims, each of which is an attempt.
    pub attempts: u64,
    /// How jobs ended, by the words of the run loop.
    pub endings: BTreeMap<&'static str, u64>,
    pub leases_lost: u64,
    /// Of batches that were completed.
    pub batch_files: u64,
    pub batch_bytes: u64,
}

/// A batch that was completed; nothing for what is no batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchWork {
    pub files: u64,
    pub bytes: u64,
}
