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
        received: None,
        findings: Findings::default(),
        metadata: None,
        registered: None,
        storing_since: None,
        recorded_id: None,
        saved: None,
        doubt: None,
        readings_doubted: 0,
    }
}

#[test]
fn a_reading_is_believed_when_a_second_one_says_the_same() {
    let mut object = object();

    assert_eq!(
        object.doubt_reading("cut at 512".to_owned()),
        Doubt::ReadAgain
    );
    assert_eq!(
        object.doubt_reading("cut at 512".to_owned()),
        Doubt::Believed
    );
}

#[test]
fn readings_that_all_differ_blame_nobody_and_end() {
    let mut object = object();

    for n in 1..READINGS_DOUBTED_MAX {
        assert_eq!(
            object.doubt_reading(format!("cut at {n}")),
            Doubt::ReadAgain
        );
    }
    assert_eq!(
        object.doubt_reading("cut at 99".to_owned()),
        Doubt::Unstable
    );
}

#[test]
fn a_record_survives_its_json_form() {
    let json = serde_json::to_string(&object()).expect("writes");

    assert_eq!(
        serde_json::from_str::<ObjectRecord>(&json).expect("reads"),
        object()
    );
}
