//! What ended items left, and the sweep that clears it: of ended items only, and only of those that
//! the registry says have ended.

use std::time::Duration;

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Requests, Times};
use muniment_model::{QueueName, Status, WorkItemId};
use muniment_registry_client::ClientError;
use muniment_work::{Queue, Records, Release};
use serde_json::{Value, json};

use crate::ingest::{Ingest, bucket};
use crate::kit::{RECEIVING, STAGING, WITHIN};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A batch that was under way when the item was cleaned up writes after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_staged_after_cleanup_are_cleared_and_no_others() {
    let mut ingest = without_sweep_and("ingest_staging_uploader").await;
    let (active, _) = ingest.deposit().await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;
    let ended = rejected(&ingest).await;
    let kept = ingest.observer.staged_keys().await.expect("listed");
    let strange = ["999999/index/end", "notes/a.txt", "stray"];
    for key in strange {
        put(&ingest, key).await;
    }
    for name in ["late", "index/0"] {
        put(&ingest, &format!("{}/{name}", ended["id"])).await;
    }

    ingest.start("apt_queue").await;

    wait_until(async || staged_of(&ingest, &ended).await.is_empty()).await;
    wait_until(async || ingest.last_logged().contains("notes/")).await;
    let logged = ingest.last_logged();
    for expected in ["\"items\":1,\"files\":2,", "999999/"] {
        assert!(logged.contains(expected), "{logged}");
    }
    let mut left = ingest.observer.staged_keys().await.expect("listed");
    left.retain(|key| !strange.contains(&key.as_str()));
    assert_eq!(left, kept, "the active item's");
    let item = ingest.item_of(&active).await;
    assert_eq!(item["stage"], "Copy To Staging", "{item:#}");
    for name in strange {
        assert!(is_there(&ingest, STAGING, name).await, "{name}");
    }
    assert!(is_there(&ingest, RECEIVING, "broken.tar").await);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_what_was_stuck_orphaned_and_swept_and_the_sweep_ends() {
    let ingest = Ingest::with(|_| false).await;
    let site = &ingest.site;
    let made = site.give_work(QueueName::IngestPreFetch, 3).await;
    site.work.drop_item(made[1].id).await.expect("dropped");
    end_by_hand(&ingest, &json!({"id": made[2].id})).await;
    put(&ingest, "notes/a.txt").await;
    put(&ingest, &format!("{}/late", made[2].id)).await;
    let apt_queue = workers::all()
        .iter()
        .find(|worker| worker.name == "apt_queue");
    let apt_queue = apt_queue.expect("it is there");

    let json = site.run_to_its_end(apt_queue, &["--report=json"]).await;
    let text = site.run_to_its_end(apt_queue, &["--report=text"]).await;

    assert!(json.status.success(), "{json:?}");
    let found: Value = serde_json::from_slice(&json.stdout).expect("JSON alone");
    assert_eq!(found["whole"], true, "{found:#}");
    assert_eq!(found["open"], 2, "{found:#}");
    assert_eq!(found["stuck"], 1, "{found:#}");
    let stuck = &found["stuck_items"][0];
    assert_eq!(stuck["work_item"], made[1].id.0, "{found:#}");
    assert_eq!(found["swept_items"], 1, "{found:#}");
    assert_eq!(found["swept_files"], 1, "{found:#}");
    assert_eq!(found["orphaned_names"][0], "notes/", "{found:#}");
    // What was stuck has its message again.
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("stuck     0: queued again\n"), "{text}");
}

/// An operator wrote the row, so that Cleanup never ran; a batch of the item is still worked on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_was_ended_by_hand_is_cleared_when_nobody_works_on_it() {
    let mut ingest = without_sweep_and("ingest_staging_uploader").await;
    let (upload, _) = ingest.deposit().await;
    let queue = QueueName::IngestStagingUploader;
    ingest.site.wait_until_waiting(queue).await;
    let staged = ingest.staged_files().await;
    let claim = ingest.site.work.claim(queue, WITHIN).await;
    let lease = claim.expect("answers").expect("a claim").lease;
    let item = ingest.item_of(&upload).await;
    let id = end_by_hand(&ingest, &item).await;

    ingest.start("apt_queue").await;
    let work = &ingest.site.work;
    wait_until(async || {
        work.renew(&lease).await.expect("held");
        ingest.last_logged().contains("\"leased\":1")
    })
    .await;
    assert_eq!(ingest.staged_files().await, staged, "a worker has it");
    assert!(work.object(id).await.expect("read").is_some());

    let given_up = work.release(&lease, Release::Now).await;
    given_up.expect("released");
    let nothing_before = WorkItemId::default();
    wait_until(async || {
        let known = work.items_after(nothing_before, 10).await;
        known.expect("listed").is_empty()
    })
    .await;
    assert_eq!(staged_of(&ingest, &item).await, Vec::<String>::new());
    assert_eq!(work.object(id).await.expect("read"), None);
    assert_eq!(work.backlog().await.expect("counted")[&queue].ready, 0);
    assert!(is_there(&ingest, RECEIVING, "photos.tar").await);
    ingest.stop().await;
}

/// Its list of open items answers, and the question about one item does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_cleared_while_the_registry_does_not_answer() {
    let mut ingest = without_sweep_and("").await;
    let ended = rejected(&ingest).await;
    put(&ingest, &format!("{}/late", ended["id"])).await;
    let proxy = FaultProxy::before(ingest.site.registry_url.trim_end_matches('/')).await;
    let proxy = proxy.expect("a proxy");
    let questions = Requests::any().containing("items/show");
    proxy.plan(questions, Times::Always, Fault::unavailable(None));
    ingest.site.registry_url = format!("{}/", proxy.url());

    ingest.start("apt_queue").await;

    wait_until(async || {
        let logged = ingest.last_logged();
        logged.matches("sweep will be repeated").count() >= 2
    })
    .await;
    assert_eq!(staged_of(&ingest, &ended).await.len(), 1);
    proxy.heal();
    wait_until(async || staged_of(&ingest, &ended).await.is_empty()).await;
    ingest.stop().await;
}

async fn without_sweep_and(other: &str) -> Ingest {
    Ingest::with(|name| name != "apt_queue" && name != other).await
}

/// An item that has failed and was cleaned up.
async fn rejected(ingest: &Ingest) -> Value {
    let broken = BagBuilder::aptrust("broken").file("data/a", "a");
    let broken = broken.without_file_but_listed("data/b").to_tar();
    let upload = ingest.upload("broken.tar", broken).await;
    let ended = ingest.observer.wait_for_ending(&upload, WITHIN).await;
    let ended = ended.expect("ends");
    assert_eq!(ended["status"], "Failed", "{ended:#}");
    assert_eq!(staged_of(ingest, &ended).await, Vec::<String>::new());
    ended
}

async fn staged_of(ingest: &Ingest, item: &Value) -> Vec<String> {
    let prefix = format!("{}/", item["id"]);
    let keys = ingest.observer.keys(&bucket(STAGING), &prefix).await;
    keys.expect("listed")
}

async fn is_there(ingest: &Ingest, name: &str, key: &str) -> bool {
    let found = ingest.observer.stored(&bucket(name), key).await;
    found.expect("an answer").is_some()
}

async fn put(ingest: &Ingest, key: &str) {
    let staging = bucket(STAGING);
    let put = ingest.observer.put(&staging, key, b"late".to_vec());
    put.await.expect("put");
}

/// As an operator does who writes the row and not an order.
async fn end_by_hand(ingest: &Ingest, item: &Value) -> WorkItemId {
    let id = WorkItemId(item["id"].as_i64().expect("an id"));
    let registry = &ingest.site.registry;
    loop {
        let mut wanted = registry.work_item(id).await.expect("answers").expect("is");
        wanted.status = Status::Cancelled;
        match registry.update_work_item(&wanted).await {
            Ok(_ended) => return id,
            // A worker has written it meanwhile.
            Err(ClientError::VersionConflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn wait_until(mut reached: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let waited = tokio::time::timeout(WITHIN, async {
        while !reached().await {
            ticks.tick().await;
        }
    });
    waited.await.expect("it does not come to that");
}
