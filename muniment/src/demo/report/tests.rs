use muniment_model::StorageOption;

use super::*;

const REJECTED: Expected = Expected::Rejected(&["required manifest 'md5'"]);
const ACCEPTED: Expected = Expected::Accepted(StorageOption::WasabiTx);

#[test]
fn each_way_a_deposit_can_end_is_judged() {
    let note = "Bag is missing required manifest 'md5'";
    let wasabi = StorageOption::WasabiTx;
    let rows = [
        (
            "accepted",
            played(ACCEPTED, Status::Success, "", Some(wasabi)),
            None,
        ),
        (
            "accepted elsewhere",
            played(ACCEPTED, Status::Success, "", Some(StorageOption::Standard)),
            Some("stored as Standard instead of Wasabi-TX"),
        ),
        (
            "not recorded",
            played(ACCEPTED, Status::Success, "", None),
            Some("its object is not recorded"),
        ),
        (
            "rejected against expectation",
            played(ACCEPTED, Status::Failed, note, None),
            Some("it should be accepted and is Failed"),
        ),
        (
            "rejected",
            played(REJECTED, Status::Failed, note, None),
            None,
        ),
        (
            "rejected for another reason",
            played(REJECTED, Status::Failed, "tired", None),
            Some("its findings do not say"),
        ),
        (
            "accepted against expectation",
            played(REJECTED, Status::Success, "", Some(wasabi)),
            Some("it should be rejected and is Success"),
        ),
        (
            "rejected and recorded",
            played(REJECTED, Status::Failed, note, Some(wasabi)),
            Some("it is recorded all the same"),
        ),
    ];

    for (name, played, expected) in rows {
        let fault = played.fault();
        match expected {
            None => assert_eq!(fault, None, "{name}"),
            Some(text) => assert!(fault.is_some_and(|fault| fault.contains(text)), "{name}"),
        }
    }
}

#[test]
fn what_never_ended_is_not_right() {
    let mut stuck = played(ACCEPTED, Status::Pending, "", None);
    stuck.item = None;

    let verdict = verdict(&[stuck], Duration::from_secs(5));

    assert_eq!(verdict.outcome, Outcome::NotAll);
    assert!(verdict.text.contains("had not ended"), "{}", verdict.text);
}

#[test]
fn every_finding_of_a_rejected_bag_has_its_line() {
    let bad = played(REJECTED, Status::Failed, "first; second; and 3 more", None);
    let good = played(ACCEPTED, Status::Success, "fine", None);

    let text = findings(&[bad, good]);

    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(
        lines,
        ["  bag", "    first", "    second", "    and 3 more"]
    );
}

fn played(
    expected: Expected,
    status: Status,
    note: &str,
    stored_as: Option<StorageOption>,
) -> Played {
    Played {
        name: "bag".to_owned(),
        institution: "test.edu",
        expected,
        item: Some(item(status, note)),
        object: stored_as.map(object),
        tar_files: None,
        tar_bytes: 10_240,
        took: Duration::from_secs(1),
    }
}

fn item(status: Status, note: &str) -> WorkItem {
    serde_json::from_value(serde_json::json!({
        "name": "bag.tar", "etag": "e", "institution_id": 1, "bucket": "receiving.test.edu",
        "user": "system@muniment.org", "action": "Ingest", "stage": "Cleanup",
        "status": status, "note": note,
    }))
    .expect("an item")
}

fn object(stored_as: StorageOption) -> IntellectualObject {
    serde_json::from_value(serde_json::json!({
        "title": "Papers", "identifier": "test.edu/bag", "access": "institution",
        "institution_id": 1, "state": "A", "storage_option": stored_as,
    }))
    .expect("an object")
}
