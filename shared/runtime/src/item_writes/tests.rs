use muniment_model::{Action, InstitutionId, WorkItemId};

use super::*;

pub(crate) fn item() -> WorkItem {
    WorkItem {
        id: WorkItemId(12),
        created_at: None,
        updated_at: None,
        name: "photos.tar".to_owned(),
        etag: "0123456789abcdef0123456789abcdef".to_owned(),
        institution_id: InstitutionId(1),
        intellectual_object_id: 0,
        generic_file_id: 0,
        bucket: "receiving.test.edu".to_owned(),
        user: "system@muniment.org".to_owned(),
        note: String::new(),
        action: Action::Ingest,
        stage: Stage::Store,
        status: Status::Started,
        outcome: String::new(),
        bag_date: None,
        date_processed: None,
        retry: true,
        node: "host".to_owned(),
        pid: 7,
        needs_admin_review: false,
        queued_at: None,
        size: 2_048,
        stage_started_at: None,
        aptrust_approver: String::new(),
        inst_approver: String::new(),
        deletion_request_id: 0,
        version: 3,
        intended_status: None,
        institution_identifier: String::new(),
        object_identifier: String::new(),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

#[test]
fn no_ending_leaves_an_item_started_or_held() {
    let end = Final {
        status: Status::Success,
        outcome: "Ingest complete".to_owned(),
        note: None,
        object_id: 5,
    };
    let rows = [
        advanced(&item(), Stage::Record, None, "ok", now()),
        ending_in(&item(), Status::Failed, "bad", now()),
        ended(&item(), &end, now()),
        suspended(&item(), "look", now()),
        retrying(&item(), "reset", (1, 3), now(), now()),
        waiting(&item(), "item 7 first", now()),
        pending(&item(), now()),
    ];

    for written in rows {
        assert_ne!(written.status, Status::Started, "{written:?}");
        assert_eq!((written.node.as_str(), written.pid), ("", 0), "{written:?}");
        assert_eq!(written.version, 3, "the version is what If-Match compares");
    }
}

#[test]
fn a_rejection_is_written_as_an_intention_before_it_is_cleaned() {
    let written = ending_in(&item(), Status::Failed, "bad manifest", now());

    assert_eq!(written.stage, Stage::Cleanup);
    assert_eq!(written.status, Status::Pending);
    assert_eq!(written.intended_status, Some(Status::Failed));
    assert_eq!(written.outcome, OUTCOME_FAILED);
    assert_eq!(written.note, "bad manifest");
}

#[test]
fn a_suspended_item_asks_for_review_and_is_not_retried() {
    let written = suspended(&item(), "a copy is missing", now());

    assert_eq!(written.stage, Stage::Store);
    assert!(written.needs_admin_review);
    assert!(!written.retry);
}

#[test]
fn a_retry_says_when_the_next_try_is() {
    let written = retrying(&item(), "connection reset", (1, 3), now(), now());

    assert_eq!(
        written.note,
        "connection reset (attempt 1 of 3, next try at 1970-01-01T00:00:00Z)"
    );
}

#[test]
fn the_reason_of_a_rejection_is_not_written_over_when_it_is_cleaned() {
    let holder = Holder {
        node: "host".to_owned(),
        pid: 7,
    };
    let rejected = ending_in(&item(), Status::Failed, "bad manifest", now());

    let retried = retrying(&rejected, "connection reset", (1, 5), now(), now());
    let retried_again = retrying(&retried, "timed out", (2, 5), now(), now());
    let end = Final {
        status: Status::Failed,
        outcome: OUTCOME_FAILED.to_owned(),
        note: None,
        object_id: 0,
    };

    assert_eq!(started(&rejected, &holder, now()).note, "bad manifest");
    assert!(retried.note.starts_with("bad manifest — connection reset"));
    assert!(retried_again.note.starts_with("bad manifest — timed out"));
    assert_eq!(ended(&retried_again, &end, now()).note, "bad manifest");
    assert_eq!(
        started(&item(), &holder, now()).note,
        "Item has started stage Store"
    );
}
