use super::*;

fn item(stage: Stage, status: Status) -> WorkItem {
    let json = serde_json::json!({
        "id": 7, "name": "a.tar", "etag": "e", "institution_id": 3, "bucket": "b",
        "user": "u@test.edu", "action": "Ingest", "stage": stage, "status": status,
        "node": "host", "pid": 9, "needs_admin_review": true, "outcome": "Ingest failed",
        "intended_status": "Failed", "reason": "bad manifest", "note": "bad manifest",
    });
    serde_json::from_value(json).unwrap()
}

/// What of an answer the rows below say.
fn told(answer: &Result<WorkItem, RuleError>) -> String {
    match answer {
        Ok(item) => format!("{} at {}", item.status, item.stage),
        Err(RuleError::Invalid(_)) => "invalid".to_owned(),
        Err(RuleError::NotNow(_)) => "not now".to_owned(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_item_goes_on_where_it_is_or_before() {
    let rows = [
        (Stage::Store, Status::Suspended, None, "Pending at Store"),
        (
            Stage::Store,
            Status::Suspended,
            Some(Stage::Receive),
            "Pending at Receive",
        ),
        (
            Stage::Cleanup,
            Status::Failed,
            Some(Stage::Receive),
            "Pending at Receive",
        ),
        (Stage::Cleanup, Status::Failed, None, "Pending at Cleanup"),
        (
            Stage::Validate,
            Status::Started,
            None,
            "Pending at Validate",
        ),
        (
            Stage::Validate,
            Status::Pending,
            Some(Stage::Store),
            "invalid",
        ),
        (
            Stage::Store,
            Status::Suspended,
            Some(Stage::Fetch),
            "invalid",
        ),
        (
            Stage::Cleanup,
            Status::Success,
            Some(Stage::Receive),
            "not now",
        ),
    ];

    for (stage, status, named, expected) in rows {
        let answer = requeued(&item(stage, status), named);
        assert_eq!(told(&answer), expected, "{status} at {stage} to {named:?}");
    }
}

#[test]
fn an_item_that_goes_on_decides_its_ending_anew_unless_it_is_cleaned() {
    let ended = item(Stage::Cleanup, Status::Failed);

    let anew = requeued(&ended, Some(Stage::Validate)).unwrap();
    let cleaned = requeued(&ended, None).unwrap();
    let undecided = WorkItem {
        intended_status: None,
        ..ended
    };

    assert_eq!(anew.note, "Requeued for Validate");
    assert_eq!((anew.intended_status, anew.reason.as_str()), (None, ""));
    assert_eq!(
        (anew.outcome.as_str(), anew.node.as_str(), anew.pid),
        ("", "", 0)
    );
    assert!(anew.retry && !anew.needs_admin_review);
    assert_eq!(cleaned.intended_status, Some(Status::Failed));
    assert_eq!(cleaned.reason, "bad manifest");
    assert_eq!(told(&requeued(&undecided, None)), "not now");
}

#[test]
fn a_cancelled_ingest_goes_through_cleanup_unless_it_is_being_stored() {
    let rows = [
        (Stage::Receive, Status::Pending, "Pending at Cleanup"),
        (Stage::Validate, Status::Started, "Pending at Cleanup"),
        (
            Stage::CopyToStaging,
            Status::Suspended,
            "Pending at Cleanup",
        ),
        (
            Stage::FormatIdentification,
            Status::Suspended,
            "Pending at Cleanup",
        ),
        (Stage::Store, Status::Suspended, "not now"),
        (Stage::StorageValidation, Status::Suspended, "not now"),
        (Stage::Record, Status::Pending, "not now"),
        (Stage::Cleanup, Status::Suspended, "not now"),
        (Stage::Receive, Status::Cancelled, "not now"),
        (Stage::Cleanup, Status::Success, "not now"),
    ];

    for (stage, status, expected) in rows {
        let answer = cancelled(&item(stage, status), "withdrawn");
        assert_eq!(told(&answer), expected, "{status} at {stage}");
    }
    let cancelled = cancelled(&item(Stage::Receive, Status::Suspended), "withdrawn").unwrap();
    assert_eq!(cancelled.intended_status, Some(Status::Cancelled));
    assert_eq!(
        (&*cancelled.reason, &*cancelled.note),
        ("withdrawn", "withdrawn")
    );
    assert_eq!(cancelled.outcome, "Ingest cancelled");
    assert_eq!((cancelled.node.as_str(), cancelled.pid), ("", 0));
    assert!(!cancelled.needs_admin_review);
}

#[test]
fn work_that_leaves_nothing_to_clean_is_cancelled_at_once_and_a_deletion_never() {
    let of = |action| WorkItem {
        action,
        ..item(Stage::Requested, Status::Pending)
    };
    let rows = [
        (Action::RestoreObject, "Cancelled at Resolve"),
        (Action::RestoreFile, "Cancelled at Resolve"),
        (Action::GlacierRestore, "Cancelled at Resolve"),
        (Action::Delete, "not now"),
    ];

    for (action, expected) in rows {
        assert_eq!(
            told(&cancelled(&of(action), "withdrawn")),
            expected,
            "{action}"
        );
    }
}
