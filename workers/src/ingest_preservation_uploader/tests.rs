use muniment_model::{BucketAddress, BucketName};
use muniment_objects::ObjectAddress;

use super::*;

#[test]
fn what_a_failed_copy_means_names_the_file_and_what_to_do() {
    let object = || ObjectAddress {
        bucket: BucketAddress {
            endpoint: "127.0.0.1:9".to_owned(),
            bucket: BucketName::new("staging").expect("a bucket name"),
        }
        .into(),
        key: ObjectKey::new("12/a").expect("a key"),
    };
    let rows = [
        (
            StorageError::NotFound(object()),
            "Requeue the item at Copy To Staging",
        ),
        (
            StorageError::AlreadyThere(object()),
            "Nothing was overwritten",
        ),
    ];

    for (error, expected) in rows {
        let JobError::Halt { note } = explain(error, "data/a.txt") else {
            panic!("{expected}");
        };
        assert!(note.contains("data/a.txt"), "{note}");
        assert!(note.contains(expected), "{note}");
    }
    let damaged = explain(StorageError::DamagedOnTheWay(object()), "data/a.txt");
    assert!(matches!(damaged, JobError::Retry { .. }), "{damaged:?}");
}
