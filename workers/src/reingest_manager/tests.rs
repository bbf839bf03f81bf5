use chrono::DateTime;
use muniment_model::registry::{Checksum, StorageRecord};
use muniment_model::{InstitutionId, StorageOption};
use uuid::Uuid;

use super::*;

fn row(checksums: &[(Algorithm, &str)]) -> GenericFile {
    GenericFile {
        id: 9,
        created_at: None,
        updated_at: None,
        file_format: "text/plain".to_owned(),
        size: 5,
        identifier: "test.edu/photos/data/a.txt".to_owned(),
        intellectual_object_id: 7,
        state: RecordState::Active,
        last_fixity_check: None,
        institution_id: InstitutionId(3),
        storage_option: StorageOption::Standard,
        uuid: Uuid::from_u128(2),
        mtime: None,
        premis_events: Vec::new(),
        checksums: checksums
            .iter()
            .map(|(algorithm, digest)| Checksum {
                id: 0,
                algorithm: *algorithm,
                datetime: None,
                digest: (*digest).to_owned(),
                generic_file_id: 9,
                created_at: None,
                updated_at: None,
                version: Some(Uuid::from_u128(2)),
                superseded_at: None,
            })
            .collect(),
        storage_records: vec![StorageRecord {
            id: 1,
            generic_file_id: 9,
            url: "https://s3.example/a".to_owned(),
            superseded_at: None,
            version: Some(Uuid::from_u128(2)),
        }],
    }
}

/// Bytes may go from A to B and back to A: then the digest of B has the later date, and is not what the
/// file has.
#[test]
fn a_digest_of_a_former_version_decides_nothing_whatever_its_date() {
    let (present, former) = (b"A", b"B");
    let hex = |bytes: &[u8]| muniment_digest::digest(bytes).hex(Algorithm::Sha512);
    let (of_present, of_former) = (hex(present), hex(former));
    let mut file = row(&[
        (Algorithm::Sha512, &of_present),
        (Algorithm::Sha512, &of_former),
    ]);
    file.checksums[0].datetime = Some(DateTime::UNIX_EPOCH);
    file.checksums[1].datetime = DateTime::from_timestamp(60, 0);
    file.checksums[1].version = Some(Uuid::from_u128(1));
    let mut overwritten = file.clone();
    overwritten.checksums[1].version = Some(file.uuid);
    overwritten.checksums[1].superseded_at = DateTime::from_timestamp(90, 0);

    for row in [file, overwritten] {
        assert!(has_same_bytes(&row, &muniment_digest::digest(present)));
        assert!(!has_same_bytes(&row, &muniment_digest::digest(former)));
    }
}

#[test]
fn z20_the_strongest_recorded_digest_decides() {
    let digests = muniment_digest::digest(b"hello");
    let sha512 = digests.hex(Algorithm::Sha512);
    let md5 = digests.hex(Algorithm::Md5);
    let rows = [
        (
            "same sha512",
            vec![(Algorithm::Sha512, sha512.as_str())],
            true,
        ),
        ("same md5 only", vec![(Algorithm::Md5, md5.as_str())], true),
        (
            "same md5, other sha512",
            vec![(Algorithm::Md5, md5.as_str()), (Algorithm::Sha512, "00")],
            false,
        ),
        ("nothing recorded", vec![], false),
    ];

    for (name, checksums, expected) in rows {
        assert_eq!(
            has_same_bytes(&row(&checksums), &digests),
            expected,
            "{name}"
        );
    }
}

#[test]
fn our_own_earlier_attempt_is_not_an_older_version() {
    let first = row(&[]);
    let mut replacement = row(&[]);
    replacement.storage_records[0].superseded_at = Some(DateTime::UNIX_EPOCH);

    assert_eq!(of_earlier_attempt(&first), None);
    assert!(
        of_earlier_attempt(&replacement).is_some_and(|file| !file.unchanged),
        "an attempt that replaced an older version is still a replacement"
    );
}

#[test]
fn a_deleted_file_is_stored_again_even_if_its_bytes_are_the_same() {
    let digests = muniment_digest::digest(b"hello");
    let sha512 = digests.hex(Algorithm::Sha512);
    let deleted = GenericFile {
        state: RecordState::Deleted,
        ..row(&[(Algorithm::Sha512, &sha512)])
    };

    assert!(!of_older_version(&deleted, &digests).unchanged);
}
