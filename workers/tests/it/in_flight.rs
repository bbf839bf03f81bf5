//! Two uploads of one bag on their way at a time: the second waits for the first, and becomes a re-ingest of
//! what that one has left.

use muniment_bag_builder::BagBuilder;
use muniment_model::{QueueName, StorageOption, StorageTarget};
use serde_json::Value;

use crate::ingest::{Ingest, expected_of};
use crate::kit::{WITHIN, preservation_buckets};
use crate::re_ingests::{assert_fetchable, deposit_record, file_of, success_of};

const RECORDER: &str = "ingest_recorder";
const VALIDATOR: &str = "ingest_validator";

fn bag(text: &str) -> BagBuilder {
    BagBuilder::aptrust("photos")
        .file("data/changed.txt", text)
        .file("data/kept.txt", "kept")
}

/// The second has been read before the first is recorded, so all of it is staged; it is compared after that,
/// whether it waits at Reingest Check or is not there yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_of_two_uploads_is_compared_with_what_the_first_has_left() {
    for held in [None, Some(VALIDATOR)] {
        let mut ingest = Ingest::with(|name| name != RECORDER).await;
        let first = ingest.upload("photos.tar", bag("one").to_tar()).await;
        ingest
            .site
            .wait_until_waiting(QueueName::IngestRecorder)
            .await;
        let older = ingest.item_of(&first).await;
        if let Some(name) = held {
            ingest.stop_one(name).await;
        }

        // The tar of the first is replaced. Its files are stored, so it goes on.
        let second = ingest.upload("photos.tar", bag("two").to_tar()).await;
        if held.is_some() {
            ingest
                .site
                .wait_until_waiting(QueueName::IngestValidator)
                .await;
        } else {
            let waits = format!(
                "Waiting for work item {}, which is working on test.edu/photos",
                older["id"]
            );
            ingest
                .wait_for_item(&second, |item| item["note"] == waits.as_str())
                .await;
        }
        ingest.start(RECORDER).await;
        let older = ended(&ingest, &older).await;
        let stored = file_of(&ingest, "data/kept.txt").await;
        if let Some(name) = held {
            ingest.start(name).await;
        }
        let newer = success_of(&ingest, &second).await;

        assert_eq!(older["status"], "Success", "{older:#}");
        let note = older["note"].as_str().expect("a note");
        assert!(note.contains("photos.tar was replaced by"), "{note}");
        assert_eq!(
            newer["intellectual_object_id"],
            older["intellectual_object_id"]
        );
        let kept = file_of(&ingest, "data/kept.txt").await;
        assert_eq!(kept["uuid"], stored["uuid"], "{held:?}");
        assert_eq!(kept["storage_records"], stored["storage_records"]);
        let end = deposit_record(&ingest.observer, &newer).await.pop();
        let end = end.expect("a line");
        // What has changed is the one file; kept.txt and the tag files have not.
        assert_eq!(end["files"], 1, "{end}");
        assert_fetchable(&ingest).await;
        let changed = file_of(&ingest, "data/changed.txt").await;
        assert_eq!(copies_kept(&ingest, &changed).await, 2, "of the first");
        ingest.stop().await;
    }
}

/// Before anything of it is stored. The first upload waits at Store when its tar is replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_replaced_before_it_is_stored_is_cancelled_for_the_newer_one() {
    let store = "ingest_preservation_uploader";
    let mut ingest = Ingest::with(|name| name != store).await;
    let first = ingest.upload("photos.tar", bag("one").to_tar()).await;
    ingest
        .site
        .wait_until_waiting(QueueName::IngestPreservationUploader)
        .await;
    let older = ingest.item_of(&first).await;

    let tar = bag("two").to_tar();
    let expected = expected_of(&tar);
    let second = ingest.upload("photos.tar", tar).await;
    let newer = ingest.item_of(&second).await;
    ingest.start(store).await;

    let older = ended(&ingest, &older).await;
    assert_eq!(older["status"], "Cancelled", "{older:#}");
    let note = older["note"].as_str().expect("a note");
    let etag = newer["etag"].as_str().expect("an etag");
    assert!(note.contains(etag), "{note}");
    ingest.check_preserved(&second, &expected).await;
    let changed = file_of(&ingest, "data/changed.txt").await;
    assert_eq!(copies_kept(&ingest, &changed).await, 0, "of the first");
    ingest.stop().await;
}

/// A depositor who names another option is told so, once, however often the bag is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_storage_option_of_a_stored_object_wins_and_is_told_once() {
    let staging = "ingest_staging_uploader";
    let mut ingest = Ingest::with(|_| true).await;
    let first = bag("one").storage_option(StorageOption::WasabiOr).to_tar();
    success_of(&ingest, &ingest.upload("photos.tar", first).await).await;
    ingest.stop_one(staging).await;
    let second = bag("two").storage_option(StorageOption::Standard).to_tar();
    let second = ingest.upload("photos.tar", second).await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;

    // Back to Validate, which judges the bag anew.
    let waiting = ingest.item_of(&second).await;
    ingest
        .site
        .put_at(&waiting, QueueName::IngestValidator)
        .await;
    ingest
        .wait_for_item(&second, |item| item["stage"] == "Copy To Staging")
        .await;
    ingest.start(staging).await;

    let item = success_of(&ingest, &second).await;
    let lines = deposit_record(&ingest.observer, &item).await;
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line["code"] == "storage_option_forced")
        .map(|line| (line["severity"].as_str(), line["message"].as_str()))
        .collect();
    let message = "The object is stored as Wasabi-OR and stays so; Standard is not applied";
    assert_eq!(told, [(Some("warning"), Some(message))]);
    for (target, bucket) in preservation_buckets() {
        let keys = ingest.observer.keys(&bucket, "").await.expect("keys");
        let is_wanted = target == StorageTarget::WasabiOr;
        assert_eq!(!keys.is_empty(), is_wanted, "{target}: {keys:?}");
    }
    assert_fetchable(&ingest).await;
    ingest.stop().await;
}

/// An item whose key has a newer item by now, once it has ended.
async fn ended(ingest: &Ingest, began: &Value) -> Value {
    let path = format!("items/show/{}", began["id"]);
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let found = tokio::time::timeout(WITHIN, async {
        loop {
            ticks.tick().await;
            let item = ingest.observer.rest(&path).await.expect("answers");
            if !["Pending", "Started"].contains(&item["status"].as_str().expect("a status")) {
                return item;
            }
        }
    });
    found.await.expect("ends")
}

/// How many superseded copies a file has.
async fn copies_kept(ingest: &Ingest, file: &Value) -> u64 {
    let path = format!(
        "storage_records?superseded_at__not_null=true&generic_file_id={}",
        file["id"]
    );
    let list = ingest.observer.rest(&path).await.expect("answers");
    list["count"].as_u64().expect("a count")
}
