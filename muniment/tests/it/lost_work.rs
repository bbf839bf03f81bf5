//! The work store is a cache: losing all of it in the middle, or what it learned last, changes only the
//! duration.

use std::path::Path;
use std::time::Duration;

use muniment::up::{Options, System};
use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use tokio::time::{interval, timeout};

use crate::checks::{
    ENDING_WITHIN, assert_nothing_staged, assert_preserved, deposit_bag, ending_of,
};
use crate::progress::stages_from;
use crate::site::{TEST_EDU, observer_of};

const LOOK_EVERY: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_the_loss_of_the_whole_work_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = System::start(&Options::on(folder.path()))
        .await
        .expect("starts");
    let before = observer_of(first.instance());
    let mut bags = Vec::new();
    for n in 0..6 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..700 {
            bag = bag.generated_file(format!("data/{m}.bin"), 500 + m, n * 1_000 + m);
        }
        bags.push(deposit_bag(&before, TEST_EDU, &bag, StorageOption::Standard).await);
    }
    ending_of(&before, &bags[0].upload).await;

    first.stop().await;
    drop(first);
    remove_work_store(folder.path());
    let second = System::start(&Options::on(folder.path()))
        .await
        .expect("starts again");
    let after = observer_of(second.instance());

    for bag in &bags {
        assert_preserved(&after, bag).await;
    }
    assert_nothing_staged(&after).await;
    second.stop().await;
}

/// New objects and new versions of old ones, with storage options that are not the usual one. The store is
/// copied while they are on their way, and put back when they have gone further.
#[tokio::test(flavor = "multi_thread")]
async fn ten_ingests_survive_a_work_store_that_goes_back_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = tempfile::tempdir().expect("a folder");
    let first = System::start(&Options::on(folder.path()))
        .await
        .expect("starts");
    let view = observer_of(first.instance());
    for n in 0..BAGS / 2 {
        let old = deposit_bag(&view, TEST_EDU, &bag(n, 0), option_of(n)).await;
        ending_of(&view, &old.upload).await;
    }
    let before = stages_from(&view, 1).await;
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for n in 0..BAGS {
        let deposited = deposit_bag(&view, TEST_EDU, &bag(n, 1), option_of(n)).await;
        let bags = if n < BAGS / 2 { &mut old } else { &mut new };
        bags.push(deposited);
    }
    let passed = stages_from(&view, before + BEFORE_THE_COPY).await;
    first.stop().await;
    drop(first);
    wait_until_closed(folder.path()).await;
    copy_work_store(folder.path(), copy.path());

    let second = System::start(&Options::on(folder.path()))
        .await
        .expect("starts again");
    stages_from(&observer_of(second.instance()), passed + FURTHER).await;
    second.stop().await;
    drop(second);
    wait_until_closed(folder.path()).await;
    remove_work_store(folder.path());
    copy_work_store(copy.path(), folder.path());
    let third = System::start(&Options::on(folder.path()))
        .await
        .expect("starts once more");

    let after = observer_of(third.instance());
    for bag in &new {
        assert_preserved(&after, bag).await;
    }
    for bag in &old {
        let item = ending_of(&after, &bag.upload).await;
        assert_eq!(item["status"], "Success", "{item:#}");
        let differences = after.check_fetchable(&bag.expected.object).await;
        let differences = differences.expect("answers");
        assert!(differences.is_empty(), "{}: {differences}", bag.upload.key);
    }
    let copies = after.preserved_keys().await.expect("keys").len();
    assert_eq!(copies, COPIES);
    assert_nothing_staged(&after).await;
    third.stop().await;
}

const BAGS: u64 = 10;
/// One of each: 61 payload files and bag-info.txt of each bag, and what the new versions of five changed.
const COPIES: usize = 10 * 62 + 5 * 60;
/// Stages of some hundred that the ingests pass before the copy is made ...
const BEFORE_THE_COPY: usize = 25;
/// ... and after it.
const FURTHER: usize = 40;

fn option_of(n: u64) -> StorageOption {
    [StorageOption::WasabiOr, StorageOption::GlacierOh][(n % 2) as usize]
}

/// The files of a version differ from those of another, but for one.
fn bag(n: u64, version: u64) -> BagBuilder {
    let mut bag = BagBuilder::btr(format!("bag-{n}"))
        .storage_option(option_of(n))
        .generated_file("data/same.bin", 5_000, n);
    for m in 0..60 {
        bag = bag.generated_file(
            format!("data/{m}.bin"),
            500 + m,
            n * 1_000 + m + 500 * version,
        );
    }
    bag
}

/// Its connections are closed on threads of their own, and one of them may fold the log into the file.
async fn wait_until_closed(folder: &Path) {
    let store = folder.join("work.db");
    let is_open = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("Linux");
        let mut paths = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        paths.any(|path| path == store)
    };
    let mut looks = interval(LOOK_EVERY);
    let closed = timeout(ENDING_WITHIN, async {
        while is_open() {
            looks.tick().await;
        }
    });
    closed.await.expect("the work store is closed");
}

/// The store, and what of it is still in its log.
const STORE: [&str; 2] = ["work.db", "work.db-wal"];

fn copy_work_store(from: &Path, to: &Path) {
    for file in STORE {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).expect("copies");
        }
    }
}

fn remove_work_store(folder: &Path) {
    for file in ["work.db", "work.db-wal", "work.db-shm"] {
        let path = folder.join(file);
        if path.exists() {
            std::fs::remove_file(path).expect("removes");
        }
    }
}
