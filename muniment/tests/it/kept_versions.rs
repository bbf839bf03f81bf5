//! Receiving buckets that keep versions: deleting an upload brings the one before it to light.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use muniment_bag_builder::BagBuilder;
use muniment_model::BucketName;
use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::checks::{ENDING_WITHIN, deposit, ending_of};
use crate::s3::client;
use crate::site::{Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn each_upload_is_ingested_and_its_version_is_deleted() {
    let (site, client, bucket) = site_with_versions().await;
    let view = &site.view;

    for letter in ["old", "new"] {
        let upload = deposit(view, TEST_EDU, "turns.tar", &tar(letter)).await;
        let item = ending_of(view, &upload).await;
        assert_eq!(item["status"], "Success", "{item:#}");
        assert_eq!(size_of_letter(&site).await, letter.len());
    }

    assert_eq!(versions(&client, &bucket).await, Vec::<String>::new());
    site.stop().await;
}

/// The older one must not be ingested over the newer, nor is it ours to delete.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_replaced_unseen_is_passed_over_when_it_comes_to_light() {
    let (site, client, bucket) = site_with_versions().await;
    let view = &site.view;
    let replaced = put(&client, &bucket, "older").await;
    let newest = put(&client, &bucket, "new").await;
    let path = format!("items?bucket={bucket}&name=turns.tar&sort=id__desc");

    let ended = timeout(ENDING_WITHIN, async {
        let mut looks = interval(std::time::Duration::from_millis(200));
        loop {
            looks.tick().await;
            let items = view.rest(&path).await.expect("an answer");
            let item = items["results"][0].clone();
            if item["etag"] == *newest && item["status"] == "Success" {
                return item;
            }
        }
    });
    let ended: Value = ended.await.expect("ingested");
    // Its key comes after the other: who looked for it has seen what came to light.
    let later = BagBuilder::aptrust("ulterior").file("data/a.txt", "a");
    let later = deposit(view, TEST_EDU, &later.key(), &later.to_tar()).await;
    assert_eq!(ending_of(view, &later).await["status"], "Success");

    let items = view.rest(&path).await.expect("an answer");
    assert_eq!(items["results"][0]["id"], ended["id"], "{items:#}");
    assert_eq!(size_of_letter(&site).await, "new".len());
    assert_eq!(versions(&client, &bucket).await, [replaced]);
    site.stop().await;
}

async fn site_with_versions() -> (Site, Client, BucketName) {
    let site = Site::start().await;
    let client = client(&site.system.instance().s3, "us-east-1");
    let bucket = site.view.receiving(TEST_EDU).expect("a bucket").clone();
    let wanted = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let set = client.put_bucket_versioning().bucket(bucket.as_str());
    let set = set.versioning_configuration(wanted).send().await;
    set.expect("set");
    (site, client, bucket)
}

fn tar(letter: &str) -> Vec<u8> {
    BagBuilder::aptrust("turns")
        .file("data/letter.txt", letter)
        .to_tar()
}

/// Uploads the bag; returns the etag.
async fn put(client: &Client, bucket: &BucketName, letter: &str) -> String {
    let put = client.put_object().bucket(bucket.as_str()).key("turns.tar");
    let put = put.body(ByteStream::from(tar(letter))).send().await;
    let etag = put.expect("put").e_tag.expect("an etag");
    etag.trim_matches('"').to_owned()
}

async fn size_of_letter(site: &Site) -> usize {
    let file = site.view.file("test.edu/turns/data/letter.txt").await;
    let file = file.expect("an answer").expect("a file");
    usize::try_from(file["size"].as_u64().expect("a size")).expect("small")
}

/// The etags of what is left in the bucket, markers not among them.
async fn versions(client: &Client, bucket: &BucketName) -> Vec<String> {
    let listed = client.list_object_versions().bucket(bucket.as_str());
    let listed = listed.send().await.expect("listed");
    assert!(listed.delete_markers().is_empty(), "{listed:?}");
    let etags = listed.versions().iter().filter_map(|one| one.e_tag());
    etags
        .map(|etag| etag.trim_matches('"').to_owned())
        .collect()
}
