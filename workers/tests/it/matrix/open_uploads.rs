//! S7: uploads in parts that are interrupted, and what is left open of them.

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, Method, Requests, Times};
use muniment_model::{BucketName, StorageOption};

use super::{Deposited, Proxied, puts};
use crate::ingest::{Ingest, bucket};
use crate::kit::{RECORDS, STAGING, WITHIN, preservation_buckets};

/// A file is staged by a copy of its range of the tar, and then streamed to another store in parts.
async fn deposit(proxied: &Proxied, name: &str) -> Deposited {
    let bag = BagBuilder::aptrust(name)
        .storage_option(StorageOption::WasabiOr)
        .file("data/hello.txt", "hello")
        .generated_file("data/large.bin", 40 << 20, 1);
    let mut deposited = proxied.deposit(&bag).await;
    deposited.expected.option = StorageOption::WasabiOr;
    deposited
}

fn parts(number: u32) -> Requests {
    puts(&format!("partNumber={number}"))
}

fn completions() -> Requests {
    Requests::of(Method::POST).containing("uploadId=")
}

/// In these buckets.
async fn open_uploads(ingest: &Ingest, buckets: &[BucketName]) -> Vec<String> {
    let mut open = Vec::new();
    for bucket in buckets {
        let found = ingest.observer.open_uploads(bucket).await;
        open.extend(found.expect("listed"));
    }
    open
}

async fn assert_none_is_open(proxied: &Proxied) {
    let preservation = preservation_buckets();
    let buckets = preservation.into_values();
    let all: Vec<BucketName> = buckets.chain([bucket(STAGING), bucket(RECORDS)]).collect();
    let open = open_uploads(&proxied.ingest, &all).await;
    assert_eq!(open, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_a_lost_part_or_completion_is_made_again_and_no_upload_stays_open() {
    let rows = [
        ("unavailable", Fault::unavailable(None)),
        ("reset", Fault::ResetAfter(0)),
        ("unanswered", Fault::DropAnswer),
    ];
    let proxied = Proxied::start().await;

    let mut bags = Vec::new();
    for (name, fault) in rows {
        for proxy in [&proxied.near, &proxied.far] {
            proxy.plan(parts(1), Times::Next(1), fault.clone());
            proxy.plan(completions(), Times::Next(1), fault.clone());
        }
        proxied.far.plan(parts(2), Times::Next(1), fault);
        let deposited = deposit(&proxied, name).await;
        let Deposited { upload, expected } = &deposited;
        proxied.ingest.check_preserved(upload, expected).await;
        bags.push(deposited);
    }

    proxied.assert_preserved(&bags).await;
    assert!(proxied.far.seen(&parts(2)).len() > 3);
    assert!(proxied.near.seen(&completions()).len() > 3);
    assert_none_is_open(&proxied).await;
    proxied.ingest.stop().await;
}

/// While it stages and while it stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_an_upload_that_a_killed_worker_left_open_is_aborted() {
    let preservation: Vec<BucketName> = preservation_buckets().into_values().collect();
    for (name, buckets) in [
        ("ingest_pre_fetch", vec![bucket(STAGING)]),
        // Not staging: pass one may have one open there when it is looked at.
        ("ingest_preservation_uploader", preservation),
    ] {
        let mut proxied = Proxied::with(|other| other != name).await;
        for proxy in [&proxied.near, &proxied.far] {
            proxy.plan(parts(1), Times::Always, Fault::Hold);
        }
        if name == "ingest_preservation_uploader" {
            // Pass one stages in parts, too.
            proxied.near.heal();
        }
        let deposited = deposit(&proxied, "photos").await;
        proxied.ingest.start(name).await;
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        let begun = tokio::time::timeout(WITHIN, async {
            while open_uploads(&proxied.ingest, &buckets).await.is_empty() {
                ticks.tick().await;
            }
        });
        begun.await.expect("an upload is begun");

        proxied.ingest.kill_last().await;

        assert!(!open_uploads(&proxied.ingest, &buckets).await.is_empty());
        for proxy in [&proxied.near, &proxied.far] {
            proxy.heal();
        }
        // Without this the lease of the dead would run out after a minute.
        let revoked = proxied.ingest.site.work.revoke_all_leases().await;
        revoked.expect("revoked");
        proxied.ingest.start(name).await;
        proxied.assert_preserved(&[deposited]).await;
        assert_none_is_open(&proxied).await;
        proxied.ingest.stop().await;
    }
}
