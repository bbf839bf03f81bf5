//! What each worker asks of the services, as it counts it itself.

use muniment_bag_builder::BagBuilder;
use muniment_meter::{Counts, Service, Tally, total};
use muniment_model::StorageOption;

use crate::checks::{ENDING_WITHIN, assert_preserved, deposit_bag};
use crate::site::{Site, TEST_EDU};

/// Payload files of the bag; each has two copies.
const FILES: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_counts_what_it_asks_of_s3_registry_and_work_store() {
    let site = Site::start().await;
    let bag = (0..FILES).fold(BagBuilder::aptrust("counted"), |bag, number| {
        bag.file(format!("data/{number}.txt"), vec![7; 1_000])
    });
    let tar_bytes = u64::try_from(bag.to_tar().len()).expect("fits");

    let bag = deposit_bag(&site.view, TEST_EDU, &bag, StorageOption::Standard).await;
    let ending = site.view.wait_for_ending(&bag.upload, ENDING_WITHIN).await;

    ending.expect("ends");
    assert_preserved(&site.view, &bag).await;
    let counts = site.system.meters().counts();
    let of = |worker: &str, service, kind: &str| -> Tally {
        let kinds = counts[worker].get(&service);
        kinds
            .and_then(|kinds| kinds.get(kind))
            .copied()
            .unwrap_or_default()
    };
    let received = of("ingest_pre_fetch", Service::S3, "GetObject");
    assert_eq!(received.received_bytes, tar_bytes, "the tar is read once");
    let staged = of("ingest_pre_fetch", Service::S3, "PutObject");
    assert!(staged.calls > FILES, "{staged:?}");
    assert!(staged.sent_bytes > FILES * 1_000, "{staged:?}");
    let copied = of("ingest_preservation_uploader", Service::S3, "CopyObject");
    assert!(copied.calls >= 2 * FILES, "{copied:?}");
    assert_eq!(copied.sent_bytes, 0, "the store copies by itself");
    let looked_at = of("ingest_preservation_verifier", Service::S3, "HeadObject");
    assert_eq!(looked_at.calls, copied.calls);
    assert_eq!(looked_at.received_bytes, 0, "no body comes with a HEAD");
    let recorded = of(
        "ingest_recorder",
        Service::Registry,
        "POST files/create_batch",
    );
    assert_eq!(recorded.calls, 1);
    assert!(recorded.sent_bytes > FILES * 1_000, "{recorded:?}");
    let saved = of("ingest_pre_fetch", Service::WorkStore, "save_files");
    // Packed, but for what is random: the digests.
    assert!(saved.sent_bytes > FILES * 50, "{saved:?}");
    // The sweeps go on meanwhile, and the start asked before there was a worker.
    let asked: u64 = counts.values().map(without_idle_claims).sum();
    let all = site.system.work().round_trips();
    assert!(asked <= all, "{asked} were asked, {all} were answered");
    site.stop().await;
}

fn without_idle_claims(counts: &Counts) -> u64 {
    let idle = counts.get(&Service::WorkStore);
    let idle = idle.and_then(|kinds| kinds.get("idle claim"));
    total(counts, Service::WorkStore).calls - idle.map_or(0, |idle| idle.calls)
}

/// A call that is refused is counted as one that failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_are_counted_as_such() {
    let site = Site::start().await;
    let bag = BagBuilder::aptrust("counted").file("data/a.txt", "a");

    let bag = deposit_bag(&site.view, TEST_EDU, &bag, StorageOption::Standard).await;
    let ending = site.view.wait_for_ending(&bag.upload, ENDING_WITHIN).await;

    ending.expect("ends");
    let counts = site.system.meters().counts();
    // Whether storing has begun is asked before it begins: there is no such object yet.
    let asked = &counts["ingest_preservation_uploader"][&Service::S3]["HeadObject"];
    assert!(asked.failed > 0, "{asked:?}");
    assert!(asked.failed < asked.calls, "{asked:?}");
    site.stop().await;
}
