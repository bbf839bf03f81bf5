//! What the registry says on the wire: names, order and zero values of its API v3
//! (registry contract, 2.1 and 2.4).
//!
//! Absent numbers are 0, absent texts are empty, absent times are year 1. Members that the
//! original does not have come last in each type, are optional for clients, and are marked.

pub mod checks;
mod words;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Action, Algorithm, InstitutionId, Stage, Status, StorageOption, WorkItemId, zero_time,
};

pub use words::{Access, EventOutcome, EventType, InstitutionKind, RecordState};

/// The longest batch of files in one request, and the longest page of a list.
pub const BATCH_MAX: usize = 1_000;

/// How long the copies of bytes that a file had before are kept after other bytes replaced them.
pub const UNDO_TIME: TimeDelta = TimeDelta::days(30);

/// The envelope of every list. `next` and `previous` are path and query, empty at the ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Listing<T> {
    pub count: i64,
    pub next: String,
    pub previous: String,
    #[serde(default = "Vec::new", deserialize_with = "null_as_empty")]
    pub results: Vec<T>,
}

/// The original writes `null` for an empty list.
fn null_as_empty<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// A depositor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Institution {
    pub id: InstitutionId,
    pub name: String,
    /// A domain name, `test.edu`.
    pub identifier: String,
    pub state: RecordState,
    #[serde(rename = "type")]
    pub kind: InstitutionKind,
    pub receiving_bucket: String,
    pub restore_bucket: String,
    #[serde(with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// One upload and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    #[serde(default)]
    pub id: WorkItemId,
    #[serde(default, with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// The key of the upload in its bucket.
    pub name: String,
    /// Without quotes.
    pub etag: String,
    pub institution_id: InstitutionId,
    #[serde(default)]
    pub intellectual_object_id: i64,
    #[serde(default)]
    pub generic_file_id: i64,
    pub bucket: String,
    pub user: String,
    #[serde(default)]
    pub note: String,
    pub action: Action,
    pub stage: Stage,
    pub status: Status,
    #[serde(default)]
    pub outcome: String,
    /// When the upload was last modified, as S3 says.
    #[serde(default, with = "zero_time")]
    pub bag_date: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub date_processed: Option<DateTime<Utc>>,
    #[serde(default)]
    pub retry: bool,
    /// The host whose worker holds the item, empty when none does.
    #[serde(default)]
    pub node: String,
    #[serde(default)]
    pub pid: i64,
    #[serde(default)]
    pub needs_admin_review: bool,
    #[serde(default, with = "zero_time")]
    pub queued_at: Option<DateTime<Utc>>,
    /// Bytes of the upload.
    #[serde(default)]
    pub size: u64,
    #[serde(default, with = "zero_time")]
    pub stage_started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub aptrust_approver: String,
    #[serde(default)]
    pub inst_approver: String,
    #[serde(default)]
    pub deletion_request_id: i64,
    /// Ours: raised by every update; what `If-Match` is compared with.
    #[serde(default)]
    pub version: i64,
    /// Ours: the status that Cleanup will set, written before anything is cleaned. `None` until
    /// the ending is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_status: Option<Status>,
    /// Ours: why the item is to fail or be cancelled, in the depositor's words; empty until that is
    /// decided. The note may say more, and is for people only: nothing is read back out of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Joined for reading: ignored when sent.
    #[serde(default)]
    pub institution_identifier: String,
    /// Joined for reading, empty until the object is recorded: ignored when sent.
    #[serde(default)]
    pub object_identifier: String,
}

/// The reason of an item that an operator cancels, with the operator's own words if there are any. The
/// registry writes it, and who repeats an order knows by it that the first one was carried out.
pub fn cancelled_by_operator(words: Option<&str>) -> String {
    const CANCELLED: &str = "Cancelled by an operator";
    match words {
        Some(words) => format!("{CANCELLED}: {words}"),
        None => CANCELLED.to_owned(),
    }
}

/// An intellectual object: what a bag becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntellectualObject {
    #[serde(default)]
    pub id: i64,
    #[serde(default, with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
    pub title: String,
    #[serde(default)]
    pub description: String,
    /// `<institution>/<bag name>`
    pub identifier: String,
    #[serde(default)]
    pub alt_identifier: String,
    pub access: Access,
    #[serde(default)]
    pub bag_name: String,
    pub institution_id: InstitutionId,
    pub state: RecordState,
    #[serde(default)]
    pub etag: String,
    #[serde(default)]
    pub bag_group_identifier: String,
    pub storage_option: StorageOption,
    #[serde(default)]
    pub bagit_profile_identifier: String,
    #[serde(default)]
    pub source_organization: String,
    #[serde(default)]
    pub internal_sender_identifier: String,
    #[serde(default)]
    pub internal_sender_description: String,
    /// Of active files. Counted for reading: ignored when sent.
    #[serde(default)]
    pub file_count: i64,
    /// Bytes of active files. Counted for reading: ignored when sent.
    #[serde(default)]
    pub size: i64,
    #[serde(default)]
    pub payload_file_count: i64,
    #[serde(default)]
    pub payload_size: i64,
    /// Ours: the work item that last recorded this object.
    #[serde(default)]
    pub work_item_id: WorkItemId,
    /// Ours: object-level events, written with the object in one transaction. Never read back.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub premis_events: Vec<PremisEvent>,
}

/// A file of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenericFile {
    #[serde(default)]
    pub id: i64,
    #[serde(default, with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// A media type.
    pub file_format: String,
    pub size: u64,
    /// `<object identifier>/<path in bag>`
    pub identifier: String,
    pub intellectual_object_id: i64,
    pub state: RecordState,
    #[serde(default, with = "zero_time")]
    pub last_fixity_check: Option<DateTime<Utc>>,
    pub institution_id: InstitutionId,
    pub storage_option: StorageOption,
    /// Names the version that the file has, and is the key of its copies in preservation storage.
    pub uuid: Uuid,
    #[serde(default, with = "zero_time")]
    pub mtime: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub premis_events: Vec<PremisEvent>,
    /// Of the present version; a look-up and the reply to a save have those of former versions, too.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub checksums: Vec<Checksum>,
    /// As `checksums`.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub storage_records: Vec<StorageRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    #[serde(default)]
    pub id: i64,
    pub algorithm: Algorithm,
    #[serde(default, with = "zero_time")]
    pub datetime: Option<DateTime<Utc>>,
    /// Lower-case hexadecimal.
    pub digest: String,
    #[serde(default)]
    pub generic_file_id: i64,
    #[serde(default, with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Ours: the uuid of the file's version that has this digest; `None` where it is not known.
    /// Ignored when sent: it is the uuid of the file that the checksum is sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Uuid>,
    /// Ours: set while the file has other bytes.
    #[serde(default, with = "zero_time")]
    pub superseded_at: Option<DateTime<Utc>>,
}

/// One copy of a file in preservation storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageRecord {
    #[serde(default)]
    pub id: i64,
    #[serde(default)]
    pub generic_file_id: i64,
    pub url: String,
    /// Ours: set while a copy that a re-ingest replaced is kept for its undo time.
    #[serde(default, with = "zero_time")]
    pub superseded_at: Option<DateTime<Utc>>,
    /// Ours: the uuid of the file's version that the copy is of; `None` where it is not known. Ignored
    /// when sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Uuid>,
}

impl StorageRecord {
    /// Until when a superseded copy is kept at least; `None` for one of the bytes that its file has now,
    /// which is kept for as long as the file.
    pub fn kept_until(&self) -> Option<DateTime<Utc>> {
        self.superseded_at?.checked_add_signed(UNDO_TIME)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PremisEvent {
    #[serde(default)]
    pub id: i64,
    pub agent: String,
    #[serde(default, with = "zero_time")]
    pub date_time: Option<DateTime<Utc>>,
    pub detail: String,
    pub event_type: EventType,
    /// 0 for an event about the object as a whole.
    #[serde(default)]
    pub generic_file_id: i64,
    pub identifier: Uuid,
    #[serde(default)]
    pub institution_id: InstitutionId,
    #[serde(default)]
    pub intellectual_object_id: i64,
    pub object: String,
    #[serde(default)]
    pub old_uuid: String,
    pub outcome: EventOutcome,
    pub outcome_detail: String,
    pub outcome_information: String,
    #[serde(default, with = "zero_time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, with = "zero_time")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// Ours: which of these identifiers are recorded. At most [`BATCH_MAX`] in one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLookup {
    pub intellectual_object_id: i64,
    pub identifiers: Vec<String>,
}

/// Ours: an active file of an object, as far as a list of all of them needs to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSize {
    pub id: i64,
    /// `<object identifier>/<path in bag>`
    pub identifier: String,
    pub size: u64,
}

/// Ours: a request for the lock of an object (architecture, section 6): one open work item per
/// object, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeLock {
    pub object_identifier: String,
}

/// Ours: the answer to [`TakeLock`], 200 when the lock was taken and 409 when another item has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// The item that has the object's lock: the one asked for, or the one to wait for.
    pub holder: WorkItemId,
}

/// Ours: what identifies an installation and stays the same for as long as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    pub namespace: crate::Namespace,
}

/// Ours: what one work item has recorded, for the check before its tar is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The object that names the item as the last to record it; 0 when none does.
    pub intellectual_object_id: i64,
    /// Active files of that object that the item recorded, new or replaced.
    pub files: i64,
    /// Their copies, superseded ones left out.
    pub storage_records: i64,
}

/// The body of every error the registry answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorBody {
    pub status_code: u16,
    pub error: String,
}
