use muniment_model::{Action, InstitutionId, Stage, Status, StorageOption, WorkItemId};

use super::*;

fn work_item() -> WorkItem {
    serde_json::from_value(serde_json::json!({
        "id": 7, "name": "a.tar", "etag": "e", "institution_id": 3, "bucket": "b",
        "user": "u@test.edu", "action": "Ingest", "stage": "Receive", "status": "Pending",
        "bag_date": "2026-01-05T10:00:00Z"
    }))
    .unwrap()
}

fn intellectual_object(state: RecordState) -> IntellectualObject {
    serde_json::from_value(serde_json::json!({
        "id": 12, "title": "t", "identifier": "test.edu/a", "access": "consortia",
        "institution_id": 3, "state": state, "storage_option": "Standard", "work_item_id": 7,
        "created_at": "2026-01-05T10:00:00Z"
    }))
    .unwrap()
}

#[test]
fn what_makes_an_item_this_uploads_cannot_change() {
    let stored = work_item();
    let immutable = |field| Err(RuleError::Immutable { field });
    let change = |edit: fn(&mut WorkItem)| {
        let mut wanted = work_item();
        edit(&mut wanted);
        item(&stored, &wanted)
    };
    let rows = [
        ("nothing", change(|_| {}), Ok(())),
        ("stage", change(|item| item.stage = Stage::Cleanup), Ok(())),
        (
            "status",
            change(|item| item.status = Status::Success),
            Ok(()),
        ),
        (
            "object 0 to n",
            change(|item| item.intellectual_object_id = 5),
            Ok(()),
        ),
        (
            "file 0 to n",
            change(|item| item.generic_file_id = 5),
            Ok(()),
        ),
        (
            "name",
            change(|item| item.name.push('x')),
            immutable("name"),
        ),
        (
            "etag",
            change(|item| item.etag.push('x')),
            immutable("etag"),
        ),
        (
            "bucket",
            change(|item| item.bucket.push('x')),
            immutable("bucket"),
        ),
        (
            "date",
            change(|item| item.bag_date = None),
            immutable("bag_date"),
        ),
        (
            "action",
            change(|item| item.action = Action::Delete),
            immutable("action"),
        ),
        (
            "institution",
            change(|item| item.institution_id = InstitutionId(4)),
            Err(RuleError::Mismatch),
        ),
    ];

    for (name, result, expected) in rows {
        assert_eq!(result, expected, "{name}");
    }
}

#[test]
fn a_reference_is_filled_in_once() {
    let rows = [
        (0, 0, true),
        (0, 5, true),
        (5, 5, true),
        (5, 6, false),
        (5, 0, false),
    ];

    for (stored, wanted, allowed) in rows {
        assert_eq!(may_become(stored, wanted), allowed, "{stored} to {wanted}");
    }
}

#[test]
fn a_version_is_compared_only_when_it_is_named() {
    assert_eq!(version(3, None), Ok(()));
    assert_eq!(version(3, Some(3)), Ok(()));
    assert_eq!(
        version(3, Some(2)),
        Err(RuleError::VersionDiffers { sent: 2, stored: 3 })
    );
}

#[test]
fn the_storage_option_is_kept_while_the_object_is_active() {
    let rows = [
        (RecordState::Active, StorageOption::Standard),
        (RecordState::Deleted, StorageOption::WasabiVa),
    ];

    for (state, expected) in rows {
        let stored = intellectual_object(state);
        let mut wanted = intellectual_object(RecordState::Active);
        wanted.storage_option = StorageOption::WasabiVa;
        wanted.created_at = None;
        let next = object(&stored, &wanted).unwrap();
        assert_eq!(next.storage_option, expected, "{state}");
        assert_eq!(next.state, RecordState::Active, "{state}");
        assert_eq!(next.created_at, stored.created_at, "{state}");
    }
}

#[test]
fn an_update_that_names_no_work_item_leaves_the_last_one() {
    let mut wanted = intellectual_object(RecordState::Active);
    wanted.work_item_id = WorkItemId(0);

    let next = object(&intellectual_object(RecordState::Active), &wanted).unwrap();

    assert_eq!(next.work_item_id, WorkItemId(7));
}

#[test]
fn an_object_keeps_its_identifier_and_institution() {
    let stored = intellectual_object(RecordState::Active);
    let mut renamed = stored.clone();
    renamed.identifier.push('x');
    let mut moved = stored.clone();
    moved.institution_id = InstitutionId(4);

    let field = "identifier";
    assert_eq!(
        object(&stored, &renamed),
        Err(RuleError::Immutable { field })
    );
    assert_eq!(object(&stored, &moved), Err(RuleError::Mismatch));
}
