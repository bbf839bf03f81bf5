//! What saving one file of a batch means, given what is recorded under its identifier.
//!
//! A batch may be sent twice, or by two workers at once: whatever is already there as sent is left
//! alone, and nothing that differs is overwritten unless the sender names the row it means.

use muniment_model::StorageOption;
use muniment_model::registry::{GenericFile, RecordState};
use uuid::Uuid;

use super::RuleError;
use super::changes;

/// The row recorded under the file's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) object_id: i64,
    pub(crate) uuid: Uuid,
    pub(crate) size: u64,
    pub(crate) state: RecordState,
    pub(crate) storage_option: StorageOption,
}

/// What happens to the row. New children are added in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Insert,
    /// Recorded already, by an earlier attempt.
    Keep {
        id: i64,
    },
    /// The sender names the row and gives it new values.
    Replace {
        id: i64,
        storage_option: StorageOption,
        /// The bytes are others: the copies recorded so far are kept for their undo time only.
        is_new_version: bool,
    },
}

pub(crate) fn plan(wanted: &GenericFile, stored: Option<&Stored>) -> Result<Plan, RuleError> {
    match stored {
        None if wanted.id == 0 => Ok(Plan::Insert),
        Some(stored) if wanted.id == 0 => {
            changes::file(stored.object_id, &stored.identifier, wanted)?;
            if stored.uuid == wanted.uuid {
                Ok(Plan::Keep { id: stored.id })
            } else {
                Err(RuleError::taken("identifier"))
            }
        }
        Some(stored) if stored.id == wanted.id => {
            changes::file(stored.object_id, &stored.identifier, wanted)?;
            Ok(Plan::Replace {
                id: stored.id,
                storage_option: if stored.state == RecordState::Active {
                    stored.storage_option
                } else {
                    wanted.storage_option
                },
                is_new_version: stored.uuid != wanted.uuid,
            })
        }
        // The id names no row, or another one.
        None | Some(_) => Err(RuleError::Mismatch),
    }
}

/// How an object's counters of active files move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) files: i64,
    pub(crate) bytes: i64,
    pub(crate) payload_files: i64,
    pub(crate) payload_bytes: i64,
}

impl Tally {
    pub(crate) fn add(&mut self, file: Counted<'_>) {
        self.count(file, 1);
    }

    pub(crate) fn remove(&mut self, file: Counted<'_>) {
        self.count(file, -1);
    }

    fn count(&mut self, file: Counted<'_>, sign: i64) {
        if file.state != RecordState::Active {
            return;
        }
        let bytes = sign * i64::try_from(file.size).unwrap_or(i64::MAX);
        self.files += sign;
        self.bytes += bytes;
        if file.is_payload() {
            self.payload_files += sign;
            self.payload_bytes += bytes;
        }
    }
}

/// What of a file its object's counters depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) object_identifier: &'a str,
    pub(crate) identifier: &'a str,
    pub(crate) state: RecordState,
    pub(crate) size: u64,
}

impl Counted<'_> {
    fn is_payload(&self) -> bool {
        self.identifier
            .strip_prefix(self.object_identifier)
            .is_some_and(|path| path.starts_with("/data/"))
    }
}

#[cfg(test)]
mod tests;
