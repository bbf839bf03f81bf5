use muniment_model::{BatchNumber, MemberKind, QueueName, WorkItemId};

use super::*;
use crate::inspect::document::{EventsToCome, FilePart, HolderPart, NotKnown, Registered};
use crate::orders::tests::item;

#[test]
fn a_name_or_note_cannot_forge_a_line() {
    let hostile = "a\nstatus  Success\u{1b}[2J\u{202e}".to_owned();
    let mut inspection = inspection();
    inspection.registry.work_item = Some(WorkItem {
        name: hostile.clone(),
        note: hostile.clone(),
        ..item()
    });
    inspection.not_known = vec![NotKnown {
        source: "object",
        reason: hostile.clone(),
    }];
    inspection.files = Some(vec![FilePart {
        path: hostile,
        batch: BatchNumber(0),
        kind: MemberKind::Payload,
        size: 1,
        state: "staged",
        copies: Vec::new(),
        events_to_come: BTreeMap::new(),
    }]);

    let text = render(&inspection);

    let prints = |one: char| one == '\n' || !muniment_model::is_unprintable(one);
    assert!(text.chars().all(prints), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("status")),
        "{text}"
    );
}

#[test]
fn a_message_says_who_has_it_or_when_it_is_due() {
    let now = inspection().inspected_at;
    let message = |due_at, lease: Option<LeasePart>| MessagePart {
        queue: QueueName::IngestValidator,
        batch: None,
        state: "ready",
        due_at,
        lease,
        attempts: 2,
        vanished: 3,
        vanished_alone: 1,
        files: 0,
        size_bytes: 1,
    };
    let holder = HolderPart {
        node: "host".to_owned(),
        pid: 9,
    };
    let lease = LeasePart {
        until: now + chrono::TimeDelta::seconds(30),
        holder: Some(holder),
        alone: true,
        published_again: true,
    };
    let mut inspection = inspection();
    inspection.work_store.messages = vec![
        message(None, None),
        message(Some(now + chrono::TimeDelta::seconds(90)), None),
        message(None, Some(lease)),
    ];

    let text = render(&inspection);

    for expected in [
        "3 (1 alone)  ready",
        "due 1970-01-01T00:01:30Z (in 1 min 30 s)",
        "leased until 1970-01-01T00:00:30Z (in 30 s) by host, pid 9, alone in its process, published again",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let mut inspection = inspection();
    let batch = |number| BatchPart {
        batch: BatchNumber(number),
        files: 500,
        size_bytes: 1,
        done_by: vec![QueueName::IngestRecorder],
    };
    inspection.work_store.batches = (0..2_000).map(batch).collect();

    let text = render(&inspection);

    assert!(text.contains("and 1980 more; --json has all"), "{text}");
    assert!(text.lines().count() < 60, "{text}");
}

fn inspection() -> Inspection {
    Inspection {
        work_item_id: WorkItemId(7),
        inspected_at: DateTime::UNIX_EPOCH,
        not_known: Vec::new(),
        registry: Registered::default(),
        work_store: WorkPart::default(),
        staged_index: None,
        events_to_come: EventsToCome::default(),
        files: None,
        files_left_out: None,
    }
}
