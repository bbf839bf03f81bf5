use std::collections::BTreeSet;

use chrono::DateTime;
use muniment_model::{InstitutionId, StorageTarget, WorkItemId};
use muniment_work::{Message, Subject};
use serde_json::{Value, json};

use super::*;
use crate::orders::tests::item;

const FIRST: BatchNumber = BatchNumber(0);

#[test]
fn files_are_counted_in_every_state_that_is_true_of_them() {
    let work = view(&json!({}));
    let mut summary = Summary::new(Some(&item()), &work, 2);

    summary.add(FIRST, &files());
    let summary = summary.finish();

    let of = |target| BTreeMap::from([(target, 1)]);
    let expected = FileCounts {
        records: 6,
        folders: 1,
        digested: 4,
        staged: 3,
        repeated: 1,
        unchanged: 1,
        to_save: 3,
        copies: of(StorageTarget::StandardVa),
        verified: of(StorageTarget::StandardVa),
    };
    assert_eq!(summary.counts, expected);
    assert_eq!(summary.files.len(), 2);
    assert_eq!(summary.files_left_out, 4);
}

#[test]
fn the_state_of_a_file_is_the_furthest_it_has_come_to() {
    let states: Vec<_> = files().iter().map(state_of).collect();

    let expected = [
        "seen",
        "seen",
        "staged",
        "repeated",
        "unchanged",
        "verified",
    ];
    assert_eq!(states, expected);
}

/// 10 of each stored payload file with two manifests (four digests among them), and 4 of the object.
#[test]
fn events_to_come_are_those_of_what_is_not_recorded_yet() {
    let stored = [&files()[5..], &files()[5..]].concat();
    let mut work = view(&json!({}));
    let of = |view: &ItemView| {
        let mut summary = Summary::new(Some(&item()), view, 0);
        summary.add(FIRST, &stored[..1]);
        summary.add(BatchNumber(1), &stored[1..]);
        summary.finish().events
    };

    let all = of(&work);
    let done = BTreeSet::from([FIRST]);
    work.done.insert(QueueName::IngestRecorder, done);
    let half = of(&work);
    let recorded = of(&view(&json!({"recorded_id": 7})));

    assert_eq!((all.total, half.total, recorded.total), (24, 14, 20));
    assert_eq!(all.files.get("message digest calculation"), Some(&8));
    assert_eq!(all.object.get("creation"), Some(&1));
    assert!(all.none_because.is_none());
}

#[test]
fn nothing_is_to_come_of_an_item_that_is_not_to_be_recorded() {
    let ended = WorkItem {
        status: Status::Failed,
        ..item()
    };
    let rejected = WorkItem {
        intended_status: Some(Status::Cancelled),
        ..item()
    };
    let error = json!({"severity": "error", "code": "file_missing", "message": "no a.txt"});
    let faulty = json!({"findings": {"kept": [error]}});
    let unknown = ItemView {
        object: Ok(None),
        ..view(&json!({}))
    };
    let rows = [
        (ended, view(&json!({})), "has ended: Failed"),
        (rejected, view(&json!({})), "is to end as Cancelled"),
        (item(), view(&faulty), "errors in the bag"),
        (item(), unknown, "no record of the object"),
    ];

    for (item, work, expected) in rows {
        let mut summary = Summary::new(Some(&item), &work, 0);
        summary.add(FIRST, &files());
        let events = summary.finish().events;

        let why = events.none_because.expect("a reason");
        assert!(why.contains(expected), "{why}");
        assert_eq!(events.total, 0, "{expected}");
    }
}

#[test]
fn events_may_change_until_the_bag_is_read_and_compared_with_what_is_registered() {
    let at = |stage| WorkItem { stage, ..item() };
    let unread = json!({"received": null});
    let rows = [
        (Some(at(Stage::Store)), json!({}), false),
        (Some(at(Stage::CopyToStaging)), json!({}), false),
        (Some(at(Stage::ReingestCheck)), json!({}), true),
        (Some(at(Stage::Store)), unread, true),
        (None, json!({}), true),
    ];

    for (item, object, expected) in rows {
        let work = view(&object);
        let events = Summary::new(item.as_ref(), &work, 0).finish().events;
        assert_eq!(events.may_change, expected, "{item:?}");
    }
}

#[test]
fn the_holder_is_told_of_the_planner_of_the_stage_alone() {
    let held = WorkItem {
        status: Status::Started,
        node: "host".to_owned(),
        pid: 9,
        ..item()
    };
    let (own, other) = (QueueName::IngestValidator, QueueName::IngestRecorder);
    let rows = [
        (own, None, &held, true),
        (own, Some(FIRST), &held, false),
        (other, None, &held, false),
        (own, None, &item(), false),
    ];

    for (queue, batch, item, expected) in rows {
        let part = of_message(&leased(queue, batch), Some(item));
        let lease = part.lease.expect("is leased");
        assert_eq!(lease.holder.is_some(), expected, "{queue} {batch:?}");
    }
}

fn leased(queue: QueueName, batch: Option<BatchNumber>) -> QueuedMessage {
    QueuedMessage {
        message: Message {
            subject: Subject::Item(WorkItemId(7)),
            queue,
            batch,
            institution: InstitutionId(1),
            size_bytes: 1,
            files: 0,
        },
        attempts: 1,
        vanished: 0,
        vanished_alone: 0,
        state: MessageState::Leased {
            deadline: DateTime::UNIX_EPOCH,
            again: false,
            alone: false,
        },
    }
}

/// Of a bag with two payload manifests, of which pass one has seen all.
fn view(changes: &Value) -> ItemView {
    let manifest = |algorithm| json!({"path": "m", "algorithm": algorithm, "of_tags": false, "tar_offset": 0, "size": 1});
    let mut object = json!({
        "schema": 1,
        "item": 7,
        "institution_id": 1,
        "institution": "test.edu",
        "bag_name": "photos",
        "identifier": "test.edu/photos",
        "tar": {
            "bucket": "receiving.test.edu",
            "key": "photos.tar",
            "etag": "e",
            "size": 10,
            "last_modified": "2023-11-14T22:13:20Z",
        },
        "received": {
            "folder": "photos",
            "batches": 2,
            "files": 2,
            "payload_files": 2,
            "payload_bytes": 2,
            "has_payload_folder": true,
            "crc64nvme": "AAAAAAAAAAA=",
            "confirmed": true,
            "manifests": [manifest("md5"), manifest("sha256")],
        },
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    ItemView {
        object: Ok(Some(serde_json::from_value(object).expect("an object"))),
        checkpoint: Ok(None),
        batches: BTreeMap::new(),
        done: BTreeMap::new(),
        messages: Vec::new(),
    }
}

/// A folder, and a file in each state.
fn files() -> Vec<FileRecord> {
    let digests = json!({
        "md5": "00".repeat(16),
        "sha1": "00".repeat(20),
        "sha256": "00".repeat(32),
        "sha512": "00".repeat(64),
        "crc64nvme": "AAAAAAAAAAA=",
    });
    let then = "2023-11-14T22:13:20Z";
    let copies = json!([{
        "target": "standard-va",
        "stored_at": then,
        "verified_at": then,
    }]);
    let known = json!({"id": 1, "uuid": "00000000-0000-0000-0000-000000000001", "unchanged": true});
    let rows = [
        json!({"kind": "directory"}),
        json!({}),
        json!({"digests": digests, "staged_etag": "e"}),
        json!({"digests": digests, "staged_etag": "e", "repeated": true}),
        json!({"digests": digests, "registered": known}),
        json!({"digests": digests, "staged_etag": "e", "copies": copies}),
    ];
    rows.iter().map(file).collect()
}

fn file(changes: &Value) -> FileRecord {
    let mut file = json!({
        "schema": 1,
        "path": "data/a",
        "kind": "payload",
        "size": 1,
        "tar_offset": 0,
        "data_offset": 512,
        "header": "",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        file[name] = value.clone();
    }
    serde_json::from_value(file).expect("a file")
}
