//! Bags that are ingested again: what is asked of the stores and of the registry, and what happens to files
//! that were never staged.

use std::collections::BTreeMap;
use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
use muniment_model::{BatchNumber, Digests, FileRecord, ObjectRecord, QueueName, Stamp};
use muniment_observer::{Observer, TarListing, Upload};
use muniment_work::BATCH_FILES_MAX;
use serde_json::Value;

use crate::ingest::{Ingest, bucket};
use crate::kit::{RECORDS, STAGING, WITHIN};

const PHOTOS: &str = "test.edu/photos";
/// More than a batch of 500.
const FILES: usize = 620;

/// Both sides of the workers, counted.
struct Counted {
    ingest: Ingest,
    s3: FaultProxy,
    registry: FaultProxy,
}

impl Counted {
    async fn start() -> Self {
        let mut ingest = Ingest::with(|_| false).await;
        let s3 = FaultProxy::before(ingest.site.s3_url.trim_end_matches('/')).await;
        let registry = FaultProxy::before(ingest.site.registry_url.trim_end_matches('/')).await;
        let (s3, registry) = (s3.expect("a proxy"), registry.expect("a proxy"));
        ingest.site.s3_url = format!("{}/", s3.url());
        ingest.site.registry_url = format!("{}/", registry.url());
        for worker in workers::all() {
            ingest.start(worker.name).await;
        }
        Self {
            ingest,
            s3,
            registry,
        }
    }

    /// How often each kind of request has come, of those that the budget is about.
    fn requests(&self) -> Sent {
        let of = |proxy: &FaultProxy, method, part: &str| {
            proxy
                .seen(&Requests::of(method).containing(part))
                .iter()
                .filter(|request| !request.target.contains("/index/"))
                .count()
        };
        let s3 = |method, part: &str| of(&self.s3, method, part);
        let registry = |method, part: &str| of(&self.registry, method, part);
        Sent {
            staged: s3(Method::PUT, "/staging/"),
            copied: s3(Method::PUT, "/preservation-"),
            asked: s3(Method::HEAD, "/preservation-"),
            objects_shown: registry(Method::GET, "/objects/show/"),
            pages_of_sizes: registry(Method::GET, "/files/sizes/"),
            looked_up: registry(Method::POST, "/files/lookup"),
            batches_recorded: registry(Method::POST, "/files/create_batch/"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    staged: usize,
    copied: usize,
    asked: usize,
    objects_shown: usize,
    pages_of_sizes: usize,
    looked_up: usize,
    batches_recorded: usize,
}

impl Sent {
    fn since(self, before: Self) -> Self {
        Self {
            staged: self.staged - before.staged,
            copied: self.copied - before.copied,
            asked: self.asked - before.asked,
            objects_shown: self.objects_shown - before.objects_shown,
            pages_of_sizes: self.pages_of_sizes - before.pages_of_sizes,
            looked_up: self.looked_up - before.looked_up,
            batches_recorded: self.batches_recorded - before.batches_recorded,
        }
    }
}

fn many(changed: &str, same_size: &str) -> BagBuilder {
    let bag = BagBuilder::aptrust("photos")
        .file("data/changed.txt", changed)
        .file("data/same-size.txt", same_size);
    (0..FILES).fold(bag, |bag, number| {
        bag.file(format!("data/{number}.txt"), number.to_string())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_ingest_asks_for_what_has_changed_and_for_nothing_else() {
    let counted = Counted::start().await;
    let ingest = &counted.ingest;
    let first = many("one", "one").to_tar();
    success_of(ingest, &ingest.upload("photos.tar", first.clone()).await).await;
    let second = many("three", "two").file("data/new.txt", "new").to_tar();
    let before = counted.requests();

    let upload = ingest.upload("photos.tar", second.clone()).await;
    let item = success_of(ingest, &upload).await;

    let sent = counted.requests().since(before);
    println!("{FILES} files: {sent:?}");
    let was = bytes_of(&first);
    let now = TarListing::read(second.as_slice()).expect("a tar");
    let tag_files = now
        .members()
        .iter()
        .filter(|member| !member.path.starts_with("data/"))
        .count();
    let changed: Vec<_> = now
        .preserved()
        .filter(|member| was.get(&member.path) != Some(&member.digests))
        .collect();
    let to_save = changed.len();
    let unchanged = now.preserved().count() - to_save;
    let batches = now.members().chunks(BATCH_FILES_MAX);
    let batches = batches.filter(|batch| batch.iter().any(|member| changed.contains(&member)));
    let expected = Sent {
        // Two of the three at Receive, the third, of which only the bytes differ, at Copy To Staging.
        staged: tag_files + 3,
        copied: 2 * to_save,
        // Each copy of an unchanged file before it is passed over, and each copy that was made.
        asked: 2 * (unchanged + to_save),
        // At Receive and at Reingest Check.
        objects_shown: 2,
        pages_of_sizes: 1,
        looked_up: 1,
        batches_recorded: batches.count(),
    };
    assert_eq!(sent, expected);
    let end = deposit_record(&ingest.observer, &item).await.pop();
    let end = end.expect("a line");
    assert_eq!(end["line"], "end", "{end}");
    assert_eq!(end["unchanged"], unchanged, "{end}");
    assert_eq!(end["files"], to_save, "{end}");
    assert_fetchable(ingest).await;
    counted.ingest.stop().await;
}

/// By path and size they look unchanged. Of one the bytes have changed, of another a copy is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looked_unchanged_is_staged_later_and_stored() {
    let ingest = Ingest::with(|_| true).await;
    let bag = |seed| {
        BagBuilder::aptrust("photos")
            .generated_file("data/changed.bin", 17 << 20, seed)
            .generated_file("data/lost.bin", 17 << 20, 3)
            .generated_file("data/kept.bin", 17 << 20, 4)
            .file("data/small.txt", seed.to_string())
            .file("data/same.txt", "same")
    };
    let first = ingest.upload("photos.tar", bag(1).to_tar()).await;
    success_of(&ingest, &first).await;
    let (kept, same) = (
        uuid_of(&ingest, "data/kept.bin").await,
        uuid_of(&ingest, "data/same.txt").await,
    );
    let lost = uuid_of(&ingest, "data/lost.bin").await;
    let key = lost.as_str().expect("a uuid");
    let [va, _or] = copies_of(&ingest, "data/lost.bin").await;
    assert!(va.ends_with(key), "{va}");
    let va = bucket(va.rsplit('/').nth(1).expect("a bucket"));
    ingest.observer.lose(&va, key).await.expect("deleted");

    let second = ingest.upload("photos.tar", bag(2).to_tar()).await;
    success_of(&ingest, &second).await;

    assert_eq!(uuid_of(&ingest, "data/kept.bin").await, kept);
    assert_eq!(uuid_of(&ingest, "data/same.txt").await, same);
    assert_ne!(uuid_of(&ingest, "data/lost.bin").await, lost);
    assert_fetchable(&ingest).await;
    ingest.stop().await;
}

/// Staged files are lost before Store, all of them, and at last the records, with the bag's unchanged files
/// in staging at no time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_never_staged_block_no_repair() {
    let store = "ingest_preservation_uploader";
    let queue = QueueName::IngestPreservationUploader;
    let bag = |text: &str| {
        BagBuilder::aptrust("photos")
            .file("data/changed.txt", text)
            .file("data/kept.txt", "kept")
            .generated_file("data/large.bin", 17 << 20, 1)
    };
    for loss in [Loss::Staging, Loss::Records] {
        let mut ingest = Ingest::with(|_| true).await;
        let first = ingest.upload("photos.tar", bag("one").to_tar()).await;
        success_of(&ingest, &first).await;
        let kept = uuid_of(&ingest, "data/kept.txt").await;
        ingest.stop_one(store).await;
        let tar = bag("three").to_tar();
        let members = TarListing::read(tar.as_slice())
            .expect("a tar")
            .members()
            .len();
        let second = ingest.upload("photos.tar", tar).await;
        ingest.site.wait_until_waiting(queue).await;
        let staged = ingest.staged_files().await;
        assert_eq!(staged.len(), members - 2, "{staged:?}");

        match loss {
            Loss::Staging => {
                for key in &staged {
                    let lost = ingest.observer.lose(&bucket(STAGING), key).await;
                    lost.expect("deleted");
                }
            }
            Loss::Records => {
                let at = (queue, BatchNumber(0));
                ingest.change_records(&second, at, forget_registered).await;
            }
        }
        ingest.start(store).await;

        success_of(&ingest, &second).await;
        assert_eq!(uuid_of(&ingest, "data/kept.txt").await, kept, "{loss:?}");
        assert_fetchable(&ingest).await;
        ingest.stop().await;
    }
}

#[derive(Debug)]
enum Loss {
    Staging,
    Records,
}

/// Asked what it knows of the object, the registry does not answer. The item waits, and no attempt counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_does_not_tell_what_it_knows_is_waited_for() {
    let counted = Counted::start().await;
    let bag = |text: &str| BagBuilder::aptrust("photos").file("data/a.txt", text);
    let first = counted
        .ingest
        .upload("photos.tar", bag("one").to_tar())
        .await;
    success_of(&counted.ingest, &first).await;
    for part in ["/objects/show/", "/files/sizes/"] {
        let asked = Requests::of(Method::GET).containing(part);
        let before = counted.registry.seen(&asked).len();
        counted
            .registry
            .plan(asked.clone(), Times::Always, Fault::unavailable(None));
        let again = counted
            .ingest
            .upload("photos.tar", bag(part).to_tar())
            .await;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let seen = tokio::time::timeout(WITHIN, async {
            // More than one call repeats within seconds: the message has rested and was claimed again.
            while counted.registry.seen(&asked).len() < before + 5 {
                ticks.tick().await;
            }
        });
        seen.await.expect("asked again");
        let waiting = counted.ingest.item_of(&again).await;
        assert_eq!(waiting["stage"], "Receive", "{waiting:#}");
        assert_ne!(waiting["status"], "Suspended", "{waiting:#}");

        counted.registry.heal();

        success_of(&counted.ingest, &again).await;
        assert_fetchable(&counted.ingest).await;
    }
    counted.ingest.stop().await;
}

/// Every member with its digests.
fn bytes_of(tar: &[u8]) -> BTreeMap<String, Digests> {
    let listing = TarListing::read(tar).expect("a tar");
    let members = listing.members().iter();
    members
        .map(|member| (member.path.clone(), member.digests))
        .collect()
}

pub(crate) async fn success_of(ingest: &Ingest, upload: &Upload) -> Value {
    let ended = ingest.observer.wait_for_ending(upload, WITHIN).await;
    let item = ended.expect("ends");
    assert_eq!(item["status"], "Success", "{item:#}");
    item
}

pub(crate) async fn assert_fetchable(ingest: &Ingest) {
    let differences = ingest.observer.check_fetchable(PHOTOS).await;
    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
}

pub(crate) async fn file_of(ingest: &Ingest, path: &str) -> Value {
    let found = ingest.observer.file(&format!("{PHOTOS}/{path}")).await;
    found.expect("answers").expect("a file")
}

pub(crate) async fn uuid_of(ingest: &Ingest, path: &str) -> Value {
    file_of(ingest, path).await["uuid"].clone()
}

async fn copies_of(ingest: &Ingest, path: &str) -> [String; 2] {
    let file = file_of(ingest, path).await;
    [0, 1].map(|at| {
        let url = file["storage_records"][at]["url"].as_str();
        url.expect("a URL").to_owned()
    })
}

/// The lines of an item's deposit record.
pub(crate) async fn deposit_record(view: &Observer, item: &Value) -> Vec<Value> {
    let key = format!("{PHOTOS}/{}.jsonl.zst", item["id"]);
    let packed = view.bytes(&bucket(RECORDS), &key).await.expect("answers");
    let text = zstd::decode_all(packed.expect("a record").as_slice()).expect("unpacks");
    let text = String::from_utf8(text).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// As the records were before Reingest Check.
fn forget_registered(object: &mut ObjectRecord, files: &mut [FileRecord]) {
    object.stamp = Stamp::Validated;
    object.registered = None;
    for file in files {
        file.registered = None;
    }
}
