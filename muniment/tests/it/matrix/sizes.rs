//! Z9 and Z10: very long manifests, and very many or very deep files.
//!
//! Sizes that a test can afford. What stays bounded at a million lines, files or folders, and in a
//! gigabyte without a line end, is tested in `muniment-bagit`; how long a million files take is
//! measured by `cargo xtask bench`.

use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::Algorithm;

use super::{Case, LETTER, TEXT, assert_endings, bag};
use crate::checks::{assert_refused, deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const PHANTOMS: u64 = 1_000_000;

/// One line of each of two manifests for each file that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn z9_a_manifest_of_a_million_phantoms_is_counted_not_kept() {
    let site = Site::start().await;
    let tar = bag("phantoms").phantom_lines(PHANTOMS).to_tar();

    let upload = deposit(&site.view, TEST_EDU, "phantoms.tar", &tar).await;

    let item = ending_of(&site.view, &upload).await;
    let note = item["note"].as_str().unwrap_or_default();
    let shown = note.matches(" is missing from bag").count() as u64;
    assert!((20..=30).contains(&shown), "{shown}: {note}");
    let more = format!("; and {} more", 2 * PHANTOMS - shown);
    assert!(note.ends_with(&more), "{note}");
    assert_refused(&site.view, &upload, &tar).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z9_long_manifests_and_long_lines_are_read_to_their_end() {
    let md5 = muniment_digest::digest(TEXT.as_bytes()).hex(Algorithm::Md5);
    let line = format!("{md5}  {LETTER}\n");
    let with = |name: &str, manifest: String| {
        bag(name)
            .manifests(&[Algorithm::Md5])
            .file("manifest-md5.txt", manifest)
    };
    let endless = format!("{line}{}", "x".repeat(32 << 20));
    let repeated = line.repeat(300_000);
    let phantom_at_the_end = format!("{}{md5}  data/gone.txt\n", line.repeat(100_000));
    assert_endings(vec![
        Case::refused(
            "endless",
            with("endless", endless).to_tar(),
            "Line 2 of manifest-md5.txt is longer than 8192 bytes",
        ),
        Case::preserved(&with("repeated", repeated)).warned("data/letter.txt"),
        Case::refused(
            "at-the-end",
            with("at-the-end", phantom_at_the_end).to_tar(),
            "File test.edu/at-the-end/data/gone.txt in manifest-md5.txt is missing from bag",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z10_many_empty_files_and_deep_folders_are_preserved_and_too_deep_ones_named() {
    let many = (0..1_100).fold(bag("many"), |bag, n| {
        bag.file(format!("data/{}/{n}", n / 100), "")
    });
    let nested = |name: &str, depth: usize| {
        bag(name).file(format!("data/{}end", "d/".repeat(depth)), "deep")
    };
    // A path has at most 1,024 bytes, those of the object's identifier included.
    assert_endings(vec![
        Case::preserved(&many),
        Case::preserved(&nested("deep", 490)),
        Case::refused("deeper", nested("deeper", 1_000).to_tar(), "is too long"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z10_folders_without_files_are_accepted_up_to_a_limit_that_is_named() {
    let with = |name: &str, folders: u32| -> BagBuilder {
        (0..folders).fold(bag(name), |bag, n| {
            bag.entry(Entry::directory(format!("{name}/data/{n}/")))
        })
    };
    assert_endings(vec![
        Case::preserved(&with("folders", 1_000)),
        Case::refused(
            "more-folders",
            with("more-folders", 30_000).to_tar(),
            "Bag has too many folders for the number of its files",
        ),
    ])
    .await;
}
