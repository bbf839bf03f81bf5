//! What lists and look-ups show beyond the stored record: members that the original joins for
//! reading (registry contract, 2.4), in its names. Clients that send them back are not refused; the
//! values are ignored.

use chrono::{DateTime, Utc};
use muniment_model::registry::{
    Access, Checksum, Institution, InstitutionKind, IntellectualObject, PremisEvent, RecordState,
    StorageRecord, WorkItem,
};
use muniment_model::{InstitutionId, StorageOption, zero_time};
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Serialize)]
pub(crate) struct InstitutionView {
    #[serde(flatten)]
    pub(crate) institution: Institution,
    #[serde(with = "zero_time")]
    pub(crate) deactivated_at: Option<DateTime<Utc>>,
    pub(crate) otp_enabled: bool,
    pub(crate) spot_restore_frequency: i64,
    pub(crate) last_spot_restore_work_item_id: i64,
    pub(crate) parent_id: i64,
    pub(crate) parent_name: String,
    pub(crate) parent_identifier: String,
    /// Empty without a parent.
    pub(crate) parent_state: String,
    #[serde(with = "zero_time")]
    pub(crate) parent_deactivated_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ItemView {
    #[serde(flatten)]
    pub(crate) item: WorkItem,
    pub(crate) institution_name: String,
    pub(crate) alt_identifier: String,
    pub(crate) bag_group_identifier: String,
    pub(crate) storage_option: String,
    pub(crate) bagit_profile_identifier: String,
    pub(crate) source_organization: String,
    pub(crate) internal_sender_identifier: String,
    pub(crate) generic_file_identifier: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct ObjectView {
    #[serde(flatten)]
    pub(crate) object: IntellectualObject,
    pub(crate) institution_name: String,
    pub(crate) institution_identifier: String,
    pub(crate) institution_type: InstitutionKind,
    pub(crate) institution_parent_id: i64,
}

/// A file as the member API lists it.
#[derive(Debug, Serialize)]
pub(crate) struct FileView {
    pub(crate) id: i64,
    pub(crate) file_format: String,
    pub(crate) size: u64,
    pub(crate) identifier: String,
    pub(crate) intellectual_object_id: i64,
    pub(crate) object_identifier: String,
    pub(crate) access: Access,
    pub(crate) state: RecordState,
    #[serde(with = "zero_time")]
    pub(crate) last_fixity_check: Option<DateTime<Utc>>,
    pub(crate) institution_id: InstitutionId,
    pub(crate) institution_name: String,
    pub(crate) institution_identifier: String,
    pub(crate) storage_option: StorageOption,
    pub(crate) uuid: Uuid,
    #[serde(with = "zero_time")]
    pub(crate) mtime: Option<DateTime<Utc>>,
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    pub(crate) sha512: String,
    #[serde(with = "zero_time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(with = "zero_time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ChecksumView {
    #[serde(flatten)]
    pub(crate) checksum: Checksum,
    /// Of the file.
    pub(crate) state: RecordState,
    pub(crate) generic_file_identifier: String,
    pub(crate) intellectual_object_id: i64,
    pub(crate) institution_id: InstitutionId,
}

#[derive(Debug, Serialize)]
pub(crate) struct CopyView {
    #[serde(flatten)]
    pub(crate) copy: StorageRecord,
    /// Ours: of a superseded copy, until when it is kept at least.
    #[serde(with = "zero_time")]
    pub(crate) kept_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    #[serde(flatten)]
    pub(crate) event: PremisEvent,
    pub(crate) generic_file_identifier: String,
    pub(crate) institution_name: String,
    pub(crate) intellectual_object_identifier: String,
}
