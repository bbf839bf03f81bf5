//! A disk without room, under all that `muniment up` keeps: objects, registry, work store, and the files
//! that SQLite makes beside them.
//!
//! The disk is a small tmpfs, so it is full by what the operating system says and not by a limit on a
//! process. Each test runs itself again in a namespace of its own, whose mount ends with it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::Observer;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::checks::{ENDING_WITHIN, assert_nothing_staged, assert_preserved, deposit_bag};
use crate::process::{READY_WITHIN, Up};
use crate::progress::stages_from;
use crate::site::TEST_EDU;

/// Set for the run on the small disk: a folder with two others, the disk and one beside it.
const PLACE: &str = "MUNIMENT_TEST_SMALL_DISK";
/// Room for six bags with their copies, and for what is made anew after the disk was full.
const SCRIPT: &str = r#"mount -t tmpfs -o size=192m,mode=700 none "$MUNIMENT_TEST_SMALL_DISK/disk" && exec "$0" "$@""#;
/// As any user, who is root in a namespace; or as root, where users have none.
const NAMESPACES: [&str; 2] = ["-rm", "-m"];
const LOOK_EVERY: Duration = Duration::from_millis(50);
const BAGS: u64 = 6;
/// More than the caches of a connection hide.
const UPLOAD_BYTES: usize = 1 << 20;

#[test]
fn six_ingests_outlive_a_full_disk_without_a_restart() {
    on_a_small_disk(
        "full_disk::six_ingests_outlive_a_full_disk_without_a_restart",
        six_ingests_outlive_it,
    );
}

async fn six_ingests_outlive_it(disk: Disk) {
    let mut up = disk.up();
    let view = up.ready(&disk.data()).await;
    let mut bags = Vec::new();
    for n in 0..BAGS {
        bags.push(deposit_bag(&view, TEST_EDU, &bag(n), StorageOption::Standard).await);
    }

    let mut completed = 0;
    for _time in 0..2 {
        completed = stages_from(&view, completed + 6).await;
        disk.is_full_for_all(&mut up, &view).await;
    }

    for bag in &bags {
        assert_preserved(&view, bag).await;
    }
    assert_nothing_staged(&view).await;
    up.lives_for(Duration::ZERO).await;
}

#[test]
fn a_disk_that_was_full_before_the_first_deposit_is_named_to_whom_it_concerns() {
    on_a_small_disk(
        "full_disk::a_disk_that_was_full_before_the_first_deposit_is_named_to_whom_it_concerns",
        it_is_named,
    );
}

async fn it_is_named(disk: Disk) {
    // A new data folder has to be made.
    let ballast = disk.ballast();
    let mut first = disk.up();
    let ended = timeout(READY_WITHIN, first.has_ended()).await;
    assert!(!ended.expect("ends in time").success());
    let log = disk.log();
    assert!(log.contains("is full: make room, and start again"), "{log}");
    drop(ballast);

    let mut second = disk.up();
    second.ready(&disk.data()).await;
    let tar = disk.place.join("beside/bag-0.tar");
    fs::write(&tar, bag(0).to_tar()).expect("writes");
    let tar = tar.to_str().expect("a name");
    let ballast_again = disk.ballast();
    let refused = disk.muniment(&["deposit", tar]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains("the disk of the store is full"), "{told}");
    disk.assert_status_tells();
    drop(ballast_again);

    let accepted = disk.muniment(&["deposit", "--wait", tar]);
    let ending = String::from_utf8_lossy(&accepted.stdout);
    assert!(accepted.status.success(), "{ending}");
    assert!(ending.contains("Success"), "{ending}");
    second.lives_for(Duration::ZERO).await;
}

fn bag(n: u64) -> BagBuilder {
    let mut bag = BagBuilder::btr(format!("bag-{n}"));
    for m in 0..60 {
        bag = bag.generated_file(format!("data/{m}.bin"), 500 + m * 600, n * 1_000 + m);
    }
    bag.generated_file("data/large.bin", 4 << 20, n)
}

struct Disk {
    place: PathBuf,
}

impl Disk {
    fn data(&self) -> PathBuf {
        self.place.join("disk/data")
    }

    fn log_file(&self) -> PathBuf {
        self.place.join("beside/log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("a log")
    }

    /// What SQLite puts aside is on the disk, too.
    fn up(&self) -> Up {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file());
        Up::spawn(&self.data(), Stdio::from(log.expect("opens")))
    }

    fn muniment(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(words)
            .arg("--data")
            .arg(self.data())
            .output()
            .expect("runs")
    }

    /// Leaves no room for as long as it lives.
    fn ballast(&self) -> Ballast {
        let path = self.place.join("disk/ballast");
        let file = File::create(&path).expect("opens");
        let mut ballast = Ballast { file, path };
        ballast.grow();
        ballast
    }

    /// Fills the disk until a depositor, an operator and the workers have met it. What is read is
    /// answered all the while, and the process lives.
    async fn is_full_for_all(&self, up: &mut Up, view: &Observer) {
        let before = self.log().len();
        let mut ballast = self.ballast();
        let met = timeout(ENDING_WITHIN, async {
            while !self.is_met_by_all(view, before).await {
                up.lives_for(LOOK_EVERY).await;
                // What was freed meanwhile.
                ballast.grow();
            }
        });
        assert!(met.await.is_ok(), "{}", self.log());
        self.assert_status_tells();
        view.staged_keys().await.expect("keys");
    }

    async fn is_met_by_all(&self, view: &Observer, log_before: usize) -> bool {
        let items = view.rest("items?sort=id__desc").await.expect("items");
        let newest = &items["results"][0]["id"];
        let order = view.order(&format!("items/requeue/{newest}"), "").await;
        let upload = view
            .deposit(TEST_EDU, "late.tar", vec![7; UPLOAD_BYTES])
            .await;
        let log = self.log();
        let new = log.get(log_before..).unwrap_or_default();
        order.is_err_and(|error| error.is_disk_full())
            && upload.is_err_and(|error| error.is_disk_full())
            && new.contains("cannot claim work")
            && log.contains("the disk is full: nothing is stored until there is room")
    }

    fn assert_status_tells(&self) {
        let status = self.muniment(&["status"]);
        let told = String::from_utf8_lossy(&status.stderr);
        assert!(
            told.contains("is full: nothing goes on until there is room"),
            "{told}"
        );
    }
}

struct Ballast {
    file: File,
    path: PathBuf,
}

impl Ballast {
    fn grow(&mut self) {
        let mut piece = 1 << 20;
        while piece > 0 {
            match self.file.write_all(&vec![1; piece]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => piece /= 2,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("removes");
    }
}

/// Runs the test of this name again, in a namespace with a small disk.
fn on_a_small_disk<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Disk) -> F) {
    if let Some(place) = std::env::var_os(PLACE) {
        let place = PathBuf::from(place);
        return Runtime::new()
            .expect("a runtime")
            .block_on(test(Disk { place }));
    }
    let place = tempfile::tempdir().expect("a folder");
    for folder in ["disk", "beside"] {
        fs::create_dir(place.path().join(folder)).expect("a folder");
    }
    let run = Command::new("unshare")
        .args([namespace(), "sh", "-c", SCRIPT])
        .arg(std::env::current_exe().expect("this"))
        .args(["--exact", name, "--nocapture"])
        .env(PLACE, place.path())
        .env("SQLITE_TMPDIR", place.path().join("disk"))
        .output()
        .expect("runs");
    let output = String::from_utf8_lossy(&run.stdout);
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{output}\n{told}");
    assert!(output.contains("1 passed"), "{output}\n{told}");
}

/// How to have a mount of one's own here.
fn namespace() -> &'static str {
    let found = NAMESPACES.into_iter().find(|flags| {
        let script = "mount -t tmpfs -o size=1m none /mnt";
        let tried = Command::new("unshare")
            .args([flags, "sh", "-c", script])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    found.expect(
        "this test needs a small disk: `unshare` of util-linux with user and mount namespaces \
         (`unshare -rm`), or to be run as root with the right to mount a tmpfs",
    )
}
