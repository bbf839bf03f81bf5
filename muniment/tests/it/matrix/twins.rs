//! Z20: two files that md5 cannot tell apart are two files, and one in the place of the other is a change.

use muniment_bag_builder::BagBuilder;
use muniment_model::{Algorithm, StorageOption};
use muniment_observer::Observer;
use serde_json::Value;

use super::{LETTER, TEXT};
use crate::checks::{assert_preserved, deposit, deposit_bag, ending_of};
use crate::site::{Site, TEST_EDU};

/// X. Wang, D. Feng, X. Lai, H. Yu, "Collisions for Hash Functions MD4, MD5, HAVAL-128 and RIPEMD",
/// Cryptology ePrint Archive 2004/199: the first of its two messages, in the byte order of files.
const ONE: [u8; 128] = [
    0xd1, 0x31, 0xdd, 0x02, 0xc5, 0xe6, 0xee, 0xc4, 0x69, 0x3d, 0x9a, 0x06, 0x98, 0xaf, 0xf9, 0x5c,
    0x2f, 0xca, 0xb5, 0x87, 0x12, 0x46, 0x7e, 0xab, 0x40, 0x04, 0x58, 0x3e, 0xb8, 0xfb, 0x7f, 0x89,
    0x55, 0xad, 0x34, 0x06, 0x09, 0xf4, 0xb3, 0x02, 0x83, 0xe4, 0x88, 0x83, 0x25, 0x71, 0x41, 0x5a,
    0x08, 0x51, 0x25, 0xe8, 0xf7, 0xcd, 0xc9, 0x9f, 0xd9, 0x1d, 0xbd, 0xf2, 0x80, 0x37, 0x3c, 0x5b,
    0xd8, 0x82, 0x3e, 0x31, 0x56, 0x34, 0x8f, 0x5b, 0xae, 0x6d, 0xac, 0xd4, 0x36, 0xc9, 0x19, 0xc6,
    0xdd, 0x53, 0xe2, 0xb4, 0x87, 0xda, 0x03, 0xfd, 0x02, 0x39, 0x63, 0x06, 0xd2, 0x48, 0xcd, 0xa0,
    0xe9, 0x9f, 0x33, 0x42, 0x0f, 0x57, 0x7e, 0xe8, 0xce, 0x54, 0xb6, 0x70, 0x80, 0xa8, 0x0d, 0x1e,
    0xc6, 0x98, 0x21, 0xbc, 0xb6, 0xa8, 0x83, 0x93, 0x96, 0xf9, 0x65, 0x2b, 0x6f, 0xf7, 0x2a, 0x70,
];

/// Where the top bit is the other one in the second message.
const DIFFERS_AT: [usize; 6] = [19, 45, 59, 83, 109, 123];

fn twin() -> [u8; 128] {
    let mut twin = ONE;
    for at in DIFFERS_AT {
        twin[at] ^= 0x80;
    }
    twin
}

/// A bag that lists md5 alone.
fn bag(files: &[(&str, &[u8])]) -> BagBuilder {
    let bag = BagBuilder::aptrust("twins")
        .manifests(&[Algorithm::Md5])
        .file(LETTER, TEXT);
    files
        .iter()
        .fold(bag, |so_far, (path, bytes)| so_far.file(*path, *bytes))
}

async fn file(view: &Observer, path: &str) -> Value {
    let found = view.file(&format!("{TEST_EDU}/twins/{path}")).await;
    found.expect("an answer").expect("a file")
}

fn digest<'a>(file: &'a Value, algorithm: &str) -> &'a Value {
    let digests = file["checksums"].as_array().into_iter().flatten();
    let mut found = digests.filter(|one| one["algorithm"] == algorithm);
    &found.next().expect("a digest")["digest"]
}

#[tokio::test(flavor = "multi_thread")]
async fn z20_files_of_one_md5_are_two_files_and_one_for_the_other_is_a_change() {
    let (one, twin) = (ONE, twin());
    let site = Site::start().await;
    let view = &site.view;
    let both = bag(&[("data/one.bin", &one), ("data/twin.bin", &twin)]);

    let first = deposit_bag(view, TEST_EDU, &both, StorageOption::Standard).await;

    assert_preserved(view, &first).await;
    let of_one = file(view, "data/one.bin").await;
    let of_twin = file(view, "data/twin.bin").await;
    assert_eq!(digest(&of_one, "md5"), digest(&of_twin, "md5"));
    assert_ne!(digest(&of_one, "sha256"), digest(&of_twin, "sha256"));
    assert_ne!(of_one["uuid"], of_twin["uuid"]);

    let swapped = bag(&[("data/one.bin", &twin), ("data/twin.bin", &twin)]);
    let second = deposit(view, TEST_EDU, "twins.tar", &swapped.to_tar()).await;
    let second = ending_of(view, &second).await;

    assert_eq!(second["status"], "Success", "{second:#}");
    let changed = file(view, "data/one.bin").await;
    assert_ne!(changed["uuid"], of_one["uuid"]);
    assert_eq!(digest(&changed, "sha256"), digest(&of_twin, "sha256"));
    assert_eq!(file(view, "data/twin.bin").await["uuid"], of_twin["uuid"]);
    let differences = view.check_fetchable("test.edu/twins").await;
    let differences = differences.expect("can be looked at");
    assert!(differences.is_empty(), "{differences}");
    site.stop().await;
}
