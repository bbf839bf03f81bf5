use std::collections::HashMap;

use muniment_model::{BucketAddress, BucketName, ObjectKey};
use muniment_objects::ObjectAddress;
use muniment_testkit::records;

use super::*;

fn tar() -> ObjectAddress {
    ObjectAddress {
        bucket: BucketAddress {
            endpoint: "127.0.0.1:9".to_owned(),
            bucket: BucketName::new("receiving.test.edu").expect("a bucket name"),
        }
        .into(),
        key: ObjectKey::new("photos.tar").expect("a key"),
    }
}

#[test]
fn an_upload_is_known_by_its_second() {
    let at = |millis| DateTime::from_timestamp_millis(millis).expect("a time");
    let rows = [
        (Some(at(1_000)), at(1_000), true),
        (Some(at(1_000)), at(1_999), true),
        (Some(at(1_000)), at(2_000), false),
        (None, at(1_000), false),
    ];

    for (ours, theirs, same) in rows {
        assert_eq!(same_second(ours, theirs), same, "{ours:?} {theirs}");
    }
}

#[test]
fn an_upload_that_is_gone_or_replaced_cancels_and_says_which() {
    let rows = [
        (
            StorageError::NotFound(tar()),
            "is no longer in receiving.test.edu",
        ),
        (
            StorageError::Superseded(tar()),
            "was replaced by a newer upload",
        ),
    ];

    for (error, expected) in rows {
        let JobError::Cancel { note } = explain_read(&records::item(), error) else {
            panic!("{expected}");
        };
        assert!(note.starts_with("photos.tar "), "{note}");
        assert!(note.contains(expected), "{note}");
    }
}

#[test]
fn any_other_trouble_is_not_the_depositors() {
    let told_to_stop = explain_read(&records::item(), StorageError::Stopped);
    let damaged = explain_read(&records::item(), StorageError::DamagedOnTheWay(tar()));

    assert!(matches!(told_to_stop, JobError::Stopped));
    assert!(matches!(damaged, JobError::Retry { .. }));
}

#[test]
fn a_replaced_upload_names_the_newer_one() {
    let newer = Head {
        size: 5,
        etag: "abc".to_owned(),
        last_modified: DateTime::from_timestamp(0, 0).expect("a time"),
        version_id: None,
        has_versions: false,
        crc64nvme: None,
        content_type: "application/x-tar".to_owned(),
        metadata: HashMap::new(),
    };

    let note = replaced_note(&records::item(), Some(&newer));

    assert!(
        note.contains("the upload of 1970-01-01T00:00:00Z (etag abc)"),
        "{note}"
    );
}

#[test]
fn an_item_that_names_no_upload_is_a_fault_of_ours() {
    let nameless = WorkItem {
        name: String::new(),
        ..records::item()
    };

    assert!(place_of(&records::item()).is_ok());
    assert!(matches!(place_of(&nameless), Err(JobError::Halt { .. })));
}
