//! What was deleted comes back when it is deposited again: a file, or a whole object.

use muniment_bag_builder::BagBuilder;
use muniment_model::registry::{GenericFile, IntellectualObject, RecordState};
use muniment_model::{BucketName, ObjectIdentifier, StorageOption, WorkItemId};
use muniment_observer::{Expected, Observer, TarListing};
use serde_json::Value;

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const LETTERS: &str = "test.edu/letters";

fn bag(option: StorageOption) -> BagBuilder {
    BagBuilder::aptrust("letters")
        .storage_option(option)
        .file("data/deleted.txt", "Dear all,")
        .file("data/kept.txt", "Dear none,")
}

async fn ingest(view: &Observer, bag: &BagBuilder) -> Value {
    let upload = deposit(view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
    let item = ending_of(view, &upload).await;
    assert_eq!(item["status"], "Success", "{item:#}");
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_that_is_in_a_bag_again_is_active_with_new_copies() {
    let site = Site::start().await;
    let view = &site.view;
    let bag = bag(StorageOption::Standard);
    ingest(view, &bag).await;
    let (deleted, kept) = (file(view, "deleted").await, file(view, "kept").await);
    delete(&site, "data/deleted.txt").await;
    assert_eq!(file(view, "deleted").await["state"], "D");
    assert_eq!(object(view).await["file_count"], 3);

    ingest(view, &bag).await;

    let back = file(view, "deleted").await;
    assert_eq!(back["state"], "A", "{back:#}");
    assert_eq!(back["id"], deleted["id"]);
    assert_ne!(back["uuid"], deleted["uuid"]);
    assert_eq!(file(view, "kept").await, kept);
    assert_eq!(object(view).await["file_count"], 4);
    let differences = view.check_fetchable(LETTERS).await.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    site.stop().await;
}

/// With the option of the new bag: nothing is left that the former one was for.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_comes_back_with_the_storage_option_of_the_bag() {
    let site = Site::start().await;
    let view = &site.view;
    let first = bag(StorageOption::Standard);
    ingest(view, &first).await;
    let before = object(view).await;
    for path in ["data/deleted.txt", "data/kept.txt"] {
        delete(&site, path).await;
    }
    for member in TarListing::read(first.to_tar().as_slice())
        .expect("a tar")
        .preserved()
    {
        if !member.path.starts_with("data/") {
            delete(&site, &member.path).await;
        }
    }
    let registry = site.system.registry();
    let identifier = ObjectIdentifier::new(TEST_EDU, "letters");
    let found = registry.object(&identifier).await.expect("answers");
    let deleted = IntellectualObject {
        state: RecordState::Deleted,
        // An operator's act, of no ingest.
        work_item_id: WorkItemId(0),
        ..found.expect("an object")
    };
    registry.save_object(&deleted).await.expect("deleted");

    let second = bag(StorageOption::WasabiVa);
    ingest(view, &second).await;

    let after = object(view).await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["state"], "A", "{after:#}");
    assert_eq!(after["storage_option"], "Wasabi-VA", "{after:#}");
    assert_eq!(after["file_count"], before["file_count"]);
    let expected = Expected {
        object: LETTERS.to_owned(),
        option: StorageOption::WasabiVa,
        tar: TarListing::read(second.to_tar().as_slice()).expect("a tar"),
    };
    for member in expected.tar.preserved() {
        let file = file_at(view, &member.path).await;
        assert_eq!(file["state"], "A", "{file:#}");
        assert_eq!(file["storage_option"], "Wasabi-VA", "{file:#}");
        let copies = file["storage_records"].as_array().expect("copies");
        assert_eq!(copies.len(), 1, "{file:#}");
    }
    let differences = view.check_fetchable(LETTERS).await.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    site.stop().await;
}

/// As a deletion leaves it: no copy in any bucket, and the file's row says so.
async fn delete(site: &Site, path: &str) {
    let file = file_at(&site.view, path).await;
    for copy in file["storage_records"].as_array().into_iter().flatten() {
        let mut parts = copy["url"].as_str().expect("a URL").rsplit('/');
        let key = parts.next().expect("a key");
        let bucket = BucketName::new(parts.next().expect("a bucket")).expect("a bucket name");
        site.view.lose(&bucket, key).await.expect("deleted");
    }
    let row: GenericFile = serde_json::from_value(file).expect("a file");
    let rows = [GenericFile {
        state: RecordState::Deleted,
        ..row
    }];
    let registry = site.system.registry();
    let saved = registry.save_files(rows[0].institution_id, WorkItemId(0), &rows);
    saved.await.expect("deleted");
}

async fn object(view: &Observer) -> Value {
    let found = view.object(LETTERS).await.expect("answers");
    found.expect("an object")
}

async fn file(view: &Observer, name: &str) -> Value {
    file_at(view, &format!("data/{name}.txt")).await
}

async fn file_at(view: &Observer, path: &str) -> Value {
    let found = view.file(&format!("{LETTERS}/{path}")).await;
    found.expect("answers").expect(path)
}
