//! Z11 and Z12: tars that end where they should not, and files that are no tars.

use muniment_bag_builder::BagBuilder;

use super::{Case, assert_endings, assert_passed_over, bag, with_entry};
use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const BLOCK: usize = 512;
const CUT: &str = "The tar file is cut short: it ends at byte";

/// Manifests first, so that each cut loses something that a manifest lists.
fn whole(name: &str) -> BagBuilder {
    let bag = bag(name).file("data/more.bin", vec![7; 3_000]);
    bag.manifests_first()
}

#[tokio::test(flavor = "multi_thread")]
async fn z11_a_tar_that_was_cut_is_never_valid() {
    let tar = whole("cut").to_tar();
    let (site, mut uploads) = (Site::start().await, Vec::new());
    let edges = (1..tar.len() / BLOCK).map(|block| block * BLOCK);
    let inside = [1, 261, 511, 700, 5_000, tar.len() - 1_500];
    for cut in edges.chain(inside) {
        let key = format!("cut-{cut}.tar");
        let upload = deposit(&site.view, TEST_EDU, &key, &tar[..cut]).await;
        uploads.push((cut, upload));
    }

    let mut named = 0;
    for (cut, upload) in &uploads {
        let item = ending_of(&site.view, upload).await;
        let note = item["note"].as_str().unwrap_or_default();
        if tar.len() - cut <= 2 * BLOCK {
            assert_eq!(item["status"], "Success", "cut at {cut}: {item:#}");
            continue;
        }
        assert_eq!(item["status"], "Failed", "cut at {cut}: {item:#}");
        let names_byte = note.starts_with(&format!("{CUT} {cut}, in the middle of"));
        // Between two members nothing tells a cut but what the manifests list.
        let is_missed = note.contains("is missing from bag") || note.contains("issing required");
        let is_no_tar = note.contains("not a tar file");
        assert!(names_byte || is_missed || is_no_tar, "cut at {cut}: {note}");
        named += usize::from(names_byte);
    }
    assert!(named > uploads.len() / 2, "{named} of {}", uploads.len());
    site.stop().await;
}

/// Twice each: it is the same every time.
#[tokio::test(flavor = "multi_thread")]
async fn z11_what_follows_a_tar_or_does_not_is_judged_the_same_every_time() {
    let mut cases = Vec::new();
    for turn in ["first", "again"] {
        let name = |what: &str| format!("{what}-{turn}");
        let missing = "without the two blocks of zeros that mark its end";
        let trailing = "goes on after its end";
        let (none, one) = (name("none"), name("one"));
        let (zeros, garbage, second) = (name("zeros"), name("garbage"), name("second"));
        let other = bag("other").to_tar();
        for (bag, words) in [
            (bag(&none).without_end_blocks(), Some(missing)),
            (
                bag(&one).without_end_blocks().trailing([0; BLOCK]),
                Some(missing),
            ),
            // Tools fill the last record.
            (bag(&zeros).trailing([0; 9 * BLOCK]), None),
            (
                bag(&garbage).trailing("garbage".repeat(100)),
                Some(trailing),
            ),
            (bag(&second).trailing(other), Some(trailing)),
        ] {
            let case = Case::read_as(bag.name(), bag.to_tar(), super::bag(bag.name()).to_tar());
            cases.push(match words {
                Some(words) => case.warned(words),
                None => case,
            });
        }
        let lone = name("lone");
        let mut tar = bag(&lone)
            .without_end_blocks()
            .trailing([0; BLOCK])
            .to_tar();
        tar.extend(with_entry(
            &lone,
            muniment_bag_builder::Entry::file("x", "x"),
        ));
        cases.push(Case::refused(&lone, tar, "one block of zeros"));
    }
    assert_endings(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z12_what_only_calls_itself_a_tar_is_named_for_what_it_is() {
    let of = |name: &str, magic: &[u8], words: &'static str| {
        Case::refused(name, [magic, &[7; 2_000]].concat(), words)
    };
    let mut random = 0_u64;
    let noise: Vec<u8> = (0..4 << 20)
        .map(|_| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            random.to_be_bytes()[0]
        })
        .collect();
    assert_endings(vec![
        of(
            "gzip",
            &[0x1f, 0x8b, 8, 0],
            "is a gzip file, not a tar file",
        ),
        of("zip", b"PK\x03\x04", "is a zip file, not a tar file"),
        of(
            "zstd",
            b"\x28\xb5\x2f\xfd",
            "is a zstd file, not a tar file",
        ),
        of("xz", b"\xfd7zXZ\0", "is an xz file, not a tar file"),
        of("bzip2", b"BZh91AY", "is a bzip2 file, not a tar file"),
        Case::refused(
            "text",
            b"Dear archive, please find attached. ".repeat(40),
            "is a text file, not a tar file",
        ),
        Case::refused("nothing", Vec::new(), "empty (0 bytes), not a tar file"),
        Case::refused("noise", noise, "of an unknown kind, not a tar file"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z12_a_tar_that_is_called_otherwise_is_refused_with_the_name_it_should_have() {
    let site = Site::start().await;
    let tar = bag("upper").to_tar();

    let ends = "The upload is no bag: the name of a bag ends in .tar";
    let none = "The upload is no bag: there is no name before .tar";
    for (key, note) in [
        ("upper.TAR", ends),
        ("upper.tgz", ends),
        ("upper", ends),
        (".tar", none),
    ] {
        let upload = deposit(&site.view, TEST_EDU, key, &tar).await;
        assert_passed_over(&site.view, &upload, &tar, note).await;
    }
    let preserved = site.view.preserved_keys().await.expect("keys");
    assert_eq!(preserved, Vec::<String>::new());
    site.stop().await;
}
