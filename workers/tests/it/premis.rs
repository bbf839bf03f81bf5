//! What the registry's events say of how an object was stored.

use muniment_bag_builder::BagBuilder;
use muniment_model::{BatchNumber, QueueName, VerificationMethod, WorkItemId};
use muniment_work::{FileWrite, Progress, Queue, Records, Release};

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
    let queue = QueueName::IngestRecorder;
    ingest.site.wait_until_waiting(queue).await;
    let item = ingest.item_of(&upload).await;
    let id = WorkItemId(item["id"].as_i64().expect("an id"));
    let work = &ingest.site.work;
    let claim = work.claim(queue, WITHIN).await.expect("answers");
    let lease = claim.expect("a claim").lease;
    let batch = BatchNumber(1);
    let mut records = work.files(id, batch).await.expect("read");
    for copy in records.iter_mut().flat_map(|file| &mut file.copies) {
        copy.verification_method = Some(VerificationMethod::ReadBack);
    }
    let write = FileWrite {
        batch,
        from_index: 0,
        records: &records,
        checkpoint: None,
        progress: Progress::NotMade,
    };
    work.save_files(&lease, write).await.expect("written");
    let given_up = work.release(&lease, Release::Now).await;
    given_up.expect("released");

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
