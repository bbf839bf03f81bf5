//! S8 and S9: the tar is replaced or deleted while its item is on the way: waiting for each worker, in the
//! middle of the reading, and in the middle of storing.
//!
//! The workers are started one after the other, so that each bag can be met where it waits.

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, Requests, Times};
use muniment_model::{Algorithm, QueueName};
use muniment_observer::Upload;
use serde_json::Value;

use super::{Proxied, gets, puts};
use crate::ingest::{Ingest, bucket};
use crate::kit::{RECEIVING, WITHIN};

const STORE: QueueName = QueueName::IngestPreservationUploader;
const SWEEPS: [&str; 2] = ["ingest_bucket_reader", "apt_queue"];
const OLDER: &str = "the older upload";
const NEWER: &str = "the newer upload";

/// The last stage of an item whose bag is stored whatever becomes of its tar comes after these.
const UP_TO_STORE: [QueueName; 6] = [
    QueueName::IngestPreFetch,
    QueueName::IngestValidator,
    QueueName::ReingestManager,
    QueueName::IngestStagingUploader,
    QueueName::IngestFormatIdentifier,
    STORE,
];
const FROM_STORE_ON: [QueueName; 3] = [
    QueueName::IngestPreservationVerifier,
    QueueName::IngestRecorder,
    QueueName::IngestCleanup,
];

/// One bag, which is changed when it has come to a certain point.
struct Changed {
    name: String,
    is_stored: bool,
    /// The item of the first upload.
    item: Value,
    /// What takes its place.
    newer: Option<Upload>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Replace,
    Delete,
}

fn bag(name: &str, letter: &str) -> BagBuilder {
    BagBuilder::aptrust(name)
        .file("data/letter.txt", letter)
        .file("data/same.txt", "the same")
}

impl Change {
    async fn make(self, ingest: &Ingest, bag: BagBuilder) -> Option<Upload> {
        match self {
            Self::Replace => Some(ingest.upload(&bag.key(), bag.to_tar()).await),
            Self::Delete => {
                let lost = ingest.observer.lose(&bucket(RECEIVING), &bag.key()).await;
                lost.expect("deleted");
                None
            }
        }
    }

    /// Each bag while it waits for its own worker.
    async fn at_each_stage(self, ingest: &mut Ingest) -> Vec<Changed> {
        let queues = [&UP_TO_STORE[..], &FROM_STORE_ON].concat();
        let mut uploads = Vec::new();
        for queue in &queues {
            let bag = bag(queue.as_str(), OLDER);
            uploads.push(ingest.upload(&bag.key(), bag.to_tar()).await);
        }
        let mut changed = Vec::new();
        for (queue, upload) in queues.iter().zip(&uploads) {
            let stage = queue.step().stage.expect("a stage").as_str();
            let item = ingest
                .wait_for_item(upload, |item| {
                    item["stage"] == stage && item["status"] == "Pending"
                })
                .await;
            let name = queue.as_str();
            changed.push(Changed {
                name: name.to_owned(),
                is_stored: FROM_STORE_ON.contains(queue),
                item,
                newer: self.make(ingest, bag(name, NEWER)).await,
            });
            ingest.start(name).await;
        }
        changed
    }

    /// One bag when a part of its tar has been read, and one when a copy is on its way.
    async fn in_the_middle(self, proxied: &Proxied) -> Vec<Changed> {
        let large = |name: &str, letter| bag(name, letter).generated_file("data/x", 40 << 20, 1);
        let mut changed = Vec::new();
        for (name, held) in [
            ("reading", gets("/reading.tar")),
            ("storing", puts("/preservation-")),
        ] {
            let passed = Fault::Delay(std::time::Duration::ZERO);
            proxied.near.plan(held.clone(), Times::Next(1), passed);
            proxied.near.plan(held.clone(), Times::Always, Fault::Hold);
            let before = proxied.near.seen(&held).len();
            let older = large(name, OLDER);
            let ingest = &proxied.ingest;
            let upload = ingest.upload(&older.key(), older.to_tar()).await;
            wait_until_seen(proxied, &held, before + 2).await;
            let one = Changed {
                name: name.to_owned(),
                is_stored: name == "storing",
                item: ingest.item_of(&upload).await,
                newer: self.make(ingest, large(name, NEWER)).await,
            };
            proxied.near.heal();
            ending_of(ingest, &one.item).await;
            if let Some(newer) = &one.newer {
                let ended = ingest.observer.wait_for_ending(newer, WITHIN).await;
                ended.expect("answers");
            }
            changed.push(one);
        }
        changed
    }
}

async fn wait_until_seen(proxied: &Proxied, requests: &Requests, count: usize) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    let seen = tokio::time::timeout(WITHIN, async {
        while proxied.near.seen(requests).len() < count {
            ticks.tick().await;
        }
    });
    seen.await.expect("it comes to that");
}

/// Of this very item, whatever was uploaded after it.
async fn ending_of(ingest: &Ingest, item: &Value) -> Value {
    let path = format!("items/show/{}", item["id"]);
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
    let ended = tokio::time::timeout(WITHIN, async {
        loop {
            ticks.tick().await;
            let seen = ingest.observer.rest(&path).await.expect("answers");
            if seen["status"] != "Pending" && seen["status"] != "Started" {
                return seen;
            }
        }
    });
    ended.await.expect("it ends")
}

/// Each item and each file of each object, and not a copy more than they need.
async fn assert_no_mix(ingest: &Ingest, all: &[Changed], why: &str) {
    let mut copies = 0;
    for one in all {
        let Changed { name, .. } = one;
        let older = ending_of(ingest, &one.item).await;
        let (status, letter) = match (&one.newer, one.is_stored) {
            (Some(_), true) => ("Success", Some(NEWER)),
            (Some(_), false) => ("Cancelled", Some(NEWER)),
            (None, true) => ("Success", Some(OLDER)),
            (None, false) => ("Cancelled", None),
        };
        assert_eq!(older["status"], status, "{name}: {older:#}");
        assert_eq!(older["retry"], false, "{name}: {older:#}");
        let note = older["note"].as_str().unwrap_or_default();
        if !one.is_stored {
            assert!(note.contains(why), "{name}: {note}");
        }
        if let Some(newer) = &one.newer {
            let ended = ingest.observer.wait_for_ending(newer, WITHIN).await;
            let ended = ended.expect("answers");
            assert_eq!(ended["status"], "Success", "{name}: {ended:#}");
            assert_ne!(ended["id"], older["id"]);
        }
        copies += assert_holds(ingest, name, letter).await;
        if one.newer.is_some() && one.is_stored {
            // The older letter was stored and is kept for its undo time.
            copies += 2;
        }
    }
    let keys = ingest.observer.preserved_keys().await.expect("keys");
    assert_eq!(keys.len(), copies, "{keys:?}");
    let staged = ingest.observer.staged_keys().await.expect("keys");
    assert_eq!(staged, Vec::<String>::new());
}

/// Answers how many copies of current files the object has.
async fn assert_holds(ingest: &Ingest, name: &str, letter: Option<&str>) -> usize {
    let object = format!("test.edu/{name}");
    let identifier = format!("{object}/data/letter.txt");
    let file = ingest.observer.file(&identifier).await.expect("answers");
    let Some(letter) = letter else {
        assert_eq!(file, None, "{name}");
        return 0;
    };
    let sha256 = muniment_digest::digest(letter.as_bytes()).hex(Algorithm::Sha256);
    let file = file.expect("a file");
    assert!(file["checksums"].to_string().contains(&sha256), "{file:#}");
    let differences = ingest.observer.check_fetchable(&object).await;
    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{name}: {differences}");
    let object = ingest.observer.object(&object).await.expect("answers");
    let files = object.expect("an object")["file_count"].as_u64();
    2 * usize::try_from(files.expect("a count")).expect("fits")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s8_a_tar_that_is_replaced_at_any_stage_is_ingested_once_as_it_was_and_once_as_it_is() {
    let mut ingest = Ingest::with(|name| SWEEPS.contains(&name)).await;
    let all = Change::Replace.at_each_stage(&mut ingest).await;
    assert_no_mix(&ingest, &all, "was replaced by the upload of").await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s8_a_tar_that_is_replaced_while_it_is_read_or_stored_is_never_mixed() {
    let proxied = Proxied::start().await;
    let all = Change::Replace.in_the_middle(&proxied).await;
    assert_no_mix(&proxied.ingest, &all, "was replaced by").await;
    proxied.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s9_a_tar_that_is_deleted_at_any_stage_is_cancelled_or_preserved() {
    let mut ingest = Ingest::with(|name| SWEEPS.contains(&name)).await;
    let all = Change::Delete.at_each_stage(&mut ingest).await;
    assert_no_mix(&ingest, &all, "upload it again to have it ingested").await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s9_a_tar_that_is_deleted_while_it_is_read_or_stored_leaves_nothing_half_done() {
    let proxied = Proxied::start().await;
    let all = Change::Delete.in_the_middle(&proxied).await;
    assert_no_mix(&proxied.ingest, &all, "upload it again to have it ingested").await;
    proxied.ingest.stop().await;
}
