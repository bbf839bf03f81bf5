//! `kill -9` in the middle, and a start on the same folder.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use muniment::up::instance::Instance;
use muniment_bag_builder::BagBuilder;
use muniment_model::{Action, Pipeline, Step, StorageOption};
use muniment_observer::Observer;
use tokio::time::{interval, timeout};

use crate::checks::{
    Deposited, ENDING_WITHIN, assert_nothing_staged, assert_preserved, deposit_bag, ending_of,
};
use crate::site::{TEST_EDU, observer_of};

/// A start takes a tenth of a second on an idle machine.
const READY_WITHIN: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const BAGS: usize = 10;
/// How many stages all items together complete before the next kill. Counted in stages and not in seconds,
/// so that the kills fall into every stage, and each life gets somewhere, however fast the machine is.
const STAGES_PER_LIFE: usize = 6;

/// A `muniment up` of its own process, killed when dropped.
struct Up(Child);

impl Up {
    fn spawn(folder: &Path, stderr: Stdio) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(["up", "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        Self(child.expect("starts"))
    }

    async fn start(folder: &Path) -> (Self, Observer) {
        let mut up = Self::spawn(folder, Stdio::inherit());
        let instance = timeout(READY_WITHIN, up.is_ready(folder))
            .await
            .expect("is ready in time");
        (up, observer_of(&instance))
    }

    async fn is_ready(&mut self, folder: &Path) -> Instance {
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let ended = self.0.try_wait().expect("can be asked");
            assert_eq!(ended, None, "it ended by itself");
            if let Ok(Some(instance)) = Instance::find(folder)
                && instance.pid == self.0.id()
            {
                return instance;
            }
        }
    }

    async fn has_ended(&mut self) -> ExitStatus {
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(status) = self.0.try_wait().expect("can be asked") {
                return status;
            }
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.kill().expect("is killed with SIGKILL");
        self.0.wait().expect("is gone");
    }
}

async fn deposit_all(view: &Observer) -> Vec<Deposited> {
    let mut bags = Vec::new();
    for n in 0..BAGS as u64 {
        let mut bag = BagBuilder::btr(format!("bag-{n}"));
        for m in 0..150 {
            bag = bag.generated_file(format!("data/{m}.bin"), 1_000 + m, n * 1_000 + m);
        }
        bag = bag.generated_file("data/large.bin", 20 << 20, n);
        bags.push(deposit_bag(view, TEST_EDU, &bag, StorageOption::Standard).await);
    }
    bags
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ingests_survive_a_kill_in_their_middle() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, before) = Up::start(folder.path()).await;
    let bags = deposit_all(&before).await;
    ending_of(&before, &bags[0].upload).await;

    drop(first);
    let (second, after) = Up::start(folder.path()).await;

    assert_all_preserved_once(&after, &bags).await;
    drop(second);
}

/// Kills during the recovery from kills: each life gets a little further than the last.
#[tokio::test(flavor = "multi_thread")]
async fn ingests_survive_being_killed_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, before) = Up::start(folder.path()).await;
    let bags = deposit_all(&before).await;
    drop(first);

    let mut completed = 0;
    while completed + STAGES_PER_LIFE < BAGS * steps().len() {
        let (up, view) = Up::start(folder.path()).await;
        completed = stages_from(&view, completed + STAGES_PER_LIFE).await;
        drop(up);
    }
    let (last, after) = Up::start(folder.path()).await;

    assert_all_preserved_once(&after, &bags).await;
    drop(last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_out_of_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (up, _view) = Up::start(folder.path()).await;

    let mut second = Up::spawn(folder.path(), Stdio::piped());
    let status = timeout(READY_WITHIN, second.has_ended())
        .await
        .expect("ends in time");

    assert!(!status.success());
    let told = second.0.stderr.take().expect("is piped");
    let told = std::io::read_to_string(told).expect("text");
    assert!(told.contains("another muniment"), "{told}");
    drop(up);
}

fn steps() -> &'static [Step] {
    Pipeline::of(Action::Ingest).steps
}

/// Waits until all items together have completed this many stages, and answers how many they have.
async fn stages_from(view: &Observer, wanted: usize) -> usize {
    let mut completed = 0;
    let reached = timeout(ENDING_WITHIN, async {
        let mut ticks = interval(LOOK_EVERY);
        while completed < wanted {
            ticks.tick().await;
            completed = stages_completed(view).await;
        }
    })
    .await;
    assert!(reached.is_ok(), "{completed} stages instead of {wanted}");
    completed
}

async fn stages_completed(view: &Observer) -> usize {
    let items = view.rest("items?per_page=1000").await.expect("items");
    let items = items["results"].as_array().into_iter().flatten();
    items
        .map(|item| {
            assert_ne!(item["status"], "Suspended", "{item:#}");
            let current = steps().iter().position(|step| {
                step.stage
                    .is_some_and(|stage| item["stage"] == stage.as_str())
            });
            let over = usize::from(item["status"] == "Success");
            current.expect("a stage of an ingest") + over
        })
        .sum()
}

/// Every bag is preserved, every preserved object belongs to a file, and every upload has one item.
async fn assert_all_preserved_once(view: &Observer, bags: &[Deposited]) {
    for bag in bags {
        assert_preserved(view, bag).await;
    }
    for (list, expected) in [("items", bags.len()), ("objects", bags.len())] {
        let found = count(view, list).await;
        assert_eq!(found, expected as u64, "{list}");
    }
    let copies = view.preserved_keys().await.expect("keys").len();
    assert_eq!(count(view, "files").await, copies as u64 / 2);
    assert_nothing_staged(view).await;
}

async fn count(view: &Observer, list: &str) -> u64 {
    let page = view
        .rest(&format!("{list}?per_page=1"))
        .await
        .expect("a list");
    page["count"].as_u64().expect("a count")
}
