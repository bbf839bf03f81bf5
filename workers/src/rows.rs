//! The registry's rows of an item. There is one way to make them: Record sends them, and Validate has
//! them checked (`rows/check.rs`) while the bag can still be refused.

use chrono::{DateTime, Utc};
use muniment_formats::UNKNOWN_MEDIA_TYPE;
use muniment_model::registry::{
    Checksum, GenericFile, IntellectualObject, RecordState, StorageRecord,
};
use muniment_model::{Algorithm, Digests, FileRecord};
use muniment_runtime::JobError;

use crate::premis::{Events, Kept};

pub(crate) mod check;

/// Makes the rows of one item, each with its events.
pub(crate) struct Rows<'a> {
    pub(crate) events: Events<'a>,
}

impl Rows<'_> {
    /// `methods` names how the copies were confirmed.
    pub(crate) fn of_object(&self, methods: &str) -> Result<IntellectualObject, JobError> {
        let object = self.events.object;
        let metadata = object.metadata.as_ref().ok_or(JobError::RecordsLost)?;
        Ok(IntellectualObject {
            id: object.registered.as_ref().map_or(0, |known| known.id),
            created_at: None,
            updated_at: None,
            title: metadata.title.clone(),
            description: metadata.description.clone(),
            identifier: object.identifier.as_str().to_owned(),
            alt_identifier: metadata.alt_identifier.clone(),
            access: metadata.access,
            bag_name: object.bag_name.clone(),
            institution_id: object.institution_id,
            state: RecordState::Active,
            etag: object.tar.etag.clone(),
            bag_group_identifier: metadata.bag_group_identifier.clone(),
            storage_option: object.storage_option(),
            bagit_profile_identifier: metadata.bagit_profile_identifier.clone(),
            source_organization: metadata.source_organization.clone(),
            internal_sender_identifier: metadata.internal_sender_identifier.clone(),
            internal_sender_description: metadata.internal_sender_description.clone(),
            file_count: 0,
            size: 0,
            payload_file_count: 0,
            payload_size: 0,
            work_item_id: object.item,
            premis_events: self.events.of_object(methods),
        })
    }

    /// `kept` says where its copies are, or will be.
    pub(crate) fn of_file(&self, file: &FileRecord, kept: Kept) -> Result<GenericFile, JobError> {
        let object = self.events.object;
        let digests = file.digests.ok_or(JobError::RecordsLost)?;
        let premis_events = self.events.of_file(file, &digests, &kept);
        let digested_at = file.digested_at.unwrap_or(self.events.now);
        Ok(GenericFile {
            id: file.registered.as_ref().map_or(0, |known| known.id),
            created_at: None,
            updated_at: None,
            file_format: file.format.as_ref().map_or_else(
                || UNKNOWN_MEDIA_TYPE.to_owned(),
                |format| format.media_type.clone(),
            ),
            size: file.size,
            identifier: object.identifier.file(&file.path),
            intellectual_object_id: self.events.object_id,
            state: RecordState::Active,
            last_fixity_check: Some(digested_at),
            institution_id: object.institution_id,
            storage_option: object.storage_option(),
            uuid: kept.uuid,
            mtime: file.modified_at,
            premis_events,
            checksums: checksums_of(&digests, digested_at),
            storage_records: kept.urls.into_iter().map(storage_record).collect(),
        })
    }
}

fn checksums_of(digests: &Digests, at: DateTime<Utc>) -> Vec<Checksum> {
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| Checksum {
            id: 0,
            algorithm,
            datetime: Some(at),
            digest: digests.hex(algorithm),
            generic_file_id: 0,
            created_at: None,
            updated_at: None,
            version: None,
            superseded_at: None,
        })
        .collect()
}

fn storage_record(url: String) -> StorageRecord {
    StorageRecord {
        id: 0,
        generic_file_id: 0,
        url,
        superseded_at: None,
        version: None,
    }
}
