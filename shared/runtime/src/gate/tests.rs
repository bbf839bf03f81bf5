use muniment_model::{Action, InstitutionId, Stage, WorkItemId};

use super::*;

fn item(stage: Stage, status: Status) -> WorkItem {
    WorkItem {
        stage,
        status,
        ..crate::item_writes::tests::item()
    }
}

#[test]
fn a_message_is_only_a_hint_about_its_item() {
    let queue = Queue::IngestPreservationUploader;
    let third = Some(BatchNumber(3));
    let rows = [
        (
            "at its stage",
            item(Stage::Store, Status::Pending),
            None,
            Gate::Take,
        ),
        (
            "a batch at its stage",
            item(Stage::Store, Status::Started),
            third,
            Gate::Take,
        ),
        (
            "the item went on",
            item(Stage::Record, Status::Pending),
            None,
            Gate::Publish(Queue::IngestRecorder),
        ),
        (
            "a late batch",
            item(Stage::Record, Status::Pending),
            third,
            Gate::Drop("a batch of a stage that the item is not at"),
        ),
        (
            "ahead of its item",
            item(Stage::Validate, Status::Started),
            None,
            Gate::Later(AHEAD_DELAY),
        ),
        (
            "ended",
            item(Stage::Store, Status::Failed),
            None,
            Gate::Drop("the work item has ended"),
        ),
        (
            "suspended",
            item(Stage::Store, Status::Suspended),
            None,
            Gate::Drop("the work item waits for an operator"),
        ),
    ];

    for (name, item, batch, expected) in rows {
        assert_eq!(decide(Some(&item), queue, batch), expected, "{name}");
    }
    assert_eq!(
        decide(None, queue, None),
        Gate::Drop("the registry has no such work item")
    );
    assert_eq!(item(Stage::Store, Status::Pending).action, Action::Ingest);
    assert_eq!(item(Stage::Store, Status::Pending).id, WorkItemId(12));
    assert_eq!(
        item(Stage::Store, Status::Pending).institution_id,
        InstitutionId(1)
    );
}
