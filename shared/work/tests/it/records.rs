use muniment_model::{BatchNumber, FileRecord, Queue, SCHEMA_VERSION, WorkItemId};
use muniment_work::{BATCH_FILES_MAX, Contents, Lease, SqliteWork, WorkError, WorkStore};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use crate::kit::{Kit, QUEUE, batch, checkpoint, file, files, object, planner};

const ITEM: WorkItemId = WorkItemId(12);
const FIRST: BatchNumber = BatchNumber(0);

#[tokio::test]
async fn records_are_read_as_they_were_written() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    let place = checkpoint(4_096, 3);

    kit.store
        .put_object(&lease, &object(12))
        .await
        .expect("written");
    let put = kit
        .store
        .put_files(&lease, FIRST, 0, &files(0..3), Some(&place))
        .await;
    put.expect("written");

    assert_eq!(
        kit.store.object(ITEM).await.expect("read"),
        Some(object(12))
    );
    assert_eq!(
        kit.store.files(ITEM, FIRST).await.expect("read"),
        files(0..3)
    );
    assert_eq!(kit.store.checkpoint(ITEM).await.expect("read"), Some(place));
}

#[tokio::test]
async fn what_was_never_written_is_absent() {
    let kit = Kit::new().await;

    assert_eq!(kit.store.object(ITEM).await.expect("read"), None);
    assert_eq!(kit.store.files(ITEM, FIRST).await.expect("read"), []);
    assert_eq!(kit.store.checkpoint(ITEM).await.expect("read"), None);
    let done = kit.store.done_batches(ITEM, QUEUE).await.expect("read");
    assert!(done.is_empty());
}

#[tokio::test]
async fn records_from_an_index_on_are_replaced_and_those_before_it_stay() {
    let rows: [(&str, usize, std::ops::Range<usize>, Vec<usize>); 6] = [
        ("append", 6, 20..22, vec![0, 1, 2, 3, 4, 5, 20, 21]),
        ("at the start of a run", 4, 20..21, vec![0, 1, 2, 3, 20]),
        ("inside a run", 3, 20..22, vec![0, 1, 2, 20, 21]),
        ("inside the first run", 1, 20..21, vec![0, 20]),
        ("all", 0, 20..21, vec![20]),
        ("cut off", 3, 0..0, vec![0, 1, 2]),
    ];

    for (name, from_index, new, expected) in rows {
        let kit = Kit::new().await;
        let lease = kit.lease(12).await;
        // Runs of 2, 2 and 2, as checkpoints leave them.
        for start in [0, 2, 4] {
            let run = files(start..start + 2);
            let put = kit.store.put_files(&lease, FIRST, start, &run, None).await;
            put.expect("written");
        }

        let put = kit
            .store
            .put_files(&lease, FIRST, from_index, &files(new), None)
            .await;

        put.expect(name);
        let found = kit.store.files(ITEM, FIRST).await.expect("read");
        let expected: Vec<FileRecord> = expected.into_iter().map(file).collect();
        assert_eq!(found, expected, "{name}");
        let count = kit.store.contents().await.expect("counted").file_records;
        assert_eq!(count, expected.len() as u64, "{name}");
    }
}

#[tokio::test]
async fn records_that_would_leave_a_gap_are_refused() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    let put = kit
        .store
        .put_files(&lease, FIRST, 0, &files(0..2), None)
        .await;
    put.expect("written");
    let place = checkpoint(1, 1);

    let refused = kit
        .store
        .put_files(&lease, FIRST, 3, &files(3..4), Some(&place))
        .await;

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
        kit.store.files(ITEM, FIRST).await.expect("read"),
        files(0..2)
    );
    assert_eq!(kit.store.checkpoint(ITEM).await.expect("read"), None);
}

#[tokio::test]
async fn a_batch_holds_five_hundred_records_and_no_more() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;

    let full = kit
        .store
        .put_files(&lease, FIRST, 0, &files(0..BATCH_FILES_MAX), None)
        .await;
    let one_more = kit
        .store
        .put_files(&lease, FIRST, BATCH_FILES_MAX, &files(0..1), None)
        .await;

    full.expect("written");
    assert!(matches!(
        one_more,
        Err(WorkError::BatchTooLarge { count: 501, .. })
    ));
}

#[tokio::test]
async fn a_batch_is_written_and_marked_done_in_one_step() {
    let kit = Kit::new().await;
    for number in 0..2 {
        kit.store
            .publish(&batch(12, number))
            .await
            .expect("published");
    }
    let first = kit.claim().await.expect("ready").lease;
    let second = kit.claim().await.expect("ready").lease;

    let records = files(0..2);
    let done = kit.store.mark_done(&first, FIRST, Some(&records)).await;
    let again = kit.store.mark_done(&first, FIRST, None).await;
    let both = kit.store.mark_done(&second, BatchNumber(1), None).await;

    let counts = [done, again, both].map(|count| count.expect("marked"));
    assert_eq!(counts, [1, 1, 2]);
    assert_eq!(
        kit.store.files(ITEM, FIRST).await.expect("read"),
        files(0..2)
    );
    let batches = kit.store.done_batches(ITEM, QUEUE).await.expect("read");
    assert_eq!(batches, [FIRST, BatchNumber(1)].into());
    let elsewhere = kit.store.done_batches(ITEM, Queue::IngestCleanup).await;
    assert!(elsewhere.expect("read").is_empty());

    kit.store.clear_done(&first, QUEUE).await.expect("cleared");
    assert!(
        kit.store
            .done_batches(ITEM, QUEUE)
            .await
            .expect("read")
            .is_empty()
    );
}

/// Every way to write, by name.
async fn write_all(store: &SqliteWork, lease: &Lease) -> Vec<(&'static str, Option<WorkError>)> {
    let place = checkpoint(1, 1);
    let records = files(7..8);
    vec![
        ("object", store.put_object(lease, &object(12)).await.err()),
        (
            "files",
            store
                .put_files(lease, FIRST, 0, &records, Some(&place))
                .await
                .err(),
        ),
        (
            "done",
            store.mark_done(lease, FIRST, Some(&records)).await.err(),
        ),
        ("clear done", store.clear_done(lease, QUEUE).await.err()),
        ("clear records", store.clear_records(lease).await.err()),
    ]
}

#[tokio::test]
async fn no_write_passes_a_lost_lease() {
    let kit = Kit::new().await;
    let lost = kit.lease(12).await;
    kit.store.void_all_leases().await.expect("voided");
    let unclaimed = write_all(&kit.store, &lost).await;
    let holder = kit.claim().await.expect("ready again").lease;
    let put = kit
        .store
        .put_files(&holder, FIRST, 0, &files(0..1), None)
        .await;
    put.expect("written");
    kit.store
        .mark_done(&holder, FIRST, None)
        .await
        .expect("marked");
    let before = kit.store.contents().await.expect("counted");

    let taken = write_all(&kit.store, &lost).await;

    for (name, error) in unclaimed.into_iter().chain(taken) {
        assert!(
            matches!(error, Some(WorkError::LeaseLost { .. })),
            "{name}: {error:?}"
        );
    }
    assert_eq!(kit.store.contents().await.expect("counted"), before);
    assert_eq!(
        kit.store.files(ITEM, FIRST).await.expect("read"),
        files(0..1)
    );
}

#[tokio::test]
async fn nothing_comes_back_after_the_item_was_dropped() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    kit.store.drop_item(ITEM).await.expect("dropped");

    for (name, error) in write_all(&kit.store, &lease).await {
        assert!(
            matches!(error, Some(WorkError::LeaseLost { .. })),
            "{name}: {error:?}"
        );
    }
    let settled = kit
        .store
        .settle(&lease, muniment_work::Settlement::Done)
        .await;

    settled.expect("cleanup settles what it has dropped itself");
    assert!(kit.store.contents().await.expect("counted").is_empty());
}

#[tokio::test]
async fn a_lease_covers_its_own_batch_and_item_only() {
    let kit = Kit::new().await;
    kit.store.publish(&batch(12, 0)).await.expect("published");
    let lease = kit.claim().await.expect("ready").lease;

    let files = kit
        .store
        .put_files(&lease, BatchNumber(1), 0, &[], None)
        .await;
    let done = kit.store.mark_done(&lease, BatchNumber(1), None).await;
    let object = kit.store.put_object(&lease, &object(120)).await;

    assert!(matches!(files, Err(WorkError::OtherBatch { .. })));
    assert!(matches!(done, Err(WorkError::OtherBatch { .. })));
    assert!(matches!(object, Err(WorkError::OtherItem { .. })));
}

#[tokio::test]
async fn dropping_item_12_touches_nothing_of_items_1_and_120() {
    let kit = Kit::new().await;
    for item in [1, 12, 120] {
        let lease = kit.lease(item).await;
        let place = checkpoint(1, 1);
        kit.store
            .put_object(&lease, &object(item))
            .await
            .expect("written");
        let put = kit
            .store
            .put_files(&lease, FIRST, 0, &files(0..5), Some(&place))
            .await;
        put.expect("written");
        kit.store
            .mark_done(&lease, FIRST, None)
            .await
            .expect("marked");
    }
    for item in [1, 12, 120] {
        kit.store.publish(&batch(item, 0)).await.expect("published");
    }

    kit.store.drop_item(ITEM).await.expect("dropped");

    let left = Contents {
        messages: 4,
        object_records: 2,
        file_records: 10,
        checkpoints: 2,
        done_marks: 2,
    };
    assert_eq!(kit.store.contents().await.expect("counted"), left);
    assert!(!kit.store.is_known(ITEM).await.expect("answers"));
    for item in [1, 120].map(WorkItemId) {
        assert!(kit.store.object(item).await.expect("read").is_some());
        assert!(kit.store.is_known(item).await.expect("answers"));
    }
}

#[tokio::test]
async fn starting_over_keeps_the_object_record_and_the_own_lease() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    let place = checkpoint(1, 1);
    kit.store
        .put_object(&lease, &object(12))
        .await
        .expect("written");
    let put = kit
        .store
        .put_files(&lease, FIRST, 0, &files(0..5), Some(&place))
        .await;
    put.expect("written");
    kit.store
        .mark_done(&lease, FIRST, None)
        .await
        .expect("marked");
    kit.store.publish(&batch(12, 0)).await.expect("published");
    kit.store.publish(&planner(120)).await.expect("published");

    kit.store.clear_records(&lease).await.expect("cleared");

    let left = Contents {
        messages: 2,
        object_records: 1,
        ..Contents::default()
    };
    assert_eq!(kit.store.contents().await.expect("counted"), left);
    kit.store.renew(&lease).await.expect("still held");
}

#[tokio::test]
async fn a_record_of_another_version_is_refused_both_ways() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    let mut newer = file(0);
    newer.schema = SCHEMA_VERSION + 1;

    let put = kit
        .store
        .put_files(&lease, FIRST, 0, &[file(1), newer], None)
        .await;
    assert!(
        matches!(put, Err(WorkError::UnknownSchema { found: 2, .. })),
        "{put:?}"
    );

    // As a later version may have left them: with members of its own.
    let mut connection = SqliteConnectOptions::new()
        .filename(kit.path())
        .connect()
        .await
        .expect("opens");
    for statement in [
        r#"INSERT INTO file_run VALUES (12, 0, 0, 1, '[{"schema": 2, "tree": "x"}]')"#,
        r#"INSERT INTO object_record VALUES (12, '{"schema": 2, "tree": "x"}')"#,
        r#"INSERT INTO checkpoint VALUES (12, '{"offset": 1}')"#,
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .expect("inserted");
    }

    let files = kit.store.files(ITEM, FIRST).await.expect_err("refused");
    let object = kit.store.object(ITEM).await.expect_err("refused");
    let checkpoint = kit.store.checkpoint(ITEM).await.expect_err("refused");

    assert_eq!(
        files.to_string(),
        "the file records of item 12, batch 0 has schema version 2, this program knows 1"
    );
    assert!(matches!(object, WorkError::UnknownSchema { found: 2, .. }));
    assert!(matches!(checkpoint, WorkError::Unreadable { .. }));
}
