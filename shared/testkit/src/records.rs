//! Work records as they stand when a bag was validated, to be changed as a test needs.
#![expect(clippy::expect_used, reason = "a panic is how a test reports")]

use chrono::DateTime;
use muniment_model::registry::WorkItem;
use muniment_model::{
    Algorithm, BagMetadata, BucketName, Crc64Nvme, FileRecord, Findings, FormatMatch,
    InstitutionId, Manifest, MemberKind, ObjectIdentifier, ObjectKey, ObjectRecord, Received,
    SCHEMA_VERSION, Stamp, StorageTarget, StoredCopy, Tar, UnstableReads, VerificationMethod,
    WorkItemId,
};

pub fn manifest(algorithm: Algorithm) -> Manifest {
    Manifest {
        path: format!("manifest-{algorithm}.txt"),
        algorithm,
        of_tags: false,
        tar_offset: 0,
        size: 100,
        crc64nvme: None,
    }
}

pub fn tag_manifest(algorithm: Algorithm) -> Manifest {
    Manifest {
        path: format!("tagmanifest-{algorithm}.txt"),
        of_tags: true,
        ..manifest(algorithm)
    }
}

/// Work item 12, of the upload that [`object`] is of: pending at Receive.
pub fn item() -> WorkItem {
    serde_json::from_value(serde_json::json!({
        "id": 12,
        "name": "photos.tar",
        "etag": "0123456789abcdef0123456789abcdef",
        "institution_id": 3,
        "institution_identifier": "test.edu",
        "bucket": "receiving.test.edu",
        "user": "system@muniment.org",
        "action": "Ingest",
        "stage": "Receive",
        "status": "Pending",
        "bag_date": "1970-01-01T00:00:00Z",
        "size": 2048,
    }))
    .expect("a work item")
}

/// The record of `test.edu/photos`, work item 12.
pub fn object(manifests: Vec<Manifest>) -> ObjectRecord {
    ObjectRecord {
        schema: SCHEMA_VERSION,
        item: WorkItemId(12),
        institution_id: InstitutionId(3),
        institution: "test.edu".to_owned(),
        bag_name: "photos".to_owned(),
        identifier: ObjectIdentifier::new("test.edu", "photos"),
        tar: Tar {
            bucket: BucketName::new("receiving.test.edu").expect("a bucket name"),
            key: ObjectKey::new("photos.tar").expect("a key"),
            etag: "0123456789abcdef0123456789abcdef".to_owned(),
            size: 2_048,
            last_modified: DateTime::UNIX_EPOCH,
            crc64nvme: None,
        },
        stamp: Stamp::ReingestChecked,
        received: Some(Received {
            folder: "photos".to_owned(),
            batches: 1,
            files: 5,
            payload_files: 1,
            payload_bytes: 5,
            has_payload_folder: true,
            crc64nvme: Crc64Nvme(0),
            confirmed: true,
            findings: Findings::default(),
            manifests,
            tag_files: Vec::new(),
            unknown_manifests: Vec::new(),
            fetch_offset: None,
        }),
        findings: Findings::default(),
        metadata: Some(BagMetadata {
            title: "Photos".to_owned(),
            ..BagMetadata::default()
        }),
        registered: None,
        storing_since: None,
        recorded_id: Some(7),
        saved: None,
        unstable_reads: UnstableReads::default(),
    }
}

/// A file of five bytes with confirmed copies in `targets`.
pub fn file(path: &str, kind: MemberKind, targets: &[StorageTarget]) -> FileRecord {
    FileRecord {
        schema: SCHEMA_VERSION,
        path: path.to_owned(),
        kind,
        size: 5,
        tar_offset: 512,
        data_offset: 1_024,
        header: String::new(),
        modified_at: None,
        digests: Some(muniment_digest::digest(b"hello")),
        format: Some(FormatMatch {
            media_type: "text/plain".to_owned(),
            basis: "extension".to_owned(),
        }),
        digested_at: Some(DateTime::UNIX_EPOCH),
        staged_etag: None,
        repeated: false,
        registered: None,
        copies: targets
            .iter()
            .map(|target| StoredCopy {
                target: *target,
                stored_at: DateTime::UNIX_EPOCH,
                verified_at: Some(DateTime::UNIX_EPOCH),
                verification_method: Some(VerificationMethod::Carried),
            })
            .collect(),
    }
}
