//! A bag in parts, `album.b01.of02.tar` and `album.b02.of02.tar`: each is a bag that can be validated alone, and
//! together they are one object.

use muniment_bag_builder::BagBuilder;
use muniment_observer::Observer;
use serde_json::Value;

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const ALBUM: &str = "test.edu/album";

/// With tag files of its own, as a tool that splits bags makes them.
fn part(number: u32, files: &[(&str, &str)]) -> BagBuilder {
    let bag = BagBuilder::aptrust(format!("album.b0{number}.of02"))
        .tag("aptrust-info.txt", "Title", "An album")
        .tag("bag-info.txt", "Bag-Count", format!("{number} of 2"));
    files
        .iter()
        .fold(bag, |bag, (path, text)| bag.file(*path, *text))
}

async fn ingest(view: &Observer, part: &BagBuilder) -> Value {
    let upload = deposit(view, TEST_EDU, &part.key(), &part.to_tar()).await;
    let item = ending_of(view, &upload).await;
    assert_eq!(item["status"], "Success", "{item:#}");
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_bag_are_one_object_and_none_replaces_the_payload_of_another() {
    let site = Site::start().await;
    let view = &site.view;
    let first = part(1, &[("data/1.txt", "one"), ("data/shared.txt", "same")]);
    let second = part(2, &[("data/2.txt", "two"), ("data/shared.txt", "same")]);

    let one = ingest(view, &first).await;
    let [before, shared] = [
        file(view, "data/1.txt").await,
        file(view, "data/shared.txt").await,
    ];
    let two = ingest(view, &second).await;

    assert_eq!(one["intellectual_object_id"], two["intellectual_object_id"]);
    assert_eq!(file(view, "data/1.txt").await, before);
    assert_eq!(file(view, "data/shared.txt").await, shared);
    // Three payload files, bag-info.txt and aptrust-info.txt.
    assert_fetchable(view, 5).await;
    // Both parts have a bag-info.txt. That of the last part is the present version.
    assert_eq!(superseded(view).await, ["bag-info.txt", "bag-info.txt"]);

    let added = file(view, "data/2.txt").await;
    let corrected = part(1, &[("data/1.txt", "One"), ("data/shared.txt", "same")]);
    ingest(view, &corrected).await;

    assert_eq!(file(view, "data/2.txt").await, added);
    assert_eq!(file(view, "data/shared.txt").await, shared);
    assert_ne!(file(view, "data/1.txt").await["uuid"], before["uuid"]);
    assert_fetchable(view, 5).await;
    let all = superseded(view).await;
    assert_eq!(all.iter().filter(|path| *path == "data/1.txt").count(), 2);
    assert!(!all.iter().any(|path| path == "data/2.txt"), "{all:?}");
    site.stop().await;
}

/// Which order they end in is not said; that both are there is.
#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_uploaded_at_once_are_ingested_one_after_the_other() {
    let site = Site::start().await;
    let view = &site.view;
    let parts = [
        part(1, &[("data/1.txt", "1")]),
        part(2, &[("data/2.txt", "2")]),
    ];
    let mut uploads = Vec::new();
    for part in &parts {
        uploads.push(deposit(view, TEST_EDU, &part.key(), &part.to_tar()).await);
    }

    for upload in &uploads {
        let item = ending_of(view, upload).await;
        assert_eq!(item["status"], "Success", "{item:#}");
    }
    assert_fetchable(view, 4).await;
    site.stop().await;
}

async fn assert_fetchable(view: &Observer, files: u64) {
    let differences = view.check_fetchable(ALBUM).await.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    let object = view.object(ALBUM).await.expect("answers");
    let object = object.expect("an object");
    assert_eq!(object["file_count"], files, "{object:#}");
}

async fn file(view: &Observer, path: &str) -> Value {
    let found = view.file(&format!("{ALBUM}/{path}")).await;
    found.expect("answers").expect(path)
}

/// The paths of the files that have superseded copies, once for each copy.
async fn superseded(view: &Observer) -> Vec<String> {
    let copies = view.rest("storage_records?superseded_at__not_null=true&per_page=100");
    let copies = copies.await.expect("answers");
    let mut paths = Vec::new();
    for copy in copies["results"].as_array().into_iter().flatten() {
        let file = format!("files/show/{}", copy["generic_file_id"]);
        let file = view.rest(&file).await.expect("answers");
        let identifier = file["identifier"].as_str().expect("an identifier");
        let path = identifier.strip_prefix(ALBUM).expect("of the object");
        paths.push(path.trim_start_matches('/').to_owned());
    }
    paths
}
