//! `muniment inspect`: of an item that waits, of one whose system was killed, of one that has ended.

use std::path::Path;
use std::process::Output;

use muniment::up::depositor;
use muniment_bag_builder::BagBuilder;
use muniment_model::registry::WorkItem;
use muniment_model::{StorageOption, WorkItemId};
use muniment_work::Records;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::checks::{ENDING_WITHIN, assert_preserved, count, deposit_bag, ending_of};
use crate::process::{Up, muniment, run};
use crate::site::{Site, TEST_EDU};

const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_waits_is_shown_from_all_places_and_its_events_are_those_that_are_recorded() {
    let site = Site::start_halting().await;
    let bag = deposit_bag(&site.view, TEST_EDU, &photos(), StorageOption::Standard).await;
    ending_of(&site.view, &bag.upload).await;
    let before = state_of(&site).await;

    let shown = muniment(&["inspect", "test.edu/photos", "--json"], site.data()).await;
    let people = muniment(&["inspect", "1", "--files=3"], site.data()).await;

    let after = state_of(&site).await;
    assert!(after == before, "a look has changed the item");
    let document = document(&shown);
    let members: Vec<_> = document.as_object().expect("members").keys().collect();
    let documented = [
        "events_to_come",
        "inspected_at",
        "not_known",
        "registry",
        "staged_index",
        "work_item_id",
        "work_store",
    ];
    assert_eq!(members, documented);
    assert_eq!(document["not_known"], json!([]), "{document:#}");
    let item: WorkItem =
        serde_json::from_value(document["registry"]["work_item"].clone()).expect("the row");
    assert_eq!(item, before.0);
    let work = &document["work_store"];
    assert_eq!(work["object"]["identifier"], "test.edu/photos");
    // Three payload files, two tag files, bagit.txt and the manifests are digested and staged.
    let files = &work["files"];
    assert_eq!(files["staged"], work["object"]["files"], "{files:#}");
    assert_eq!(files["digested"], files["staged"], "{files:#}");
    assert_eq!(
        files["to_save"],
        json!(bag.expected.tar.preserved().count())
    );
    assert_eq!(files["copies"], json!({}));
    assert_eq!(work["batches"][0]["files"], files["records"], "{work:#}");
    let index =
        json!({"batches": [0], "end": true, "storing": false, "returns": 0, "restagings": 0});
    assert_eq!(document["staged_index"], index);
    assert_no_secret(&site, &shown);
    assert_no_secret(&site, &people);
    let said = String::from_utf8_lossy(&people.stdout);
    for expected in [
        "Suspended, needs an operator",
        "Events to come",
        "--files=COUNT shows",
    ] {
        assert!(said.contains(expected), "{said}");
    }

    let events = document["events_to_come"].clone();
    assert_eq!(events["may_change"], true, "{events:#}");
    let site = site.mended().await;
    let requeued = muniment(&["requeue", "1", "--wait"], site.data()).await;
    assert!(requeued.status.success(), "{requeued:?}");
    assert_preserved(&site.view, &bag).await;
    assert_eq!(json!(count(&site.view, "events").await), events["total"]);
    let ended = document_of(&["inspect", "1", "--json", "--files"], site.data()).await;
    assert_eq!(ended["events_to_come"]["total"], 0);
    let why = &ended["events_to_come"]["none_because"];
    assert_eq!(why, "the item has ended: Success");
    assert_eq!(ended["registry"]["recorded"]["files"], files["to_save"]);
    assert_eq!(ended["work_store"]["messages"], json!([]));
    assert_eq!(ended["staged_index"]["batches"], json!([]));
    assert_eq!(ended["files"], json!([]));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_system_left_is_shown_and_no_byte_of_it_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (up, view) = Up::start(folder.path()).await;
    let mut bag = BagBuilder::btr("photos");
    for n in 0..300 {
        bag = bag.generated_file(format!("data/{n}.bin"), 20_000 + n, n);
    }
    let bag = deposit_bag(&view, TEST_EDU, &bag, StorageOption::Standard).await;
    let begun = timeout(ENDING_WITHIN, async {
        let mut ticks = interval(LOOK_EVERY);
        while view.item_of(&bag.upload).await.expect("asked")["status"] != "Started" {
            ticks.tick().await;
        }
    });
    begun.await.expect("begins in time");
    drop(up);
    let before = work_files(folder.path());

    let shown = document_of(&["inspect", "1", "--json"], folder.path()).await;

    assert!(work_files(folder.path()) == before, "a look has written");
    assert_eq!(shown["registry"]["work_item"], Value::Null);
    let not_known = shown["not_known"].as_array().expect("a list");
    let sources: Vec<_> = not_known.iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["registry", "staged_index"], "{not_known:#?}");
    let reason = not_known[0]["reason"].as_str().expect("words");
    assert!(reason.contains("is `muniment up` running?"), "{reason}");
    // An item on its way has a message at every moment.
    let messages = shown["work_store"]["messages"].as_array().expect("a list");
    let states = ["ready", "due", "leased"].map(Value::from);
    let known = |message: &Value| states.contains(&message["state"]);
    assert!(
        !messages.is_empty() && messages.iter().all(known),
        "{messages:#?}"
    );
    let (again, after) = Up::start(folder.path()).await;
    assert_preserved(&after, &bag).await;
    drop(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_says_why() {
    let site = Site::start_halting().await;
    let bag = deposit_bag(&site.view, TEST_EDU, &photos(), StorageOption::Standard).await;
    ending_of(&site.view, &bag.upload).await;
    let file = depositor::file(site.data(), TEST_EDU);
    let file = file.to_str().expect("its name");

    let unknown = muniment(&["inspect", "77"], site.data()).await;
    let no_bag = muniment(&["inspect", "letters"], site.data()).await;
    let theirs = run(&["inspect", "1", "--instance", file]).await;
    site.system.stop().await;
    let down = muniment(&["inspect", "77"], site.data()).await;
    let left = document_of(&["inspect", "photos.tar", "--json"], site.data()).await;
    let nowhere = muniment(&["inspect", "1"], &site.data().join("nowhere")).await;

    assert_failed(&unknown, "there is no work item 77");
    assert_failed(&no_bag, "no work item is about a bag named letters");
    assert_failed(&theirs, "name the data folder with `--data DIR`");
    assert_failed(&down, "nothing is known of work item 77");
    assert_failed(&down, "is `muniment up` running?");
    assert_failed(&nowhere, "there is no muniment in");
    assert_eq!(left["work_item_id"], 1);
    assert_eq!(
        left["work_store"]["object"]["identifier"],
        "test.edu/photos"
    );
}

fn photos() -> BagBuilder {
    let bag = BagBuilder::aptrust("photos").file("data/a", "a");
    bag.file("data/b", "b").file("data/a name", "c")
}

/// The registry's row with its version, and what the work store keeps.
async fn state_of(site: &Site) -> (WorkItem, Option<muniment_model::ObjectRecord>) {
    let id = WorkItemId(1);
    let item = site.system.registry().work_item(id).await.expect("asked");
    let object = site.system.work().object(id).await.expect("read");
    (item.expect("an item"), object)
}

fn work_files(data: &Path) -> Vec<Vec<u8>> {
    let files = ["work.db", "work.db-wal"].map(|name| data.join(name));
    files
        .map(|file| std::fs::read(file).expect("is there"))
        .into()
}

async fn document_of(words: &[&str], data: &Path) -> Value {
    document(&muniment(words, data).await)
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn assert_no_secret(site: &Site, output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let instance = site.system.instance();
    for secret in [
        &instance.s3.secret_key,
        &instance.s3.access_key,
        &instance.registry.api_key,
    ] {
        assert!(!said.contains(secret.as_str()), "{said}");
    }
}

fn assert_failed(output: &Output, expected: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(expected), "{told}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
