use std::collections::BTreeSet;

use muniment_model::{RegisteredFile, RegisteredObject, StorageOption, StorageTarget};

use super::*;
use muniment_testkit::records::{file, manifest, object, tag_manifest};

const NAMESPACE: Namespace = Namespace(Uuid::from_u128(7));
const BOTH: [StorageTarget; 2] = [StorageTarget::StandardVa, StorageTarget::StandardOr];

fn events_of(object: &ObjectRecord, file: &FileRecord) -> Vec<PremisEvent> {
    let events = Events {
        namespace: NAMESPACE,
        object,
        object_id: 7,
        now: DateTime::UNIX_EPOCH,
    };
    let urls: Vec<String> = file
        .copies
        .iter()
        .map(|copy| format!("https://s3.example/{}", copy.target))
        .collect();
    let digests = file.digests.expect("a digested file");
    let kept = Kept {
        uuid: Uuid::from_u128(1),
        urls,
    };
    events.of_file(file, &digests, &kept)
}

#[test]
fn a_file_has_the_events_of_the_contract() {
    let two = vec![
        manifest(Algorithm::Md5),
        manifest(Algorithm::Sha256),
        tag_manifest(Algorithm::Sha256),
    ];
    let known = RegisteredFile {
        id: 1,
        uuid: Uuid::from_u128(2),
        unchanged: false,
    };
    let payload = file("data/a.txt", MemberKind::Payload, &BOTH);
    let rows = [
        ("payload, Standard, two manifests", payload.clone(), 10),
        (
            "tag file, Standard",
            file("bag-info.txt", MemberKind::Tag, &BOTH),
            8,
        ),
        (
            "payload, Glacier, two manifests",
            file("data/a.txt", MemberKind::Payload, &BOTH[..1]),
            9,
        ),
        (
            "payload, Standard, changed by a re-ingest",
            FileRecord {
                registered: Some(known),
                ..payload
            },
            8,
        ),
    ];

    for (name, file, expected) in rows {
        assert_eq!(
            events_of(&object(two.clone()), &file).len(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn no_two_events_of_a_file_share_an_identifier_and_a_repetition_shares_all() {
    let object = object(vec![manifest(Algorithm::Md5)]);
    let file = file("data/a.txt", MemberKind::Payload, &BOTH);

    let first = events_of(&object, &file);
    let again = events_of(&object, &file);

    let identifiers: BTreeSet<_> = first.iter().map(|event| event.identifier).collect();
    assert_eq!(identifiers.len(), first.len());
    assert_eq!(first, again);
}

/// The primary copy was lost before it was confirmed, and made again after the other.
#[test]
fn a_copy_that_is_made_again_swaps_no_times() {
    let object = object(Vec::new());
    let mut in_order = file("data/a.txt", MemberKind::Payload, &BOTH);
    let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
    in_order.copies[0].stored_at = at(30);
    in_order.copies[1].stored_at = at(20);
    let mut made_again = in_order.clone();
    made_again.copies.reverse();

    for record in [in_order, made_again] {
        let events = events_of(&object, &record);

        let time_of = |event_type, detail: &str| {
            let mut found = events.iter();
            let found = found.find(|event| {
                event.event_type == event_type && event.outcome_detail.contains(detail)
            });
            found.and_then(|event| event.date_time)
        };
        assert_eq!(time_of(EventType::Ingestion, "md5:"), Some(at(20)));
        assert_eq!(time_of(EventType::Replication, "https://"), Some(at(30)));
        let primary_url = time_of(EventType::IdentifierAssignment, "https://");
        assert_eq!(primary_url, Some(at(30)));
    }
}

#[test]
fn an_object_has_four_events_at_first_and_two_again() {
    let first = object(Vec::new());
    let again = ObjectRecord {
        registered: Some(RegisteredObject {
            id: 7,
            storage_option: StorageOption::Standard,
        }),
        ..object(Vec::new())
    };
    let types = |object: &ObjectRecord| {
        let events = Events {
            namespace: NAMESPACE,
            object,
            object_id: 7,
            now: DateTime::UNIX_EPOCH,
        };
        let events = events.of_object("carried");
        events
            .into_iter()
            .map(|event| event.event_type.as_str())
            .collect::<Vec<_>>()
    };

    assert_eq!(
        types(&first),
        [
            "creation",
            "identifier assignment",
            "ingestion",
            "access assignment"
        ]
    );
    assert_eq!(types(&again), ["ingestion", "access assignment"]);
}

#[test]
fn the_libraries_are_named_with_the_versions_that_are_built_in() {
    let lock = include_str!("../../../Cargo.lock");
    let rows = [
        (instrument::STORE, "aws-sdk-s3"),
        (instrument::MD5, "md-5"),
        (instrument::SHA1, "sha1"),
        (instrument::SHA2, "sha2"),
    ];

    for (instrument, library) in rows {
        let version = instrument.rsplit(' ').next().expect("a version");
        let entry = format!("name = \"{library}\"\nversion = \"{version}\"");
        assert!(lock.contains(&entry), "{instrument}");
    }
}
