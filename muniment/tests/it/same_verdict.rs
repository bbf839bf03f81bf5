//! `muniment validate` and the server say the same of one bag.

use std::path::Path;

use muniment::local_bag::{self, BytesRead, ProfileChoice, Terms};
use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::{BAG_NAME_BYTES_MAX, Findings};

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

/// A key, and a bag.
type Row = (String, BagBuilder);

/// All but "fits" and the first long name are refused.
fn rows() -> Vec<Row> {
    let of = |name: &str, path: String| {
        let bag = BagBuilder::aptrust(name).file("data/letter.txt", "Dear all,");
        (format!("{name}.tar"), bag.file(path, "x"))
    };
    // "test.edu/" and "/" leave 1,014 bytes of a key for the name of the bag and the path.
    let fills = |name: &str, more: usize| {
        let path = 1_014 - name.len() - "data/".len() + more;
        of(name, format!("data/{}", "a".repeat(path)))
    };
    let long = "n".repeat(BAG_NAME_BYTES_MAX - 4);
    let only = |name: &str, entry: Entry| {
        let bag = BagBuilder::aptrust(name).entry(entry);
        (format!("{name}.tar"), bag)
    };
    vec![
        fills("fits", 0),
        fills("beyond", 1),
        fills(&long, 0),
        fills(&"m".repeat(200), 1),
        // Takes three times as many bytes in the metadata of a copy.
        of("encoded", format!("data/{}", "\u{e9}".repeat(300))),
        of(
            &"\u{e9}".repeat(100),
            format!("data/{}", "\u{e9}".repeat(210)),
        ),
        // The payload is refused, which is not that there is none.
        only("bell", Entry::file("bell/data/a\u{7}b", "x")),
        only(
            "linked",
            Entry::hard_link("linked/data/a", "linked/bagit.txt"),
        ),
        (
            "upper.TAR".to_owned(),
            BagBuilder::aptrust("upper").file("data/a", "a"),
        ),
        (
            "packed.tgz".to_owned(),
            BagBuilder::aptrust("packed").file("data/a", "a"),
        ),
        (
            ".tar".to_owned(),
            BagBuilder::aptrust(".tar").file("data/a", "a"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_and_the_server_judge_names_alike() {
    let site = Site::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let terms = Terms {
        profile: ProfileChoice::ByBag,
        institution: Some(TEST_EDU.to_owned()),
    };
    let mut uploads = Vec::new();
    for (key, bag) in rows() {
        let tar = without_data_folder(&bag);
        let path = folder.path().join(&key);
        std::fs::write(&path, &tar).expect("writes");
        let upload = deposit(&site.view, TEST_EDU, &key, &tar).await;
        uploads.push((key, upload, validate(&path, &terms)));
    }

    let mut refused = 0;
    for (key, upload, findings) in &uploads {
        let item = ending_of(&site.view, upload).await;
        assert_eq!(item["status"] == "Success", findings.is_valid(), "{item:#}");
        if !findings.is_valid() {
            assert_eq!(item["note"], findings.note(), "{key}");
            assert!(!findings.note().contains("no data folder"), "{item:#}");
            refused += 1;
        }
    }
    assert_eq!(refused, 9);
    site.stop().await;
}

#[test]
fn without_an_institution_the_longest_is_assumed_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fits.tar");
    let (_, bag) = rows().swap_remove(0);
    std::fs::write(&path, bag.to_tar()).expect("writes");
    let terms = Terms {
        profile: ProfileChoice::ByBag,
        institution: None,
    };

    let note = validate(&path, &terms).note();

    let words = "(with an institution identifier of 53 bytes, the longest there is: name yours with \
                 --institution)";
    assert!(note.contains(words), "{note}");
}

/// The bag as tools write it that pack files only: its payload alone says that there is a data folder.
fn without_data_folder(bag: &BagBuilder) -> Vec<u8> {
    let folder = format!("{}/data/\0", bag.name());
    let tar = bag.to_tar();
    let blocks = tar.chunks(512);
    let kept = blocks.filter(|block| !block.starts_with(folder.as_bytes()));
    kept.flatten().copied().collect()
}

fn validate(path: &Path, terms: &Terms) -> Findings {
    local_bag::validate(path, terms, &BytesRead::default()).expect("a readable disk")
}
