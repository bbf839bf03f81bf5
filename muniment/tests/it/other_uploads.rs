//! Uploads that are no bags, and where their depositor can see it.

use muniment_bag_builder::BagBuilder;

use muniment_model::BucketName;

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_tar_is_shown_as_failed_with_the_reason() {
    let site = Site::start().await;

    let upload = deposit(&site.view, TEST_EDU, "notes.txt", b"not a bag").await;
    let item = ending_of(&site.view, &upload).await;

    assert_eq!(item["status"], "Failed");
    assert_eq!(
        item["note"],
        "The upload is no bag: the name of a bag ends in .tar"
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_to_a_bucket_without_institution_is_shown_with_the_reason() {
    let site = Site::start().await;
    let test_edu = site.view.receiving(TEST_EDU).expect("a bucket");
    let stray = test_edu.as_str().replace(TEST_EDU, "nobody.edu");
    let stray = BucketName::new(stray).expect("a name");
    site.view.create_bucket(&stray).await.expect("a bucket");

    let bag = BagBuilder::aptrust("stray").file("data/a.txt", "a");
    let upload = site.view.upload(&stray, "stray.tar", bag.to_tar()).await;
    let item = ending_of(&site.view, &upload.expect("uploads")).await;

    assert_eq!(item["status"], "Failed");
    assert_eq!(item["bucket"], stray.as_str());
    assert_eq!(item["note"], "The bucket belongs to no institution");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_put_again_after_a_bag_has_failed_are_ingested_anew() {
    let site = Site::start().await;
    let view = &site.view;
    let tar = BagBuilder::aptrust("bad")
        .file("data/a.txt", "a")
        .corrupt_digest("data/a.txt")
        .to_tar();

    let first = deposit(view, TEST_EDU, "bad.tar", &tar).await;
    let first = ending_of(view, &first).await;
    let second = deposit(view, TEST_EDU, "bad.tar", &tar).await;
    let second = ending_of(view, &second).await;

    assert_eq!(first["status"], "Failed");
    assert_eq!(second["status"], "Failed");
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["etag"], second["etag"]);
    site.stop().await;
}
