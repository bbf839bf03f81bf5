//! Where the answers of the commands go: a reader that goes away is no fault, a disk that is full is one.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use muniment::up::depositor;
use muniment::up::instance::Instance;
use muniment::up::{Options, System};
use muniment_bag_builder::BagBuilder;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::site::TEST_EDU;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_written_is_a_failure_and_one_that_nobody_reads_is_none() {
    let place = Place::start().await;

    for arguments in place.commands() {
        let full = File::options().write(true).open("/dev/full");
        let full = run(&arguments, full.expect("opens").into()).await;
        let said = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(1), "{arguments:?}: {said}");
        let times = said.matches("cannot write to standard output").count();
        assert_eq!(times, 1, "{arguments:?}: {said}");

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let unread = run(&arguments, writer.into()).await;
        let told = String::from_utf8_lossy(&unread.stderr);
        assert_eq!(unread.status.code(), Some(0), "{arguments:?}: {told}");
        assert!(!told.contains("standard output"), "{arguments:?}: {told}");
    }
    place.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_whose_summary_cannot_be_written_says_so_at_once_and_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = File::options().write(true).open("/dev/full");
    let errors = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_muniment"));
    command.args(["up", "--data"]).arg(folder.path());
    command.stdout(full.expect("opens"));
    command.stderr(errors.reopen().expect("opens"));
    let mut up = Killed(command.spawn().expect("starts"));

    until(|| said(errors.path()).contains("cannot write to standard output")).await;
    let instance = Instance::read(folder.path()).expect("it is ready");
    let told = Command::new("kill").arg(instance.pid.to_string()).status();
    assert!(told.expect("runs").success());
    let ended = spawn_blocking(move || up.0.wait()).await;

    let ended = ended.expect("is waited for").expect("ends");
    assert_eq!(ended.code(), Some(1), "{}", said(errors.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_an_answer_is_one_line_and_json_stays_json() {
    let place = Place::start().await;
    let name = "a\nfake: valid\u{2028}\u{202e}.tar";
    let tar = place.folder.path().join(name);
    std::fs::write(&tar, "no tar").expect("writes");
    let tar = tar.to_str().expect("its name").to_owned();

    let plain = run(&["validate".to_owned(), tar.clone()], Stdio::piped()).await;
    let json = ["validate".to_owned(), "--json".to_owned(), tar.clone()];
    let json = run(&json, Stdio::piped()).await;

    let answer = String::from_utf8_lossy(&plain.stdout);
    assert_eq!(answer.lines().count(), 1, "{answer}");
    assert!(
        answer.contains("a\\u000afake: valid\\u2028\\u202e.tar: not"),
        "{answer}"
    );
    let errors = String::from_utf8_lossy(&plain.stderr);
    assert!(errors.lines().all(|line| line.starts_with('/')), "{errors}");
    let raw = String::from_utf8_lossy(&json.stdout);
    assert!(!raw.contains(['\u{2028}', '\u{202e}']), "{raw}");
    let read: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(read["path"], tar);
    place.system.stop().await;
}

/// A system to ask, and a bag to check and to deposit.
struct Place {
    system: System,
    folder: TempDir,
}

impl Place {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bag = BagBuilder::aptrust("bag").file("data/a", "a");
        std::fs::write(folder.path().join("bag.tar"), bag.to_tar()).expect("writes");
        let system = System::start(&Options::on(folder.path().join("data"))).await;
        let system = system.expect("the system starts");
        Self { system, folder }
    }

    /// Every command that prints and ends by itself within a moment.
    fn commands(&self) -> Vec<Vec<String>> {
        let bag = self.folder.path().join("bag.tar");
        let file = depositor::file(&self.folder.path().join("data"), TEST_EDU);
        let of = |words: &str| {
            let words = words.split(' ').map(|word| match word {
                "BAG" => bag.display().to_string(),
                "FILE" => file.display().to_string(),
                other => other.to_owned(),
            });
            words.collect()
        };
        vec![
            of("--help"),
            of("--version"),
            of("status --help"),
            of("completions bash"),
            of("status --instance FILE"),
            of("status --json --instance FILE"),
            of("validate BAG"),
            of("validate --json BAG"),
            of("deposit --wait --instance FILE BAG"),
        ]
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended already where the test has not failed.
        drop(self.0.kill());
    }
}

async fn run(arguments: &[String], out: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muniment"));
    command.args(arguments).env_remove("MUNIMENT_DATA");
    command.stdout(out).stderr(Stdio::piped());
    let child = command.spawn().expect("starts");
    let ended = spawn_blocking(move || child.wait_with_output()).await;
    ended.expect("is waited for").expect("runs")
}

/// Far more than a start takes.
async fn until(mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(std::time::Duration::from_mins(5), async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        while !is_so() {
            ticks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "it has not come to that");
}

fn said(file: &Path) -> String {
    std::fs::read_to_string(file).expect("reads")
}
