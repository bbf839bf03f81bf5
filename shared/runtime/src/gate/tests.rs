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
    let rows = [
        (
            "at its stage",
            item(Stage::Store, Status::Pending),
            Gate::Take,
        ),
        ("started", item(Stage::Store, Status::Started), Gate::Take),
        (
            "the item went on",
            item(Stage::Record, Status::Pending),
            Gate::Publish(QueueName::IngestRecorder),
        ),
        (
            "ahead of its item",
            item(Stage::Validate, Status::Started),
            Gate::Publish(QueueName::IngestValidator),
        ),
        (
            "ended",
            item(Stage::Store, Status::Failed),
            Gate::Drop("the work item has ended"),
        ),
        (
            "suspended",
            item(Stage::Store, Status::Suspended),
            Gate::Drop("the work item waits for an operator"),
        ),
    ];

    for (name, item, expected) in rows {
        assert_eq!(decide(Some(&item), queue), expected, "{name}");
    }
    assert_eq!(
        decide(None, queue),
        Gate::Drop("the registry has no such work item")
    );
}

#[test]
fn a_queue_of_another_pipeline_is_not_taken_for_one_of_the_item() {
    let restoration = WorkItem {
        action: Action::RestoreFile,
        ..item(Stage::Requested, Status::Pending)
    };

    let here = decide(Some(&restoration), QueueName::FileRestorer);
    let elsewhere = decide(Some(&restoration), QueueName::BagRestorer);
    let nowhere = decide(
        Some(&item(Stage::Unpack, Status::Pending)),
        QueueName::IngestValidator,
    );

    assert_eq!(here, Gate::Take);
    assert_eq!(elsewhere, Gate::Publish(QueueName::FileRestorer));
    assert_eq!(
        nowhere,
        Gate::Drop("no worker performs the stage of the work item")
    );
}
