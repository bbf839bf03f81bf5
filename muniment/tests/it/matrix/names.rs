//! Z7 and Z8: names that systems mix up, and names that do something when they are shown.

use std::fs::File;
use std::process::Stdio;

use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::Algorithm;

use super::{Case, assert_endings, assert_endings_at, bag, is_unprintable, with_entry};
use crate::checks::{deposit, ending_of};
use crate::process::Up;
use crate::site::TEST_EDU;

const COMPOSED: &str = "data/caf\u{e9}.txt";
const DECOMPOSED: &str = "data/cafe\u{301}.txt";

/// These files, each with its path as content.
fn of_files(name: &str, paths: &[&str]) -> BagBuilder {
    let files = paths.iter();
    files.fold(bag(name), |bag, path| bag.file(*path, *path))
}

/// The one md5 manifest lists `listed` where the tar holds `held`.
fn listed_as(name: &str, listed: &str, held: &[&str]) -> BagBuilder {
    let md5 = |text: &str| muniment_digest::digest(text.as_bytes()).hex(Algorithm::Md5);
    let manifest = format!(
        "{}  data/letter.txt\n{}  {listed}\n",
        md5(super::TEXT),
        md5(held[0])
    );
    of_files(name, held)
        .manifests(&[Algorithm::Md5])
        .file("manifest-md5.txt", manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn z7_names_that_some_systems_take_for_one_are_files_of_their_own() {
    let twins = of_files(
        "twins",
        &[
            "data/Letter.txt",
            "data/LETTER.TXT",
            COMPOSED,
            DECOMPOSED,
            "data/end",
            "data/end.",
            "data/end ",
            "data/end  ",
            "data/ end",
            "data/CON",
            "data/con",
            "data/nul.txt",
            "data/com1/aux",
            "data/what?<>|:*\".txt",
        ],
    );
    assert_endings(vec![
        Case::preserved(&twins)
            .warned("differs from another one only in how its letters are composed"),
        Case::preserved(&listed_as("composed", COMPOSED, &[DECOMPOSED])),
        Case::preserved(&listed_as("decomposed", DECOMPOSED, &[COMPOSED])),
        // With both in the bag a line means the one that it spells, and the other is not listed.
        Case::refused(
            "one-of-two",
            listed_as("one-of-two", COMPOSED, &[COMPOSED, DECOMPOSED]).to_tar(),
            "is not in manifest manifest-md5.txt",
        ),
        Case::refused(
            "case",
            listed_as("case", "data/A.txt", &["data/a.txt"]).to_tar(),
            "File test.edu/case/data/A.txt in manifest-md5.txt is missing from bag",
        ),
    ])
    .await;
}

/// What a log line, a terminal or a page would act on, in the names of files and of a bag.
#[tokio::test(flavor = "multi_thread")]
async fn z8_names_are_preserved_or_refused_and_shown_without_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = File::create(&log).expect("a log");
    let levels = "info,workers=debug,muniment_runtime=debug";
    let mut up = Up::spawn_logging(&folder.path().join("data"), levels, Stdio::from(file));
    let view = up.ready(&folder.path().join("data")).await;
    let odd = of_files(
        "odd",
        &[
            "data/narrow\u{202f}space",
            "data/line\u{2028}separator",
            "data/\u{202e}gpj.exe",
            "data/isolate\u{2066}d",
            "data/%0A",
            "data/100%25",
            "data/<script>alert(1)</script>",
            "data/{{7*7}}${7*7}",
            "data/%s%n%d",
            "data/'; DROP TABLE files; --",
            "data/=1+1",
            "data/日本語",
            &format!("data/{0}/{0}/{0}", "n".repeat(255)),
        ],
    );
    let entry = |name: &str, path: &[u8]| {
        let path = [name.as_bytes(), b"/data/", path].concat();
        with_entry(name, Entry::file(path, "x"))
    };
    let control = "contains one or more illegal control characters";
    let direction = "data/\u{202e}gpj.exe";

    assert_endings_at(
        &view,
        vec![
            Case::preserved(&odd),
            Case::refused("utf8", entry("utf8", b"\xff\xfe.txt"), "is not valid UTF-8"),
            Case::refused(
                "latin",
                entry("latin", b"caf\xe9.txt"),
                "is not valid UTF-8",
            ),
            Case::refused("bell", entry("bell", b"a\x07b.txt"), control),
            Case::refused(
                "newline",
                entry("newline", b"a\n2026-01-01 ERROR b"),
                control,
            ),
            Case::refused("return", entry("return", b"a\rb"), control),
            Case::refused("ansi", entry("ansi", b"\x1b[2Jb"), control),
            Case::refused("c1", entry("c1", "\u{9b}2J".as_bytes()), control),
            Case::refused("fixed", entry("fixed", "a\u{a0}b".as_bytes()), control),
            Case::refused("escaped", entry("escaped", b"a\\u0007b"), control),
            // The finding names the file, which must not turn the text after it.
            Case::refused(
                "turned",
                of_files("turned", &[direction])
                    .corrupt_digest(direction)
                    .to_tar(),
                "data/\\u{202e}gpj.exe: ingest md5 checksum",
            ),
        ],
    )
    .await;
    let key = deposit(&view, TEST_EDU, "a\n2026-01-01 ERROR b.tar", b"").await;
    let item = ending_of(&view, &key).await;
    assert_eq!(item["status"], "Failed", "{item:#}");
    drop(up);
    assert_harmless(&std::fs::read_to_string(&log).expect("a log"));
}

/// Each line begins with its time, and none does anything but be read.
fn assert_harmless(log: &str) {
    assert!(log.lines().count() > 10, "{log}");
    for line in log.lines() {
        assert!(line.starts_with("20") && line.contains("Z "), "{line}");
        assert!(!line.starts_with("2026-01-01 ERROR"), "{line}");
        assert!(!line.chars().any(is_unprintable), "{line:?}");
    }
}
