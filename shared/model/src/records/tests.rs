use chrono::DateTime;

use super::*;

fn object() -> ObjectRecord {
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
        stamp: Stamp::Received,
        received: None,
        findings: Findings::default(),
        metadata: None,
        registered: None,
        storing_since: None,
        recorded_id: None,
        saved: None,
        unstable_reads: UnstableReads::default(),
    }
}

#[test]
fn a_record_survives_its_json_form() {
    let json = serde_json::to_string(&object()).expect("writes");

    assert_eq!(
        serde_json::from_str::<ObjectRecord>(&json).expect("reads"),
        object()
    );
}
