//! What the registry would refuse is found before anything is stored.

use muniment_model::{BatchNumber, FileRecord, ObjectRecord, QueueName};
use serde_json::Value;

use crate::ingest::Ingest;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_that_cannot_be_recorded_fails_before_anything_is_stored() {
    let item = ended_after(|file| file.size = u64::MAX, "Failed").await;

    let note = item["note"].as_str().expect("a note");
    let expected =
        "File test.edu/photos/data/hello.txt cannot be recorded: Size: Size is too large";
    assert!(note.contains(expected), "{item:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_our_fault_stops_the_item_before_anything_is_stored() {
    let unnamed = |file: &mut FileRecord| {
        if let Some(format) = &mut file.format {
            format.media_type = " ".to_owned();
        }
    };

    let item = ended_after(unnamed, "Suspended").await;

    assert_eq!(item["stage"], "Validate", "{item:#}");
    let note = item["note"].as_str().expect("a note");
    let expected = "the registry would refuse the record of test.edu/photos/";
    assert!(note.contains(expected), "{item:#}");
}

/// The item of a bag whose file records were changed between Receive and Validate, once it has this
/// status.
async fn ended_after(change: impl Fn(&mut FileRecord), status: &str) -> Value {
    let mut ingest = Ingest::with(|name| name != "ingest_validator").await;
    let (upload, _expected) = ingest.deposit().await;
    let named = |file: &&mut FileRecord| file.path == "data/hello.txt";
    let change = |_: &mut ObjectRecord, files: &mut [FileRecord]| {
        files.iter_mut().filter(named).for_each(change);
    };
    let at = (QueueName::IngestValidator, BatchNumber(0));
    ingest.change_records(&upload, at, change).await;

    ingest.start("ingest_validator").await;

    let item = ingest
        .wait_for_item(&upload, |item| item["status"] == status)
        .await;
    let preserved = ingest.observer.preserved_keys().await.expect("keys");
    assert_eq!(preserved, Vec::<String>::new());
    ingest.stop().await;
    item
}
