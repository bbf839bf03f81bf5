//! The answer: the JSON document of `--help`, member by member. Names and meanings stay; what is added comes
//! with a name of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muniment_model::registry::{Recorded, WorkItem};
use muniment_model::{
    BatchNumber, MemberKind, QueueName, StorageOption, StorageTarget, WorkItemId,
};
use serde::Serialize;

use crate::error::CommandError;

/// How many events of each type.
pub(super) type EventCounts = BTreeMap<&'static str, u64>;

#[derive(Debug, Serialize)]
pub(super) struct Inspection {
    pub(super) work_item_id: WorkItemId,
    pub(super) inspected_at: DateTime<Utc>,
    pub(super) not_known: Vec<NotKnown>,
    pub(super) registry: Registered,
    pub(super) work_store: WorkPart,
    pub(super) staged_index: Option<IndexPart>,
    pub(super) events_to_come: EventsToCome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<Vec<FilePart>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files_left_out: Option<u64>,
}

impl Inspection {
    /// Whether any place knows of the item.
    pub(super) fn is_known(&self) -> bool {
        self.registry.work_item.is_some() || self.work_store.holds_anything()
    }

    /// Whether this source could not be asked.
    pub(super) fn lacks(&self, source: &str) -> bool {
        self.not_known.iter().any(|one| one.source == source)
    }

    /// That nothing is known of it, and why.
    pub(super) fn unknown(&self) -> CommandError {
        let id = self.work_item_id;
        if self.not_known.is_empty() {
            return CommandError::NoSuchItem { id };
        }
        let reasons = self.not_known.iter().map(|one| one.reason.as_str());
        CommandError::NothingKnown {
            id,
            reasons: reasons.collect::<Vec<_>>().join("; "),
        }
    }
}

/// What could not be asked or read, in words for people.
#[derive(Debug, Serialize)]
pub(super) struct NotKnown {
    pub(super) source: &'static str,
    pub(super) reason: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Registered {
    pub(super) work_item: Option<WorkItem>,
    pub(super) recorded: Option<Recorded>,
}

/// Empty where the work store keeps nothing of the item, as after its ending.
#[derive(Debug, Default, Serialize)]
pub(super) struct WorkPart {
    pub(super) object: Option<ObjectPart>,
    pub(super) files: FileCounts,
    pub(super) batches: Vec<BatchPart>,
    pub(super) checkpoint: Option<CheckpointPart>,
    pub(super) messages: Vec<MessagePart>,
}

impl WorkPart {
    pub(super) fn holds_anything(&self) -> bool {
        self.object.is_some()
            || !self.batches.is_empty()
            || self.checkpoint.is_some()
            || !self.messages.is_empty()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ObjectPart {
    pub(super) identifier: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) last_modified: DateTime<Utc>,
    pub(super) storage_option: StorageOption,
    /// These four: `None` until pass one has come to the end of the tar.
    pub(super) batches: Option<u32>,
    pub(super) files: Option<u64>,
    pub(super) payload_files: Option<u64>,
    pub(super) payload_bytes: Option<u64>,
    pub(super) errors: u64,
    pub(super) warnings: u64,
    /// The object's number in the registry from an earlier ingest.
    pub(super) registered_id: Option<i64>,
    pub(super) storing_since: Option<DateTime<Utc>>,
    pub(super) recorded_id: Option<i64>,
}

/// The file records by state; a file is in as many of them as are true of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct FileCounts {
    pub(super) records: u64,
    pub(super) folders: u64,
    pub(super) digested: u64,
    pub(super) staged: u64,
    pub(super) repeated: u64,
    pub(super) unchanged: u64,
    /// That this item stores and records.
    pub(super) to_save: u64,
    pub(super) copies: BTreeMap<StorageTarget, u64>,
    pub(super) verified: BTreeMap<StorageTarget, u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct BatchPart {
    pub(super) batch: BatchNumber,
    pub(super) files: u32,
    pub(super) size_bytes: u64,
    /// The workers that are done with it.
    pub(super) done_by: Vec<QueueName>,
}

#[derive(Debug, Serialize)]
pub(super) struct CheckpointPart {
    pub(super) tar_offset: u64,
    pub(super) batch: BatchNumber,
    pub(super) in_batch: u32,
    /// Regular members before it.
    pub(super) files: u64,
    /// Where the reading goes on inside the member after it.
    pub(super) inside: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct MessagePart {
    pub(super) queue: QueueName,
    /// `None` is the planner of the step.
    pub(super) batch: Option<BatchNumber>,
    /// `ready`, `due` or `leased`.
    pub(super) state: &'static str,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) lease: Option<LeasePart>,
    pub(super) attempts: u32,
    pub(super) vanished: u32,
    pub(super) vanished_alone: u32,
    pub(super) files: u32,
    pub(super) size_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct LeasePart {
    pub(super) until: DateTime<Utc>,
    pub(super) holder: Option<HolderPart>,
    pub(super) alone: bool,
    pub(super) published_again: bool,
}

/// As the work item names it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HolderPart {
    pub(super) node: String,
    pub(super) pid: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct IndexPart {
    pub(super) batches: Vec<BatchNumber>,
    pub(super) end: bool,
    pub(super) storing: bool,
    pub(super) returns: u32,
    pub(super) restagings: u32,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct EventsToCome {
    pub(super) object: EventCounts,
    pub(super) files: EventCounts,
    pub(super) total: u64,
    /// Pass one or Reingest Check has not come to its end, after which it may be others.
    pub(super) may_change: bool,
    pub(super) none_because: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FilePart {
    pub(super) path: String,
    pub(super) batch: BatchNumber,
    pub(super) kind: MemberKind,
    pub(super) size: u64,
    /// The furthest of: `seen`, `digested`, `staged`, `repeated`, `unchanged`, `copied`, `verified`.
    pub(super) state: &'static str,
    pub(super) copies: Vec<CopyPart>,
    pub(super) events_to_come: EventCounts,
}

#[derive(Debug, Serialize)]
pub(super) struct CopyPart {
    pub(super) target: StorageTarget,
    pub(super) stored_at: DateTime<Utc>,
    pub(super) verified_at: Option<DateTime<Utc>>,
}
