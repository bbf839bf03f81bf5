use muniment_model::{Action, Stage};
use muniment_testkit::records;

use super::*;

#[test]
fn an_open_item_awaits_the_worker_of_its_present_stage() {
    let rows = [
        (
            Action::Ingest,
            Stage::Store,
            Status::Pending,
            Some(QueueName::IngestPreservationUploader),
        ),
        (
            Action::Ingest,
            Stage::Store,
            Status::Started,
            Some(QueueName::IngestPreservationUploader),
        ),
        (
            Action::RestoreFile,
            Stage::Requested,
            Status::Pending,
            Some(QueueName::FileRestorer),
        ),
        (Action::Ingest, Stage::Store, Status::Suspended, None),
        (Action::Ingest, Stage::Cleanup, Status::Success, None),
        (Action::Ingest, Stage::Unpack, Status::Pending, None),
    ];

    for (action, stage, status, expected) in rows {
        let item = WorkItem {
            action,
            stage,
            status,
            ..records::item()
        };
        assert_eq!(awaited(&item), expected, "{action} {stage} {status}");
    }
}
