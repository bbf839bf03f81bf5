//! Records: written under a lease, read as they were written, dropped with their item.

use muniment_model::{BatchNumber, FileId, FileRecord, QueueName, SCHEMA_VERSION, WorkItemId};

use super::kit::{Backend, QUEUE, batch, checkpoint, file, files, object, planner};
use crate::{
    BATCH_FILES_MAX, BatchesDone, FileWrite, Lease, Message, Progress, Queue, Records, Release,
    Subject, WorkError,
};

const ITEM: WorkItemId = WorkItemId(12);
const FIRST: BatchNumber = BatchNumber(0);

pub(crate) async fn records_are_read_as_they_were_written<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    let place = checkpoint(4_096, 3);

    kit.store()
        .save_object(&lease, &object(12))
        .await
        .expect("written");
    let saved = kit.save(&lease, 0, &files(0..3), Some(&place)).await;
    saved.expect("written");

    let object_read = kit.store().object(ITEM).await.expect("read");
    assert_eq!(object_read, Some(object(12)));
    assert_eq!(
        kit.store().files(ITEM, FIRST).await.expect("read"),
        files(0..3)
    );
    assert_eq!(
        kit.store().checkpoint(ITEM).await.expect("read"),
        Some(place)
    );
    let both = kit.store().batch(ITEM, FIRST).await.expect("read");
    assert_eq!((both.object, both.files), (Some(object(12)), files(0..3)));
}

pub(crate) async fn what_was_never_written_is_absent<B: Backend>() {
    let kit = B::fresh().await;

    assert!(kit.has_no_records(ITEM).await);
    assert_eq!(kit.store().object(ITEM).await.expect("read"), None);
    assert_eq!(kit.store().files(ITEM, FIRST).await.expect("read"), []);
}

pub(crate) async fn records_from_an_index_on_are_replaced_and_those_before_it_stay<B: Backend>() {
    let rows: [(&str, usize, std::ops::Range<usize>, Vec<usize>); 6] = [
        ("append", 6, 20..22, vec![0, 1, 2, 3, 4, 5, 20, 21]),
        ("at the start of a run", 4, 20..21, vec![0, 1, 2, 3, 20]),
        ("inside a run", 3, 20..22, vec![0, 1, 2, 20, 21]),
        ("inside the first run", 1, 20..21, vec![0, 20]),
        ("all", 0, 20..21, vec![20]),
        ("cut off", 3, 0..0, vec![0, 1, 2]),
    ];

    for (name, from_index, new, expected) in rows {
        let kit = B::fresh().await;
        let lease = kit.lease(12).await;
        // Runs of 2, 2 and 2, as checkpoints leave them.
        for start in [0, 2, 4] {
            let saved = kit
                .save(&lease, start, &files(start..start + 2), None)
                .await;
            saved.expect("written");
        }

        kit.save(&lease, from_index, &files(new), None)
            .await
            .expect(name);

        let found = kit.store().files(ITEM, FIRST).await.expect("read");
        let expected: Vec<FileRecord> = expected.into_iter().map(file).collect();
        assert_eq!(found, expected, "{name}");
    }
}

pub(crate) async fn records_that_would_leave_a_gap_are_refused<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    kit.save(&lease, 0, &files(0..2), None)
        .await
        .expect("written");
    let place = checkpoint(1, 1);

    let refused = kit.save(&lease, 3, &files(3..4), Some(&place)).await;

    let gap = matches!(
        refused,
        Err(WorkError::Gap {
            held: 2,
            from_index: 3,
            ..
        })
    );
    assert!(gap, "{refused:?}");
    assert_eq!(
        kit.store().files(ITEM, FIRST).await.expect("read"),
        files(0..2)
    );
    assert_eq!(kit.store().checkpoint(ITEM).await.expect("read"), None);
}

pub(crate) async fn a_batch_holds_five_hundred_records_and_no_more<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;

    let full = kit.save(&lease, 0, &files(0..BATCH_FILES_MAX), None).await;
    let one_more = kit.save(&lease, BATCH_FILES_MAX, &files(0..1), None).await;

    full.expect("written");
    assert!(matches!(
        one_more,
        Err(WorkError::BatchTooLarge { count: 501, .. })
    ));
}

/// Attempts begin again when records are written that show progress, in the same step.
pub(crate) async fn progress_is_noted_with_the_records_that_show_it<B: Backend>() {
    let rows = [(Progress::NotMade, 2), (Progress::Made, 1)];

    for (progress, attempt) in rows {
        let kit = B::fresh().await;
        let lease = kit.lease(12).await;
        let records = files(0..1);
        let write = FileWrite {
            batch: FIRST,
            from_index: 0,
            records: &records,
            checkpoint: None,
            progress,
        };

        kit.store()
            .save_files(&lease, write)
            .await
            .expect("written");

        let retry = Release::Retry(std::time::Duration::ZERO);
        kit.store().release(&lease, retry).await.expect("released");
        let claim = kit.claim().await.expect("due");
        assert_eq!(claim.attempt, attempt, "{progress:?}");
    }
}

/// Claims the batches 0 and 1 of item 12.
async fn two_batches<B: Backend>(kit: &B) -> [Lease; 2] {
    let messages = [batch(12, 0), batch(12, 1)];
    kit.store().publish(&messages).await.expect("published");
    let first = kit.claim().await.expect("ready").lease;
    [first, kit.claim().await.expect("ready").lease]
}

pub(crate) async fn a_batch_is_written_marked_and_acknowledged_in_one_step<B: Backend>() {
    let kit = B::fresh().await;
    let [first, _second] = two_batches(&kit).await;
    let records = files(0..2);

    let finished = kit
        .store()
        .finish_batch(&first, FIRST, Some(&records), 2)
        .await;

    let expected = BatchesDone {
        newly: true,
        done: 1,
    };
    assert_eq!(finished.expect("finished"), expected);
    assert_eq!(
        kit.store().files(ITEM, FIRST).await.expect("read"),
        files(0..2)
    );
    let done = kit.store().done_batches(ITEM, QUEUE).await.expect("read");
    assert_eq!(done, [FIRST].into());
    let elsewhere = kit
        .store()
        .done_batches(ITEM, QueueName::IngestCleanup)
        .await;
    assert!(elsewhere.expect("read").is_empty());
    let renewed = kit.store().renew(&first).await;
    assert!(
        matches!(renewed, Err(WorkError::LeaseLost { .. })),
        "acknowledged"
    );
    assert_eq!(
        kit.claim().await,
        None,
        "one batch is missing: nobody wakes the planner"
    );
}

pub(crate) async fn the_last_batch_and_no_other_wakes_the_planner<B: Backend>() {
    let kit = B::fresh().await;
    let [first, second] = two_batches(&kit).await;

    let one = kit
        .store()
        .finish_batch(&second, BatchNumber(1), None, 2)
        .await;
    let two = kit.store().finish_batch(&first, FIRST, None, 2).await;

    assert_eq!(one.expect("finished").done, 1);
    assert_eq!(
        two.expect("finished"),
        BatchesDone {
            newly: true,
            done: 2
        }
    );
    let woken = kit.claim().await.expect("the planner");
    assert_eq!(woken.message, planner(12));
    kit.store()
        .acknowledge(&woken.lease)
        .await
        .expect("acknowledged");
    assert_eq!(kit.claim().await, None);
}

/// A batch that is done once more, after its planner was woken, wakes it no second time.
pub(crate) async fn a_batch_that_was_done_before_is_not_newly_done<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    let records = files(0..1);
    let first = kit
        .store()
        .finish_batch(&lease, FIRST, Some(&records), 1)
        .await;
    assert_eq!(
        first.expect("marked"),
        BatchesDone {
            newly: true,
            done: 1
        }
    );
    kit.store()
        .renew(&lease)
        .await
        .expect("a planner keeps its lease");
    kit.publish(&batch(12, 0)).await;
    let again = kit.claim().await.expect("ready").lease;

    let second = kit.store().finish_batch(&again, FIRST, None, 1).await;

    assert_eq!(
        second.expect("marked"),
        BatchesDone {
            newly: false,
            done: 1
        }
    );
    assert_eq!(kit.claim().await, None);
}

pub(crate) async fn done_marks_of_several_steps_are_cleared_at_once<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    kit.store()
        .finish_batch(&lease, FIRST, None, 3)
        .await
        .expect("marked");

    let others = [QueueName::IngestCleanup, QueueName::IngestRecorder];
    kit.store()
        .clear_done(&lease, &others)
        .await
        .expect("cleared");
    let kept = kit.store().done_batches(ITEM, QUEUE).await.expect("read");
    kit.store()
        .clear_done(&lease, &[QUEUE])
        .await
        .expect("cleared");
    let cleared = kit.store().done_batches(ITEM, QUEUE).await.expect("read");

    assert_eq!((kept.len(), cleared.len()), (1, 0));
}

/// Every way to write, by name.
async fn write_all<B: Backend>(kit: &B, lease: &Lease) -> Vec<(&'static str, Option<WorkError>)> {
    let place = checkpoint(1, 1);
    let records = files(7..8);
    let store = kit.store();
    vec![
        ("object", store.save_object(lease, &object(12)).await.err()),
        (
            "files",
            kit.save(lease, 0, &records, Some(&place)).await.err(),
        ),
        (
            "finish",
            store
                .finish_batch(lease, FIRST, Some(&records), 1)
                .await
                .err(),
        ),
        ("clear done", store.clear_done(lease, &[QUEUE]).await.err()),
        ("clear records", store.clear_records(lease).await.err()),
    ]
}

pub(crate) async fn no_write_passes_a_lost_lease<B: Backend>() {
    let kit = B::fresh().await;
    let lost = kit.lease(12).await;
    kit.revoke_all_leases().await;
    let unclaimed = write_all(&kit, &lost).await;
    kit.pass(1);
    let holder = kit.claim().await.expect("due again").lease;
    kit.save(&holder, 0, &files(0..1), None)
        .await
        .expect("written");
    kit.store()
        .finish_batch(&holder, FIRST, None, 3)
        .await
        .expect("marked");

    let taken = write_all(&kit, &lost).await;

    for (name, error) in unclaimed.into_iter().chain(taken) {
        let refused = matches!(error, Some(WorkError::LeaseLost { .. }));
        assert!(refused, "{name}: {error:?}");
    }
    let found = kit.store().batch(ITEM, FIRST).await.expect("read");
    assert_eq!((found.object, found.files), (None, files(0..1)));
    let done = kit.store().done_batches(ITEM, QUEUE).await.expect("read");
    assert_eq!(done, [FIRST].into());
}

pub(crate) async fn nothing_comes_back_after_the_item_was_dropped<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    kit.store().drop_item(ITEM).await.expect("dropped");

    for (name, error) in write_all(&kit, &lease).await {
        let lost = matches!(error, Some(WorkError::LeaseLost { .. }));
        assert!(lost, "{name}: {error:?}");
    }
    assert!(kit.is_empty(&[12]).await);
}

pub(crate) async fn a_lease_covers_its_own_batch_and_item_only<B: Backend>() {
    let kit = B::fresh().await;
    kit.publish(&batch(12, 1)).await;
    let lease = kit.claim().await.expect("ready").lease;

    let files = kit.save(&lease, 0, &[], None).await;
    let done = kit.store().finish_batch(&lease, FIRST, None, 1).await;
    let object = kit.store().save_object(&lease, &object(120)).await;

    assert!(matches!(files, Err(WorkError::OtherBatch { .. })));
    assert!(matches!(done, Err(WorkError::OtherBatch { .. })));
    assert!(matches!(object, Err(WorkError::OtherItem { .. })));
}

pub(crate) async fn work_on_a_file_has_no_records<B: Backend>() {
    let kit = B::fresh().await;
    let subject = Subject::File(FileId(12));
    kit.publish(&Message {
        subject,
        ..planner(0)
    })
    .await;
    let lease = kit.claim().await.expect("ready").lease;

    for (name, error) in write_all(&kit, &lease).await {
        assert!(
            matches!(error, Some(WorkError::NoItem { .. })),
            "{name}: {error:?}"
        );
    }
    assert!(kit.has_no_records(ITEM).await);
}

/// Writes everything there can be about the item.
async fn fill<B: Backend>(kit: &B, item: i64) -> Lease {
    let lease = kit.lease(item).await;
    let place = checkpoint(1, 1);
    kit.store()
        .save_object(&lease, &object(item))
        .await
        .expect("written");
    kit.save(&lease, 0, &files(0..5), Some(&place))
        .await
        .expect("written");
    kit.store()
        .finish_batch(&lease, FIRST, None, 3)
        .await
        .expect("marked");
    lease
}

pub(crate) async fn dropping_item_12_touches_nothing_of_items_1_and_120<B: Backend>() {
    let kit = B::fresh().await;
    for item in [1, 12, 120] {
        fill(&kit, item).await;
    }

    kit.store().drop_item(ITEM).await.expect("dropped");

    assert!(kit.has_no_records(ITEM).await);
    let asked = [1, 12, 120].map(|item| (Subject::Item(WorkItemId(item)), QUEUE));
    let known = kit.store().are_known(&asked).await.expect("answers");
    assert_eq!(known, [true, false, true]);
    for item in [1, 120].map(WorkItemId) {
        let kept = kit.store().batch(item, FIRST).await.expect("read");
        assert!(kept.object.is_some());
        assert_eq!(kept.files, files(0..5));
        assert!(kit.store().checkpoint(item).await.expect("read").is_some());
        let done = kit.store().done_batches(item, QUEUE).await.expect("read");
        assert_eq!(done, [FIRST].into());
    }
}

/// Each kind by itself, and ids in the order of numbers, not of their texts.
pub(crate) async fn every_item_that_anything_is_kept_of_is_listed<B: Backend>() {
    let kit = B::fresh().await;
    let leases = [
        kit.lease(9).await,
        kit.lease(12).await,
        kit.lease(120).await,
    ];
    let with_object = kit.lease(1).await;
    kit.store()
        .save_object(&with_object, &object(1))
        .await
        .expect("written");
    kit.save(&leases[0], 0, &files(0..5), None)
        .await
        .expect("written");
    kit.store()
        .finish_batch(&leases[1], FIRST, None, 3)
        .await
        .expect("marked");
    let place = checkpoint(1, 1);
    kit.save(&leases[2], 0, &[], Some(&place))
        .await
        .expect("written");
    for lease in leases.iter().chain([&with_object]) {
        kit.store().acknowledge(lease).await.expect("acknowledged");
    }
    kit.publish(&batch(1_000, 3)).await;
    kit.publish(&Message {
        subject: Subject::File(FileId(7)),
        ..planner(0)
    })
    .await;

    let listed = async |after, max| {
        let items = kit.store().items_after(WorkItemId(after), max).await;
        let items = items.expect("listed").into_iter();
        items.map(|item| item.0).collect::<Vec<_>>()
    };
    assert_eq!(listed(0, 100).await, [1, 9, 12, 120, 1_000]);
    assert_eq!(listed(0, 2).await, [1, 9]);
    assert_eq!(listed(9, 2).await, [12, 120]);
    assert_eq!(listed(1_000, 2).await, Vec::<i64>::new());
    kit.store().drop_item(WorkItemId(9)).await.expect("dropped");
    assert_eq!(listed(0, 2).await, [1, 12]);
}

pub(crate) async fn starting_over_keeps_the_object_record_and_the_own_lease<B: Backend>() {
    let kit = B::fresh().await;
    let lease = fill(&kit, 12).await;
    let messages = [batch(12, 0), planner(120)];
    kit.store().publish(&messages).await.expect("published");

    kit.store().clear_records(&lease).await.expect("cleared");

    let left = kit.store().batch(ITEM, FIRST).await.expect("read");
    assert_eq!((left.object, left.files), (Some(object(12)), Vec::new()));
    assert_eq!(kit.store().checkpoint(ITEM).await.expect("read"), None);
    let done = kit.store().done_batches(ITEM, QUEUE).await.expect("read");
    assert!(done.is_empty());
    kit.store().renew(&lease).await.expect("still held");
    let claim = kit.claim().await.expect("the other item's");
    assert_eq!(claim.message, planner(120));
    assert_eq!(kit.claim().await, None);
}

pub(crate) async fn a_record_of_another_version_is_not_written<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    let mut newer = file(0);
    newer.schema = SCHEMA_VERSION + 1;

    let saved = kit.save(&lease, 0, &[file(1), newer], None).await;

    let refused =
        matches!(saved, Err(WorkError::UnknownSchema { found, .. }) if found == SCHEMA_VERSION + 1);
    assert!(refused, "{saved:?}");
}
