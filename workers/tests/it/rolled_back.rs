//! Records that are older than the stage of their item, as a work store has them that went back in time.

use muniment_bag_builder::BagBuilder;
use muniment_model::{BatchNumber, ObjectRecord, QueueName, Stamp, StorageOption, StorageTarget};
use muniment_observer::{Expected, Upload};

use crate::ingest::{Ingest, expected_of};
use crate::kit::preservation_buckets;

/// What the records of an item looked like when a stage was done.
type Back = fn(&mut ObjectRecord);

/// Nothing that is missing shows: a bag may name no storage option, and an object may be new.
fn as_after_receive(object: &mut ObjectRecord) {
    object.stamp = Stamp::Received;
    object.metadata = None;
    object.registered = None;
}

fn as_after_validate(object: &mut ObjectRecord) {
    object.stamp = Stamp::Validated;
    object.registered = None;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_from_before_validate_are_no_answer_to_what_it_asked() {
    let name = "reingest_manager";
    let mut ingest = Ingest::with(|other| other != name).await;
    let tar = bag(StorageOption::WasabiOr, "hello").to_tar();
    let expected = Expected {
        option: StorageOption::WasabiOr,
        ..expected_of(&tar)
    };
    let upload = ingest.upload("photos.tar", tar).await;

    let at = QueueName::ReingestManager;
    put_back(&ingest, &upload, (at, as_after_receive)).await;
    ingest.start(name).await;

    ingest.check_preserved(&upload, &expected).await;
    assert_all_in_oregon(&ingest).await;
    ingest.stop().await;
}

/// The object is in the registry, with an option that wins over what the second upload names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_from_before_reingest_check_are_no_answer_to_what_it_asked() {
    let rows = [
        ("ingest_staging_uploader", QueueName::IngestStagingUploader),
        (
            "ingest_preservation_uploader",
            QueueName::IngestPreservationUploader,
        ),
    ];

    for (name, queue) in rows {
        let mut ingest = Ingest::with(|_| true).await;
        let first = bag(StorageOption::WasabiOr, "hello").to_tar();
        let upload = ingest.upload("photos.tar", first).await;
        success_of(&ingest, &upload).await;
        ingest.stop_one(name).await;
        let second = bag(StorageOption::Standard, "something else").to_tar();
        let again = ingest.upload("photos.tar", second).await;

        put_back(&ingest, &again, (queue, as_after_validate)).await;
        ingest.start(name).await;

        success_of(&ingest, &again).await;
        let differences = ingest.observer.check_fetchable("test.edu/photos").await;
        let differences = differences.expect("answers");
        assert!(differences.is_empty(), "{name}: {differences}");
        assert_all_in_oregon(&ingest).await;
        ingest.stop().await;
    }
}

fn bag(option: StorageOption, text: &str) -> BagBuilder {
    BagBuilder::aptrust("photos")
        .storage_option(option)
        .file("data/hello.txt", text)
        .file("data/world.txt", "world")
}

/// A copy elsewhere would be one that nobody asked for, and nobody would ever look at.
async fn assert_all_in_oregon(ingest: &Ingest) {
    for (target, bucket) in preservation_buckets() {
        let keys = ingest.observer.keys(&bucket, "").await.expect("keys");
        let is_wanted = target == StorageTarget::WasabiOr;
        assert_eq!(!keys.is_empty(), is_wanted, "{target}: {keys:?}");
    }
}

async fn success_of(ingest: &Ingest, upload: &Upload) {
    ingest
        .wait_for_item(upload, |item| item["status"] == "Success")
        .await;
}

/// Also of the files is forgotten what the registry knows of them.
async fn put_back(ingest: &Ingest, upload: &Upload, (queue, back): (QueueName, Back)) {
    ingest
        .change_records(upload, (queue, BatchNumber(0)), |object, files| {
            back(object);
            for file in files {
                file.registered = None;
            }
        })
        .await;
}
