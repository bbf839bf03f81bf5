//! What the registry's events say of how an object was stored.

use muniment_bag_builder::BagBuilder;
use muniment_model::{BatchNumber, FileRecord, ObjectRecord, QueueName, VerificationMethod};

use crate::ingest::Ingest;
use crate::kit::WITHIN;

/// The store stopped to report checksums after the first batch of 500 files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_of_an_object_names_the_methods_of_all_its_batches() {
    let mut ingest = Ingest::with(|name| name != "ingest_recorder").await;
    let mut bag = BagBuilder::aptrust("photos");
    for n in 0..520 {
        bag = bag.file(format!("data/{n}.txt"), "x");
    }
    let upload = ingest.upload("photos.tar", bag.to_tar()).await;
    let at = (QueueName::IngestRecorder, BatchNumber(1));
    let read_back = |_: &mut ObjectRecord, files: &mut [FileRecord]| {
        for copy in files.iter_mut().flat_map(|file| &mut file.copies) {
            copy.verification_method = Some(VerificationMethod::ReadBack);
        }
    };
    ingest.change_records(&upload, at, read_back).await;

    ingest.start("ingest_recorder").await;

    let ended = ingest.observer.wait_for_ending(&upload, WITHIN).await;
    let ended = ended.expect("ends");
    assert_eq!(ended["status"], "Success", "{ended:#}");
    let path = format!(
        "events?intellectual_object_id={}&generic_file_id__is_null=true&event_type=ingestion",
        ended["intellectual_object_id"]
    );
    let events = ingest.observer.rest(&path).await.expect("answers");
    assert_eq!(
        events["results"][0]["outcome_information"], "Put and confirmed (carried, read-back)",
        "{events:#}"
    );
    ingest.stop().await;
}
