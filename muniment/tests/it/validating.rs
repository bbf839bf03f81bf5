//! `muniment validate` as a process: what a script and a person see of it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use muniment_bag_builder::{BagBuilder, Entry};
use serde_json::Value;
use tempfile::TempDir;

const MUNIMENT: &str = env!("CARGO_BIN_EXE_muniment");

#[test]
fn json_has_one_object_for_every_argument() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    write_bag(&at("good.tar"), "good");
    std::fs::write(at("text.tar"), "Dear archive").expect("writes");
    std::fs::create_dir(at("empty")).expect("a folder");
    std::fs::create_dir(at("tars")).expect("a folder");
    write_bag(&at("tars/one.tar"), "one");
    std::os::unix::fs::symlink(at("nowhere"), at("tars/two.tar")).expect("links");
    let arguments = [
        "gone.tar",
        "good.tar",
        "text.tar",
        "empty",
        "/dev/null",
        "tars",
    ];

    let output = Command::new(MUNIMENT)
        .args(["validate", "--json"])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("runs");

    let lines = String::from_utf8(output.stdout).expect("text");
    let said: Vec<_> = lines.lines().map(verdict_of).collect();
    let expected = [
        ("gone.tar", false, true),
        ("good.tar", true, false),
        ("text.tar", false, false),
        ("empty", false, false),
        ("/dev/null", false, true),
        ("tars/one.tar", true, false),
        ("tars/two.tar", false, true),
    ];
    let expected = expected.map(|(path, valid, error)| (path.to_owned(), valid, error));
    assert_eq!(said, expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_full_disk_of_temporary_files_is_said_in_those_words() {
    let folder = TempDir::new().expect("a folder");
    write_bag(&folder.path().join("good.tar"), "good");

    // No file may grow: a write ends in an error, without the signal it would send.
    let output = Command::new("sh")
        .args([
            "-c",
            r#"trap '' XFSZ; ulimit -f 0; exec "$0" validate good.tar"#,
        ])
        .arg(MUNIMENT)
        .current_dir(folder.path())
        .output()
        .expect("runs");

    let told = String::from_utf8(output.stderr).expect("text");
    assert!(
        told.contains("the disk of temporary files is full"),
        "{told}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// A tar that takes hours to read, on a terminal that `script` makes.
#[test]
fn a_long_check_shows_on_a_terminal_how_far_it_is() {
    let folder = TempDir::new().expect("a folder");
    let mut begun = Vec::new();
    let endless = Entry::file("long/data/a", "").claiming(1 << 40);
    endless.write_to(&mut begun).expect("writes");
    let tar = folder.path().join("long.tar");
    std::fs::write(&tar, &begun).expect("writes");
    let file = File::options().write(true).open(&tar).expect("opens");
    file.set_len((1 << 40) + (1 << 20))
        .expect("has room for holes");

    let shown = Command::new("script")
        .args(["--quiet", "--command"])
        .arg(format!("timeout 120 {MUNIMENT} validate long.tar"))
        .arg("/dev/null")
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut shown = shown.expect("there is `script`, of util-linux");
    let mut out = shown.stdout.take().expect("is piped");
    let (mut text, mut piece) = (String::new(), [0; 4_096]);
    while !text.contains("MiB/1.00 TiB") && !text.contains("GiB/1.00 TiB") {
        let read = out.read(&mut piece).expect("reads");
        assert_ne!(read, 0, "it ended: {text}");
        text += &String::from_utf8_lossy(&piece[..read]);
    }
    // The terminal goes with it, and with the terminal the command.
    shown.kill().expect("is killed");
    shown.wait().expect("is gone");
    assert!(text.contains("long.tar ["), "{text}");
}

/// Path, whether it is valid, and whether there is an error instead of a verdict.
fn verdict_of(line: &str) -> (String, bool, bool) {
    let line: Value = serde_json::from_str(line).expect("JSON");
    let path = line["path"].as_str().expect("a path");
    let valid = line["valid"].as_bool().expect("a verdict");
    assert!(line["findings"].is_array());
    (path.to_owned(), valid, line["error"].is_string())
}

fn write_bag(path: &Path, name: &str) {
    let bag = BagBuilder::aptrust(name).file("data/a", "a");
    std::fs::write(path, bag.to_tar()).expect("writes");
}
