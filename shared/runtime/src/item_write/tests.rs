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
        reason: String::new(),
        institution_identifier: String::new(),
        object_identifier: String::new(),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn end() -> Final {
    Final {
        status: Status::Success,
        outcome: "Ingest complete".to_owned(),
        note: None,
        object_id: 5,
    }
}

fn waiting(note: &str, number: u32) -> ItemWrite {
    let attempt = Attempt {
        number,
        max: 5,
        next_in: Duration::from_mins(1),
    };
    ItemWrite::Waiting {
        note: note.to_owned(),
        attempt: Some(attempt),
    }
}

fn intended(status: Status, reason: &str) -> ItemWrite {
    ItemWrite::Intended {
        at: Stage::Cleanup,
        status,
        reason: reason.to_owned(),
    }
}

#[test]
fn nothing_that_follows_from_a_job_leaves_an_item_started_or_held() {
    let rows = [
        ItemWrite::Moved {
            to: Stage::Record,
            note: "ok".to_owned(),
            intended: None,
        },
        intended(Status::Failed, "bad"),
        ItemWrite::Ended(end()),
        ItemWrite::Suspended {
            note: "look".to_owned(),
        },
        waiting("reset", 1),
        ItemWrite::Freed,
    ];

    for write in rows {
        let written = write.apply(&item(), now());
        assert_ne!(written.status, Status::Started, "{write:?}");
        assert_eq!((written.node.as_str(), written.pid), ("", 0), "{write:?}");
        assert_eq!(written.version, 3, "the version is what If-Match compares");
        assert_eq!(written.date_processed, Some(now()), "{write:?}");
    }
}

#[test]
fn a_start_names_its_holder() {
    let holder = Holder {
        node: "host".to_owned(),
        pid: 9,
    };
    let start = ItemWrite::Started {
        holder: holder.clone(),
    };

    let started = start.apply(&item(), now());

    assert!(holder.holds(&started));
    assert!(!holder.holds(&item()), "another process");
    assert_eq!(started.note, "Item has started stage Store");
}

#[test]
fn an_item_that_goes_on_keeps_what_was_intended() {
    let on = |intended| ItemWrite::Moved {
        to: Stage::Cleanup,
        note: "recorded".to_owned(),
        intended,
    };

    let decided = on(Some(Status::Success)).apply(&item(), now());
    let later = on(None).apply(&decided, now());

    assert_eq!(decided.stage, Stage::Cleanup);
    assert_eq!(later.intended_status, Some(Status::Success));
    assert!(later.retry && !later.needs_admin_review);
}

#[test]
fn a_rejection_is_written_as_an_intention_before_it_is_cleaned() {
    let rows = [
        (Status::Failed, "Ingest failed due to fatal error."),
        (Status::Cancelled, "Ingest cancelled"),
    ];

    for (status, outcome) in rows {
        let written = intended(status, "bad manifest").apply(&item(), now());

        assert_eq!(written.stage, Stage::Cleanup);
        assert_eq!(written.status, Status::Pending);
        assert_eq!(written.intended_status, Some(status));
        assert_eq!(written.outcome, outcome);
        assert_eq!(written.note, "bad manifest");
    }
}

#[test]
fn an_item_ends_where_its_pipeline_ends() {
    let restoration = WorkItem {
        action: Action::RestoreFile,
        stage: Stage::Requested,
        ..item()
    };

    let ingested = ItemWrite::Ended(end()).apply(&item(), now());
    let restored = ItemWrite::Ended(end()).apply(&restoration, now());

    assert_eq!(ingested.stage, Stage::Cleanup);
    assert_eq!(restored.stage, Stage::Resolve);
    assert_eq!((restored.status, restored.retry), (Status::Success, false));
    assert_eq!(restored.intellectual_object_id, 5);
}

#[test]
fn a_suspended_item_asks_for_review_and_is_not_retried() {
    let suspended = ItemWrite::Suspended {
        note: "a copy is missing".to_owned(),
    };

    let written = suspended.apply(&item(), now());

    assert_eq!(written.stage, Stage::Store);
    assert!(written.needs_admin_review);
    assert!(!written.retry);
}

#[test]
fn a_retry_says_when_the_next_try_is() {
    let written = waiting("connection reset", 1).apply(&item(), now());

    assert_eq!(
        written.note,
        "connection reset (attempt 1 of 5, next try at 1970-01-01T00:01:00Z)"
    );
}

#[test]
fn the_reason_of_a_rejection_is_not_written_over_when_it_is_cleaned() {
    let start = ItemWrite::Started {
        holder: Holder {
            node: "host".to_owned(),
            pid: 7,
        },
    };
    let failed = Final {
        status: Status::Failed,
        outcome: "Ingest failed due to fatal error.".to_owned(),
        note: None,
        object_id: 0,
    };
    let rejected = intended(Status::Failed, "bad manifest").apply(&item(), now());

    let retried = waiting("connection reset", 1).apply(&rejected, now());
    let retried_again = waiting("timed out", 2).apply(&retried, now());
    let ended = ItemWrite::Ended(failed).apply(&retried_again, now());

    assert_eq!(start.apply(&rejected, now()).note, "bad manifest");
    assert!(retried.note.starts_with("bad manifest — connection reset"));
    assert!(retried_again.note.starts_with("bad manifest — timed out"));
    assert_eq!(ended.note, "bad manifest");
}

/// File names hold any text: `letter — 1912.txt` hid its own finding and the next one.
#[test]
fn a_reason_with_a_dash_in_it_is_kept_whole() {
    let reason = "data/letter — 1912.txt has other bytes; data/b.txt is missing";
    let holder = Holder {
        node: "host".to_owned(),
        pid: 7,
    };
    let start = ItemWrite::Started { holder };
    let suspended = ItemWrite::Suspended {
        note: "staging refuses — look".to_owned(),
    };
    let failed = Final {
        status: Status::Failed,
        outcome: "Ingest failed due to fatal error.".to_owned(),
        note: None,
        object_id: 0,
    };
    let rejected = intended(Status::Failed, reason).apply(&item(), now());

    let started = start.apply(&rejected, now());
    let retried = waiting("timed out — again", 2).apply(&started, now());
    let asked = suspended.apply(&start.apply(&retried, now()), now());
    let ended = ItemWrite::Ended(failed).apply(&start.apply(&asked, now()), now());

    assert_eq!(
        (started.note.as_str(), started.reason.as_str()),
        (reason, reason)
    );
    assert!(
        retried
            .note
            .starts_with(&format!("{reason} — timed out — again"))
    );
    assert_eq!(asked.note, format!("{reason} — staging refuses — look"));
    assert_eq!(ended.note, reason);
}

/// A new bag of an object that is preserved fails: the item still names the object.
#[test]
fn an_ending_without_an_object_leaves_the_one_that_the_item_names() {
    let named = WorkItem {
        intellectual_object_id: 5,
        ..item()
    };
    let failed = Final {
        status: Status::Failed,
        outcome: "Ingest failed due to fatal error.".to_owned(),
        note: None,
        object_id: 0,
    };

    let ended = ItemWrite::Ended(failed).apply(&named, now());

    assert_eq!(ended.intellectual_object_id, 5);
}

#[test]
fn a_note_is_never_longer_than_the_registry_takes() {
    let long = "ü".repeat(70_000);

    let written = ItemWrite::Suspended { note: long }.apply(&item(), now());

    assert_eq!(written.note.chars().count(), NOTE_CHARS_MAX);
}
