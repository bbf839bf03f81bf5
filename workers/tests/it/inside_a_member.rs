//! A large member whose reading is interrupted: the next attempt goes on inside it, and nothing waits for
//! a copy that the store makes.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
use muniment_model::{Checkpoint, Clock as _, WorkItemId};
use muniment_observer::Upload;
use muniment_runtime::{SystemClock, WorkerEntry};
use muniment_work::Records;

use crate::ingest::{Ingest, expected_of};
use crate::kit::{Process, WITHIN};
use crate::re_ingests::{assert_fetchable, success_of, uuid_of};

const MIB: u64 = 1 << 20;
const READER: &str = "ingest_pre_fetch";
/// How much of the tar may be asked for again after an interruption.
const AGAIN_MAX: u64 = 64 * MIB;
/// Ranges of 8 MiB that arrive before the reading is held.
const RANGES: u32 = 12;
/// Far less than the 90 s after which a job is dropped wherever it is.
const STOPS_WITHIN: Duration = Duration::from_mins(1);

fn reader() -> &'static WorkerEntry {
    let found = workers::all().iter().find(|worker| worker.name == READER);
    found.expect("it is there")
}

fn gets_of_the_tar() -> Requests {
    Requests::of(Method::GET).containing("photos.tar")
}

/// All other workers, and a reader behind a proxy.
struct Interrupted {
    ingest: Ingest,
    proxy: FaultProxy,
    first: Process,
}

impl Interrupted {
    async fn start(plan: impl FnOnce(&FaultProxy)) -> Self {
        let mut ingest = Ingest::with(|name| name != READER).await;
        let proxy = FaultProxy::before(ingest.site.s3_url.trim_end_matches('/')).await;
        let proxy = proxy.expect("a proxy");
        plan(&proxy);
        ingest.site.s3_url = format!("{}/", proxy.url());
        let first = ingest.site.spawn(reader()).await;
        Self {
            ingest,
            proxy,
            first,
        }
    }

    async fn checkpoint(&self, upload: &Upload) -> Option<Checkpoint> {
        let item = self.ingest.item_of(upload).await;
        let id = WorkItemId(item["id"].as_i64().expect("an id"));
        self.ingest.site.work.checkpoint(id).await.expect("read")
    }

    /// Ends the reader by a signal, and starts another without faults. Answers when the first had ended.
    async fn interrupt(&mut self, signal: &str) -> DateTime<Utc> {
        self.first.signal(signal);
        let told = Instant::now();
        let status = self.first.ended().await;
        let (took, ended_at) = (told.elapsed(), SystemClock.now());
        let logged = self.first.logged();
        assert_eq!(status.success(), signal == "TERM", "{logged}");
        assert!(took < STOPS_WITHIN, "{took:?}: {logged}");
        self.proxy.heal();
        // Without this a lease of the dead would run out after a minute.
        let revoked = self.ingest.site.work.revoke_all_leases().await;
        revoked.expect("revoked");
        self.ingest.start(READER).await;
        ended_at
    }

    async fn last_fixity_check(&self, path: &str) -> DateTime<Utc> {
        let identifier = format!("test.edu/photos/{path}");
        let file = self.ingest.observer.file(&identifier).await;
        let file = file.expect("answers").expect("a file");
        let text = file["last_fixity_check"].as_str().expect("a time");
        text.parse().expect("a time")
    }

    /// How many bytes of the tar were asked for.
    fn asked_for(&self) -> u64 {
        let seen = self.proxy.seen(&gets_of_the_tar());
        let lengths = seen.iter().map(|request| {
            let range = request.header("range").expect("a range");
            let (first, last) = range
                .trim_start_matches("bytes=")
                .split_once('-')
                .expect("two ends");
            let [first, last] = [first, last].map(|end| end.parse::<u64>().expect("a number"));
            last + 1 - first
        });
        lengths.sum()
    }
}

async fn wait_until(wanted: impl AsyncFn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let reached = tokio::time::timeout(WITHIN, async {
        while !wanted().await {
            ticks.tick().await;
        }
    });
    reached.await.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_interrupted_inside_a_member_goes_on_there() {
    for signal in ["TERM", "KILL"] {
        let mut interrupted = Interrupted::start(|proxy| {
            let passed = Fault::Delay(Duration::ZERO);
            proxy.plan(gets_of_the_tar(), Times::Next(RANGES), passed);
            proxy.plan(gets_of_the_tar(), Times::Always, Fault::Hold);
        })
        .await;
        let bag = BagBuilder::aptrust("photos")
            .file("data/hello.txt", "hello")
            .generated_file("data/large.bin", 160 * MIB, 1)
            .file("data/world.txt", "world");
        let tar = bag.to_tar();
        let (size, expected) = (tar.len() as u64, expected_of(&tar));
        let upload = interrupted.ingest.upload("photos.tar", tar).await;
        wait_until(async || {
            let checkpoint = interrupted.checkpoint(&upload).await;
            let inside = checkpoint.and_then(|checkpoint| checkpoint.inside);
            inside.is_some_and(|inside| inside.position >= 64 * MIB)
        })
        .await;

        interrupted.interrupt(signal).await;

        interrupted.ingest.check_preserved(&upload, &expected).await;
        let again = interrupted.asked_for() - size;
        println!("{signal}: {again} bytes of {size} were read again");
        assert!(again <= AGAIN_MAX, "{signal}: {again}");
        interrupted.ingest.stop().await;
    }
}

/// The registry knows the file by its path and size. It is read again all the same, and copied nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_ingest_that_is_interrupted_goes_on_inside_a_file_that_it_does_not_stage() {
    let mut interrupted = Interrupted::start(|_| ()).await;
    let bag = |text: &str| {
        BagBuilder::aptrust("photos")
            .file("data/hello.txt", text)
            .generated_file("data/large.bin", 160 * MIB, 1)
    };
    let first = interrupted.ingest.upload("photos.tar", bag("one").to_tar());
    success_of(&interrupted.ingest, &first.await).await;
    let stored = uuid_of(&interrupted.ingest, "data/large.bin").await;
    let copies = Requests::of(Method::PUT).containing("partNumber=");
    let asked_before = interrupted.asked_for();
    let copies_before = interrupted.proxy.seen(&copies).len();
    interrupted.proxy.plan(
        gets_of_the_tar(),
        Times::Next(RANGES),
        Fault::Delay(Duration::ZERO),
    );
    interrupted
        .proxy
        .plan(gets_of_the_tar(), Times::Always, Fault::Hold);
    let tar = bag("three").to_tar();
    let size = tar.len() as u64;
    let second = interrupted.ingest.upload("photos.tar", tar).await;
    wait_until(async || {
        let checkpoint = interrupted.checkpoint(&second).await;
        let inside = checkpoint.and_then(|checkpoint| checkpoint.inside);
        inside.is_some_and(|inside| inside.position >= 64 * MIB)
    })
    .await;

    interrupted.interrupt("KILL").await;

    success_of(&interrupted.ingest, &second).await;
    let again = interrupted.asked_for() - asked_before - size;
    assert!(again <= AGAIN_MAX, "{again}");
    assert_eq!(interrupted.proxy.seen(&copies).len(), copies_before);
    let kept = uuid_of(&interrupted.ingest, "data/large.bin").await;
    assert_eq!(kept, stored);
    assert_fetchable(&interrupted.ingest).await;
    interrupted.ingest.stop().await;
}

/// Of a payload file, which nobody needs yet, and of a tag file, which Validate needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_gives_up_the_copies_that_the_store_is_making() {
    for path in ["data/large.bin", "custom/large.bin"] {
        let copies = || Requests::of(Method::PUT).containing("partNumber=");
        let mut interrupted = Interrupted::start(|proxy| {
            proxy.plan(copies(), Times::Always, Fault::Hold);
        })
        .await;
        let bag = BagBuilder::aptrust("photos")
            .generated_file(path, 40 * MIB, 1)
            .file("data/world.txt", "world");
        let tar = bag.to_tar();
        let (size, expected) = (tar.len() as u64, expected_of(&tar));
        let upload = interrupted.ingest.upload("photos.tar", tar).await;
        wait_until(async || !interrupted.proxy.seen(&copies()).is_empty()).await;

        let stopped_at = interrupted.interrupt("TERM").await;

        interrupted.ingest.check_preserved(&upload, &expected).await;
        let again = interrupted.asked_for().saturating_sub(size);
        assert!(again <= AGAIN_MAX, "{path}: {again}");
        if path.starts_with("data/") {
            // What was digested then is not said to have been digested when it was copied.
            assert!(interrupted.last_fixity_check(path).await <= stopped_at);
        }
        interrupted.ingest.stop().await;
    }
}
