use muniment_model::{BucketAddress, BucketName};
use muniment_objects::ObjectAddress;

use super::*;

#[test]
fn a_failed_copy_makes_us_look_at_what_is_staged_unless_the_target_is_to_blame() {
    let object = || ObjectAddress {
        bucket: BucketAddress {
            endpoint: "127.0.0.1:9".to_owned(),
            bucket: BucketName::new("staging").expect("a bucket name"),
        }
        .into(),
        key: ObjectKey::new("12/a").expect("a key"),
    };
    let wrong_size = StorageError::WrongSize {
        object: object(),
        expected: 1,
        found: 2,
    };
    let rows = [
        (StorageError::NotFound(object()), true),
        (StorageError::Superseded(object()), true),
        (StorageError::DamagedOnTheWay(object()), true),
        (wrong_size, true),
        (StorageError::AlreadyThere(object()), false),
        (StorageError::NoBucket(object().bucket), false),
    ];

    for (error, expected) in rows {
        let text = error.to_string();
        let explained = explain(error, "data/a.txt");
        let suspect = matches!(explained, Unstored::Suspect(_));
        assert_eq!(suspect, expected, "{text}");
    }
    let taken = explain(StorageError::AlreadyThere(object()), "data/a.txt");
    let Unstored::Job(JobError::Halt { note }) = taken else {
        panic!("{taken:?}");
    };
    assert!(note.contains("data/a.txt"), "{note}");
    assert!(note.contains("Nothing was overwritten"), "{note}");
}
