use muniment_model::InstitutionId;
use muniment_model::registry::BATCH_MAX;
use muniment_model::registry::checks::TEXT_BYTES_MAX;

use super::*;

fn work_item() -> WorkItem {
    serde_json::from_value(serde_json::json!({
        "name": "a.tar", "etag": "0123456789abcdef0123456789abcdef", "institution_id": 3,
        "bucket": "b", "user": "u@test.edu", "action": "Ingest", "stage": "Receive",
        "status": "Pending", "bag_date": "2026-01-05T10:00:00Z"
    }))
    .unwrap()
}

fn generic_file() -> GenericFile {
    serde_json::from_value(serde_json::json!({
        "file_format": "text/plain", "size": 5, "identifier": "test.edu/a/data/b",
        "intellectual_object_id": 12, "state": "A", "institution_id": 3,
        "storage_option": "Standard", "uuid": "b2a5e0a4-5f0d-4a7e-9a39-2f3b2b6f5c11",
        "checksums": [{"algorithm": "md5", "digest": "0123456789abcdef0123456789abcdef",
                       "datetime": "2026-01-05T10:00:00Z"}],
        "storage_records": [{"url": "https://s3.example.com/b/k"}],
        "premis_events": [{"identifier": "b2a5e0a4-5f0d-4a7e-9a39-2f3b2b6f5c12",
            "event_type": "ingestion", "date_time": "2026-01-05T10:00:00Z", "agent": "a",
            "object": "o", "detail": "d", "outcome": "Success", "outcome_detail": "d",
            "outcome_information": "i"}]
    }))
    .unwrap()
}

fn text(result: Result<(), RuleError>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
}

#[test]
fn every_fault_of_an_item_is_named_in_the_contracts_words() {
    let change = |edit: fn(&mut WorkItem)| {
        let mut changed = work_item();
        edit(&mut changed);
        text(item(&changed))
    };
    let etag = "ETag: ETag is required (32-40 bytes).";
    let user = "User: User must be a valid email address.";
    let rows = [
        (change(|_| {}), "fine"),
        (change(|item| item.name.clear()), "Name: Name is required."),
        (change(|item| item.name = "x".repeat(1_024)), "fine"),
        (
            change(|item| item.name = "x".repeat(1_025)),
            "Name: Name is required.",
        ),
        (change(|item| item.etag = "x".repeat(31)), etag),
        (change(|item| item.etag = "x".repeat(40)), "fine"),
        (change(|item| item.etag = "x".repeat(41)), etag),
        (
            change(|item| item.institution_id = InstitutionId(0)),
            "InstitutionID: InstitutionID is required.",
        ),
        (
            change(|item| item.bucket.clear()),
            "Bucket: Bucket is required.",
        ),
        (change(|item| item.bucket = "x".repeat(1_000)), "fine"),
        (
            change(|item| item.bucket = "x".repeat(1_001)),
            "Bucket: Bucket is required.",
        ),
        (change(|item| item.user = "nobody".to_owned()), user),
        (change(|item| item.user = "a@b@c".to_owned()), user),
        (
            change(|item| item.bag_date = None),
            "BagDate: BagDate is required.",
        ),
        (
            change(|item| item.size = u64::MAX),
            "Size: Size is too large.",
        ),
        (
            change(|item| item.note = "x".repeat(TEXT_BYTES_MAX + 1)),
            "Note: Note is too long.",
        ),
    ];

    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_file_and_its_new_children_are_checked_and_echoed_ones_are_not() {
    let change = |edit: fn(&mut GenericFile)| {
        let mut changed = generic_file();
        edit(&mut changed);
        text(file(&changed, "test.edu/a"))
    };
    let place = "Identifier: Identifier must begin with that of the object";
    let digest = "Digest: Checksum Digest is not one of its algorithm";
    let rows = [
        (change(|_| {}), "fine"),
        (
            change(|file| file.identifier = "test.edu/ab/data/b".to_owned()),
            place,
        ),
        (
            change(|file| file.identifier = "test.edu/a/".to_owned()),
            place,
        ),
        (
            change(|file| file.uuid = uuid::Uuid::nil()),
            "UUID: Valid UUID required",
        ),
        (change(|file| file.checksums[0].digest.truncate(31)), digest),
        (
            change(|file| file.checksums[0].digest.replace_range(0..1, "g")),
            digest,
        ),
        (
            change(|file| file.storage_records[0].url = "k".to_owned()),
            "URL: Storage record requires a valid URL",
        ),
        (
            change(|file| file.premis_events[0].agent.clear()),
            "Agent: Event Agent cannot be empty",
        ),
        (
            change(|file| {
                file.premis_events[0].id = 4;
                file.premis_events[0].agent.clear();
            }),
            "fine",
        ),
    ];

    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_batch_is_bounded_and_names_no_file_twice() {
    let many = |count: usize| {
        let mut files = vec![generic_file(); count];
        for (index, file) in files.iter_mut().enumerate() {
            file.identifier = index.to_string();
        }
        files
    };
    let mut twice = many(3);
    twice[2].identifier = twice[0].identifier.clone();

    assert_eq!(text(batch(&many(BATCH_MAX))), "fine");
    assert_eq!(
        text(batch(&many(BATCH_MAX + 1))),
        "a batch has at most 1000 files, not 1001"
    );
    assert_eq!(
        text(batch(&twice)),
        "file 2 (0): the batch has this identifier twice"
    );
}
