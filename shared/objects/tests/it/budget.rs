//! However much is done at once, a process holds no more bytes than its budget has, and all of it ends.

use std::collections::HashMap;

use bytes::Bytes;
use futures::future::join_all;
use muniment_model::{ObjectKey, StorageTarget};
use muniment_objects::{BUDGET_BYTES, Connections, CopyOrder, ObjectStream, StagingBucket};
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, MIB, crc, noise, object_key};

const ELSEWHERE: StorageTarget = StorageTarget::WasabiOr;

/// As many as a job has, each of which would hold some 70 MiB if it could.
const COPIES: usize = 16;
const COPY_BYTES: usize = 40 * MIB;

/// More pieces than the budget has, so that some have to wait for others.
const WRITERS: usize = 12;
const WRITER_BYTES: usize = 33 * MIB;

pub(crate) async fn copies_and_writers_of_a_process_share_one_budget(bench: &Bench) {
    let connections = Connections::default();
    let buckets = bench.buckets_of_another_process(&connections);
    let bytes = noise(COPY_BYTES, 90);
    let orders = orders(bench, &bytes).await;
    let tar = bench.deposit("bag.tar", &bytes).await;

    let copies = join_all(orders.iter().map(async |order| {
        let stored = buckets
            .preservation
            .store(ELSEWHERE, &buckets.staging, order);
        stored.await.expect("stores");
    }));
    let stop = CancellationToken::new();
    let writers = join_all((0..WRITERS).map(async |number| {
        // As pass one does: a stream is open when the writer begins.
        let mut stream = buckets
            .receiving
            .read_range(&tar, 0..WRITER_BYTES as u64, &stop);
        let key = object_key(&format!("12/{number}"));
        let mut writer = buckets.staging.writer(&key);
        while let Some(frame) = stream.next().await.expect("reads") {
            writer.write(frame).await.expect("writes");
        }
        let written = bytes.slice(..WRITER_BYTES);
        writer.finish(Some(crc(&written))).await.expect("finishes");
    }));
    tokio::join!(copies, writers);

    let budget = connections.budget();
    let most = budget.most_held();
    assert!(most <= BUDGET_BYTES, "{most}");
    assert!(most >= 2 * COPY_BYTES as u64, "they ran at once: {most}");
    assert_eq!(budget.held(), 0);
}

pub(crate) async fn a_copy_goes_on_in_small_steps_while_others_hold_all_there_is_to_read_ahead(
    bench: &Bench,
) {
    let connections = Connections::default();
    let buckets = bench.buckets_of_another_process(&connections);
    let bytes = noise(17 * MIB, 91);
    let key = bench.stage("12/a", &bytes).await;
    // Each has a range under way and nobody who takes it.
    let mut readers = Vec::new();
    for _ in 0..12 {
        readers.push(first_bytes(&buckets.staging, &key, &bytes).await);
    }
    let held_by_readers = connections.budget().held();
    let order = CopyOrder {
        from: key,
        ..orders(bench, &bytes).await.swap_remove(0)
    };

    let stored = buckets
        .preservation
        .store(ELSEWHERE, &buckets.staging, &order);

    stored.await.expect("stores");
    assert_eq!(connections.budget().held(), held_by_readers);
    drop(readers);
    assert!(connections.budget().most_held() <= BUDGET_BYTES);
}

async fn first_bytes(staging: &StagingBucket, key: &ObjectKey, bytes: &Bytes) -> ObjectStream {
    let mut stream = staging.read(key, bytes.len() as u64);
    let first = stream.next().await.expect("reads");
    assert!(first.is_some());
    stream
}

/// Stages a file, and orders many copies of it.
async fn orders(bench: &Bench, bytes: &Bytes) -> Vec<CopyOrder> {
    let from = bench.stage("12/source", bytes).await;
    let orders = (0..COPIES).map(|number| CopyOrder {
        from: from.clone(),
        etag: None,
        to: object_key(&format!("copy-{number}")),
        size: bytes.len() as u64,
        crc64nvme: crc(bytes),
        content_type: "text/plain".to_owned(),
        metadata: HashMap::new(),
    });
    orders.collect()
}
