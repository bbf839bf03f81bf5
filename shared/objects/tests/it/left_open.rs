//! Multipart uploads that a copy or a record left open: none stays for long.

use std::collections::HashMap;
use std::time::Duration;

use muniment_fault_proxy::{Fault, Method, Requests, Times};
use muniment_model::StorageTarget;
use muniment_objects::{Connections, CopyOrder};
use tokio::time::interval;

use crate::support::{Bench, MIB, crc, noise, object_key};

const ELSEWHERE: StorageTarget = StorageTarget::WasabiOr;

/// Large enough for a multipart upload.
const LARGE: usize = 17 * MIB;

/// How often a test looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn a_copy_that_was_dropped_leaves_no_upload_open_when_its_job_ends(bench: &Bench) {
    let order = large_order(bench).await;
    drop_copy_on_its_way(bench, &order).await;
    let wasabi = &bench.names.wasabi;
    assert_eq!(bench.backend.open_uploads(wasabi).await, ["copy"]);

    bench.buckets.preservation.abort_left_open().await;

    assert!(bench.backend.open_uploads(wasabi).await.is_empty());
}

pub(crate) async fn what_a_killed_worker_left_open_is_aborted_before_the_next_upload(
    bench: &Bench,
) {
    let order = large_order(bench).await;
    drop_copy_on_its_way(bench, &order).await;
    bench.far_proxy.heal();
    // It remembers nothing.
    let successor = bench.buckets_of_another_process(&Connections::default());

    let stored = successor
        .preservation
        .store(ELSEWHERE, &successor.staging, &order)
        .await;

    stored.expect("stores");
    let open = bench.backend.open_uploads(&bench.names.wasabi).await;
    assert!(open.is_empty(), "{open:?}");
}

pub(crate) async fn a_record_that_is_written_again_leaves_no_upload_open_and_aborts_no_other(
    bench: &Bench,
) {
    let records = &bench.buckets.records;
    let bytes = noise(LARGE, 81);
    for key in ["test.edu/bag/12", "test.edu/bag/120"] {
        let mut writer = records.writer(&object_key(key));
        writer.write(bytes.clone()).await.expect("writes");
    }

    let mut writer = records.writer(&object_key("test.edu/bag/12"));
    writer.write(bytes.clone()).await.expect("writes");
    writer.finish(None).await.expect("finishes");

    let name = &bench.names.records;
    let open = bench.backend.open_uploads(name).await;
    assert_eq!(open, ["test.edu/bag/120"]);
    let aborted = records.abort_uploads(&object_key("test.edu/bag/120")).await;
    assert_eq!(aborted.expect("aborts"), 1);
    assert!(bench.backend.open_uploads(name).await.is_empty());
}

/// Stages a file and orders its copy.
async fn large_order(bench: &Bench) -> CopyOrder {
    let bytes = noise(LARGE, 80);
    CopyOrder {
        from: bench.stage("12/a", &bytes).await,
        etag: None,
        to: object_key("copy"),
        size: bytes.len() as u64,
        crc64nvme: crc(&bytes),
        content_type: "text/plain".to_owned(),
        metadata: HashMap::new(),
    }
}

/// Begins to make the copy, and drops it while its first part is on the way.
async fn drop_copy_on_its_way(bench: &Bench, order: &CopyOrder) {
    let parts = Requests::of(Method::PUT).containing("copies-wasabi");
    bench
        .far_proxy
        .plan(parts.clone(), Times::Always, Fault::Hold);
    let begun = async {
        let mut ticks = interval(LOOK_EVERY);
        while bench.far_proxy.seen(&parts).is_empty() {
            ticks.tick().await;
        }
    };
    let preservation = &bench.buckets.preservation;
    tokio::select! {
        stored = preservation.store(ELSEWHERE, &bench.buckets.staging, order) => {
            panic!("its part is held: {stored:?}");
        }
        () = begun => {}
    }
}
