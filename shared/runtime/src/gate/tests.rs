use muniment_model::{Action, Stage};

use super::*;

fn item(stage: Stage, status: Status) -> WorkItem {
    WorkItem {
        stage,
        status,
        ..crate::item_write::tests::item()
    }
}

#[test]
fn a_message_is_only_a_hint_about_its_item() {
    let queue = QueueName::IngestPreservationUploader;
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
            Gate::Publish(QueueName::IngestRecorder),
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
            Gate::Publish(QueueName::IngestValidator),
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
}

#[test]
fn a_queue_of_another_pipeline_is_not_taken_for_one_of_the_item() {
    let restoration = WorkItem {
        action: Action::RestoreFile,
        ..item(Stage::Requested, Status::Pending)
    };

    let here = decide(Some(&restoration), QueueName::FileRestorer, None);
    let elsewhere = decide(Some(&restoration), QueueName::BagRestorer, None);
    let nowhere = decide(
        Some(&item(Stage::Unpack, Status::Pending)),
        QueueName::IngestValidator,
        None,
    );

    assert_eq!(here, Gate::Take);
    assert_eq!(elsewhere, Gate::Publish(QueueName::FileRestorer));
    assert_eq!(
        nowhere,
        Gate::Drop("no worker performs the stage of the work item")
    );
}
