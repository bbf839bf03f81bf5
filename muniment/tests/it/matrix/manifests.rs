//! Z14: the forms in which programs write manifests, and what only looks like one of them.

use muniment_bag_builder::BagBuilder;
use muniment_model::Algorithm::{Md5, Sha512};

use super::{Case, LETTER, TEXT, assert_endings, bag};

const MANIFEST: &str = "manifest-md5.txt";

fn md5() -> String {
    muniment_digest::digest(TEXT.as_bytes()).hex(Md5)
}

/// A bag whose one payload manifest has this text.
fn listed(name: &str, manifest: &str) -> BagBuilder {
    bag(name).manifests(&[Md5]).file(MANIFEST, manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn z14_every_usual_form_of_a_line_finds_its_file() {
    let md5 = md5();
    let upper = md5.to_uppercase();
    let rows = [
        ("upper", format!("{upper}  {LETTER}\n")),
        ("star", format!("{md5} *{LETTER}\n")),
        ("dot", format!("{md5}  ./{LETTER}\n")),
        ("star-dot", format!("{md5} *./{LETTER}\n")),
        ("one-space", format!("{md5} {LETTER}\n")),
        ("tab", format!("{md5}\t{LETTER}\n")),
        ("mixed", format!("{md5} \t  {LETTER}\n")),
        ("indented", format!("  {md5}  {LETTER}\n")),
        ("windows", format!("{md5}  {LETTER}\r\n")),
        ("old-mac", format!("{md5}  {LETTER}\r")),
        ("no-end", format!("{md5}  {LETTER}")),
        ("blank-lines", format!("\n\n{md5}  {LETTER}\n \n")),
    ];
    let cases = rows.map(|(name, manifest)| Case::preserved(&listed(name, &manifest)));
    assert_endings(cases.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z14_odd_lines_are_warned_of_and_wrong_ones_refused_with_their_number() {
    let md5 = md5();
    let line = format!("{md5}  {LETTER}\n");
    let refused = |name: &str, more: &str, words| {
        Case::refused(name, listed(name, &format!("{line}{more}")).to_tar(), words)
    };
    let other = "0".repeat(32);
    assert_endings(vec![
        Case::preserved(&listed("twice", &line.repeat(2))).warned(LETTER),
        Case::preserved(&listed("itself", &format!("{line}{other}  {MANIFEST}\n")))
            .warned("Manifest manifest-md5.txt lists itself; that line is not checked"),
        refused("two-digests", &format!("{other}  {LETTER}\n"), LETTER),
        refused(
            "short",
            &format!("0101  {LETTER}\n"),
            "Line 2 of manifest-md5.txt: the checksum of data/letter.txt has 4 characters, md5 has 32",
        ),
        refused(
            "no-path",
            &format!("{md5}\n"),
            "Line 2 of manifest-md5.txt is not a checksum and a path",
        ),
        refused(
            "outside",
            &format!("{md5}  ../../etc/passwd\n"),
            "Line 2 of manifest-md5.txt names a path outside the bag: ../../etc/passwd",
        ),
        Case::refused(
            "wrong",
            bag("wrong").corrupt_digest(LETTER).to_tar(),
            "File test.edu/wrong/data/letter.txt: ingest md5 checksum",
        ),
        Case::refused(
            "unlisted",
            bag("unlisted").extra_unlisted_file("data/x", "x").to_tar(),
            "File test.edu/unlisted/data/x is not in manifest",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z14_manifests_of_each_algorithm_count_or_are_refused_by_name() {
    let tagged = |name: &str| bag(name).manifests(&[Md5]).tag_manifests(&[Sha512]);
    let unknown = |file: &str| format!("{}  {LETTER}\n", file.len());
    assert_endings(vec![
        Case::preserved(&tagged("other-tags")),
        Case::refused(
            "wrong-tags",
            tagged("wrong-tags").corrupt_digest("bag-info.txt").to_tar(),
            "File test.edu/wrong-tags/bag-info.txt: ingest sha512 checksum",
        ),
        Case::refused(
            "sha224",
            bag("sha224")
                .file("manifest-sha224.txt", unknown("manifest-sha224.txt"))
                .to_tar(),
            "Bag contains illegal manifest 'sha224'",
        ),
        Case::refused("no-md5", bag("no-md5").manifests(&[]).to_tar(), "anifest"),
        Case::preserved(&bag("ship").file("manifest-of-the-ship.txt", "the ship")),
    ])
    .await;
}
