//! Versions of a file: each deposit of other bytes is one, also of bytes that the file had before.

use muniment_bag_builder::BagBuilder;
use muniment_model::{Algorithm, BucketName};
use muniment_observer::Observer;
use serde_json::Value;

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const LETTER: &str = "test.edu/turns/data/letter.txt";

/// A file that has been B and is A again must not be taken for B: the next B would never be stored.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_go_a_b_a_b_are_stored_each_time() {
    let site = Site::start().await;
    let view = &site.view;
    let mut versions = Vec::new();

    for letter in ["first", "second", "first", "second"] {
        let bag = BagBuilder::aptrust("turns").file("data/letter.txt", letter);
        let upload = deposit(view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
        let item = ending_of(view, &upload).await;
        assert_eq!(item["status"], "Success", "{item:#}");

        let file = view.file(LETTER).await.expect("an answer").expect("a file");
        let urls = urls(&file["storage_records"]);
        assert_eq!(urls.len(), 2, "{file:#}");
        for url in &urls {
            assert_eq!(sha256_at(view, url).await, sha256(letter), "{file:#}");
        }
        let recorded = each(&file["checksums"]).find(|digest| digest["algorithm"] == "sha256");
        let recorded = recorded.map(|digest| digest["digest"].clone());
        assert_eq!(recorded, Some(sha256(letter).into()), "{file:#}");
        versions.push((letter, urls));
    }

    // The copies of former versions are kept for their undo time, as they were.
    for (letter, urls) in &versions {
        for url in urls {
            assert_eq!(sha256_at(view, url).await, sha256(letter), "{url}");
        }
    }
    let mut keys: Vec<_> = versions.iter().flat_map(|(_, urls)| urls).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 8, "four versions, two copies each");
    site.stop().await;
}

fn sha256(letter: &str) -> String {
    muniment_digest::digest(letter.as_bytes()).hex(Algorithm::Sha256)
}

/// Of the bytes that are at the URL of a copy, `https://HOST/BUCKET/KEY`.
async fn sha256_at(view: &Observer, url: &str) -> String {
    let mut parts = url.rsplit('/');
    let (key, bucket) = (
        parts.next().expect("a key"),
        parts.next().expect("a bucket"),
    );
    let bucket = BucketName::new(bucket).expect("a bucket name");
    let stored = view.stored(&bucket, key).await.expect("an answer");
    stored.expect("a copy").digests.hex(Algorithm::Sha256)
}

fn urls(copies: &Value) -> Vec<String> {
    each(copies)
        .map(|copy| copy["url"].as_str().expect("a URL").to_owned())
        .collect()
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
