//! `kill -9` in the middle, and a start on the same folder.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muniment::up::instance::Instance;
use muniment_bagit::build::BagBuilder;
use muniment_model::StorageOption;
use tokio::time::{interval, timeout};

use crate::checks::assert_preserved;
use crate::site::{TEST_EDU, View};

const READY_WITHIN: Duration = Duration::from_secs(30);
const BAGS: u64 = 10;
/// Together they last about as long as the ten ingests, so that kills fall into every stage.
const KILLS: u32 = 12;
const LIFE: Duration = Duration::from_millis(120);

/// A `muniment up` of its own process, killed when dropped.
struct Up(Child);

impl Up {
    async fn start(folder: &Path) -> (Self, View) {
        let child = Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(["up", "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("starts");
        let up = Self(child);
        let mut ticks = interval(Duration::from_millis(50));
        let instance = timeout(READY_WITHIN, async {
            loop {
                ticks.tick().await;
                if let Ok(Some(instance)) = Instance::find(folder)
                    && instance.pid == up.0.id()
                {
                    return instance;
                }
            }
        })
        .await
        .expect("is ready in time");
        (up, View::of(instance))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.kill().expect("is killed with SIGKILL");
        self.0.wait().expect("is gone");
    }
}

fn bags() -> Vec<(BagBuilder, Vec<u8>)> {
    (0..BAGS)
        .map(|n| {
            let mut bag = BagBuilder::btr(format!("bag-{n}"));
            for m in 0..150 {
                bag = bag.generated_file(format!("data/{m}.bin"), 1_000 + m, n * 1_000 + m);
            }
            let bag = bag.generated_file("data/large.bin", 20 << 20, n);
            let tar = bag.to_tar();
            (bag, tar)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ingests_survive_a_kill_in_their_middle() {
    let folder = tempfile::tempdir().expect("a folder");
    let bags = bags();
    let (first, before) = Up::start(folder.path()).await;
    for (bag, tar) in &bags {
        before.deposit(TEST_EDU, &bag.key(), tar.clone()).await;
    }
    before.ending_of("bag-0.tar").await;

    drop(first);
    let (second, after) = Up::start(folder.path()).await;

    for (bag, tar) in &bags {
        let manifests = bag.payload_manifest_count();
        let identity = (TEST_EDU, bag.name());
        assert_preserved(&after, identity, tar, StorageOption::Standard, manifests).await;
    }
    assert_nothing_doubled(&after, &bags).await;
    drop(second);
}

/// Kills during the recovery from kills: each start gets a little further than the last.
#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_being_killed_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let bags = bags();
    let (first, view) = Up::start(folder.path()).await;
    for (bag, tar) in &bags {
        view.deposit(TEST_EDU, &bag.key(), tar.clone()).await;
    }
    drop(first);

    for n in 1..=KILLS {
        let (up, _) = Up::start(folder.path()).await;
        let mut life = interval(LIFE * n);
        life.tick().await;
        life.tick().await;
        drop(up);
    }
    let (last, after) = Up::start(folder.path()).await;

    for (bag, tar) in &bags {
        let manifests = bag.payload_manifest_count();
        let identity = (TEST_EDU, bag.name());
        assert_preserved(&after, identity, tar, StorageOption::Standard, manifests).await;
    }
    assert_nothing_doubled(&after, &bags).await;
    drop(last);
}

/// Every preserved object belongs to a file, and every upload has one item.
async fn assert_nothing_doubled(view: &View, bags: &[(BagBuilder, Vec<u8>)]) {
    let items = view.rest("items?per_page=1000").await;
    assert_eq!(items["count"], bags.len(), "{items:#}");
    let objects = view.rest("objects?per_page=1000").await;
    assert_eq!(objects["count"], bags.len());
    let files = view.rest("files?per_page=1").await;
    let copies = view.preserved().await.len();
    assert_eq!(files["count"].as_u64(), Some(copies as u64 / 2));
    assert_eq!(view.staged().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_out_of_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (up, _view) = Up::start(folder.path()).await;

    let second = Command::new(env!("CARGO_BIN_EXE_muniment"))
        .args(["up", "--data"])
        .arg(folder.path())
        .output()
        .expect("runs");

    assert!(!second.status.success());
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(told.contains("another muniment"), "{told}");
    drop(up);
}
