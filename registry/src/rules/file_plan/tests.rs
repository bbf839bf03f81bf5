use super::*;

const OLD: Uuid = Uuid::from_u128(1);
const NEW: Uuid = Uuid::from_u128(2);

fn wanted(id: i64, uuid: Uuid) -> GenericFile {
    serde_json::from_value(serde_json::json!({
        "id": id, "file_format": "text/plain", "size": 5, "identifier": "test.edu/a/data/b",
        "intellectual_object_id": 12, "state": "A", "institution_id": 3,
        "storage_option": "Wasabi-VA", "uuid": uuid
    }))
    .unwrap()
}

fn stored(state: RecordState) -> Stored {
    Stored {
        id: 9,
        identifier: "test.edu/a/data/b".to_owned(),
        object_id: 12,
        uuid: OLD,
        size: 5,
        state,
        storage_option: StorageOption::Standard,
    }
}

#[test]
fn what_is_there_is_left_alone_and_only_a_named_row_is_replaced() {
    let replace = |storage_option, is_new_version| {
        Ok(Plan::Replace {
            id: 9,
            storage_option,
            is_new_version,
        })
    };
    let taken = || {
        Err(RuleError::Taken {
            what: "identifier".to_owned(),
        })
    };
    let active = stored(RecordState::Active);
    let deleted = stored(RecordState::Deleted);
    let rows = [
        ("new", wanted(0, NEW), None, Ok(Plan::Insert)),
        (
            "again",
            wanted(0, OLD),
            Some(&active),
            Ok(Plan::Keep { id: 9 }),
        ),
        (
            "another file's name",
            wanted(0, NEW),
            Some(&active),
            taken(),
        ),
        (
            "changed",
            wanted(9, NEW),
            Some(&active),
            replace(StorageOption::Standard, true),
        ),
        (
            "changed, again",
            wanted(9, OLD),
            Some(&active),
            replace(StorageOption::Standard, false),
        ),
        (
            "deleted, coming back",
            wanted(9, NEW),
            Some(&deleted),
            replace(StorageOption::WasabiVa, true),
        ),
        ("unknown id", wanted(9, NEW), None, Err(RuleError::Mismatch)),
        (
            "another row's id",
            wanted(8, NEW),
            Some(&active),
            Err(RuleError::Mismatch),
        ),
    ];

    for (name, wanted, stored, expected) in rows {
        assert_eq!(plan(&wanted, stored), expected, "{name}");
    }
}

#[test]
fn a_file_stays_in_its_object() {
    let mut moved = wanted(9, NEW);
    moved.intellectual_object_id = 13;

    assert_eq!(
        plan(&moved, Some(&stored(RecordState::Active))),
        Err(RuleError::Immutable {
            field: "intellectual_object_id"
        })
    );
}

#[test]
fn counters_follow_active_files_and_tell_payload_by_path() {
    let file = |identifier, state, size| Counted {
        object_identifier: "test.edu/a",
        identifier,
        state,
        size,
    };
    let mut tally = Tally::default();

    tally.add(file("test.edu/a/data/b", RecordState::Active, 5));
    tally.add(file("test.edu/a/bag-info.txt", RecordState::Active, 7));
    tally.add(file("test.edu/a/database", RecordState::Active, 1));
    tally.add(file("test.edu/a/data/deleted", RecordState::Deleted, 100));
    tally.remove(file("test.edu/a/data/b", RecordState::Active, 2));

    assert_eq!(
        tally,
        Tally {
            files: 2,
            bytes: 11,
            payload_files: 0,
            payload_bytes: 3
        }
    );
}
