//! Uploads that are no bags, and where their depositor can see it.

use muniment_bagit::build::BagBuilder;

use crate::site::{Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_tar_is_shown_as_failed_with_the_reason() {
    let site = Site::start().await;

    site.view
        .deposit(TEST_EDU, "notes.txt", b"not a bag".to_vec())
        .await;
    let item = site.view.ending_of("notes.txt").await;

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
    let test_edu = site.view.receiving(TEST_EDU);
    let stray = test_edu.replace(TEST_EDU, "nobody.edu");
    site.view
        .s3
        .create_bucket()
        .bucket(&stray)
        .send()
        .await
        .expect("a bucket");

    let bag = BagBuilder::aptrust("stray").file("data/a.txt", "a");
    site.view.put(&stray, "stray.tar", bag.to_tar()).await;
    let item = site.view.ending_of("stray.tar").await;

    assert_eq!(item["status"], "Failed");
    assert_eq!(item["bucket"], stray.as_str());
    assert_eq!(item["note"], "The bucket belongs to no institution");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_put_again_after_a_failure_are_ingested_anew() {
    let site = Site::start().await;
    let view = &site.view;
    let tar = BagBuilder::aptrust("bad")
        .file("data/a.txt", "a")
        .corrupt_digest("data/a.txt")
        .to_tar();

    view.deposit(TEST_EDU, "bad.tar", tar.clone()).await;
    let first = view.ending_of("bad.tar").await;
    view.deposit(TEST_EDU, "bad.tar", tar).await;
    let second = view
        .ending_after("bad.tar", first["id"].as_i64().expect("an id"))
        .await;

    assert_eq!(first["status"], "Failed");
    assert_eq!(second["status"], "Failed");
    assert_eq!(first["etag"], second["etag"]);
    site.stop().await;
}
