//! An object that is deposited again and again: whatever is uploaded, in whatever order, and whatever
//! the preservation buckets lose meanwhile, each current file can be fetched from each copy.

use std::collections::BTreeMap;

use muniment_bag_builder::BagBuilder;
use muniment_model::{BucketName, StorageOption};
use muniment_observer::Observer;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

/// Objects, each with a sequence of its own.
const OBJECTS: usize = 6;
const UPLOADS_MAX: usize = 5;

/// One upload, and what is lost before it.
#[derive(Clone, Debug)]
struct Upload {
    /// By number of the path: other bytes, a file that comes and goes, a renamed one.
    files: BTreeMap<u8, u8>,
    option: StorageOption,
    /// Of which of the files that it has, which of the copies.
    lost: Vec<(u8, bool)>,
}

fn uploads() -> impl Strategy<Value = Vec<Upload>> {
    let option = prop_oneof![
        Just(StorageOption::Standard),
        Just(StorageOption::Standard),
        Just(StorageOption::WasabiVa),
    ];
    let files = btree_map(0..3_u8, 0..2_u8, 1..=3);
    let lost = vec((0..3_u8, any::<bool>()), 0..3);
    let upload = (files, option, lost);
    vec(upload.prop_map(upload_of), 2..=UPLOADS_MAX)
}

fn upload_of((files, option, lost): (BTreeMap<u8, u8>, StorageOption, Vec<(u8, bool)>)) -> Upload {
    Upload {
        files,
        option,
        lost,
    }
}

fn path(number: u8) -> String {
    format!("data/{number}.txt")
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_re_uploads_each_current_file_can_be_fetched_from_each_copy() {
    let site = Site::start().await;
    let mut runner = TestRunner::deterministic();
    for number in 0..OBJECTS {
        let uploads = uploads().new_tree(&mut runner).expect("uploads").current();
        let name = format!("object-{number}");
        for (turn, upload) in uploads.iter().enumerate() {
            lose(&site.view, &name, upload).await;
            assert_can_be_fetched_after(&site.view, &name, upload, || {
                format!("{name}, upload {turn} of {uploads:#?}")
            })
            .await;
        }
    }
    site.stop().await;
}

async fn assert_can_be_fetched_after(
    view: &Observer,
    name: &str,
    upload: &Upload,
    context: impl Fn() -> String,
) {
    let bag = BagBuilder::aptrust(name).storage_option(upload.option);
    let bag = upload.files.iter().fold(bag, |bag, (number, bytes)| {
        bag.file(path(*number), [*bytes; 40])
    });
    let sent = deposit(view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
    let item = ending_of(view, &sent).await;
    assert_eq!(item["status"], "Success", "{item:#}\n{}", context());
    let checked = view.check_fetchable(&format!("{TEST_EDU}/{name}")).await;
    let differences = checked.expect("answers");
    assert!(differences.is_empty(), "{differences}\n{}", context());
}

/// Loses copies of files that the upload has: nothing else can bring them back.
async fn lose(view: &Observer, name: &str, upload: &Upload) {
    for (number, first) in &upload.lost {
        let identifier = format!("{TEST_EDU}/{name}/{}", path(*number));
        let file = view.file(&identifier).await.expect("an answer");
        let Some(file) = file.filter(|_| upload.files.contains_key(number)) else {
            continue;
        };
        let copies: Vec<&Value> = file["storage_records"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        let copy = if *first {
            copies.first()
        } else {
            copies.last()
        };
        let (bucket, key) = place_of(&copy.expect("a copy")["url"]);
        view.lose(&bucket, &key).await.expect("deleted");
    }
}

/// The bytes are the same, but a copy is gone and another holds something else.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_upload_repairs_copies_that_were_lost_or_changed() {
    let site = Site::start().await;
    let view = &site.view;
    let bag = BagBuilder::aptrust("repaired")
        .file("data/changed.txt", "changed")
        .file("data/kept.txt", "kept")
        .file("data/lost.txt", "lost");
    let first = deposit(view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
    ending_of(view, &first).await;
    let file = async |path: &str| {
        let found = view.file(&format!("{TEST_EDU}/repaired/data/{path}")).await;
        found.expect("an answer").expect("a file")
    };
    let [changed, kept, lost] = [
        file("changed.txt").await,
        file("kept.txt").await,
        file("lost.txt").await,
    ];
    let (bucket, key) = place_of(&lost["storage_records"][0]["url"]);
    view.lose(&bucket, &key).await.expect("deleted");
    let (other_bucket, other_key) = place_of(&changed["storage_records"][1]["url"]);
    view.put(&other_bucket, &other_key, b"CHANGED".to_vec())
        .await
        .expect("put");

    let second = deposit(view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
    let item = ending_of(view, &second).await;

    assert_eq!(item["status"], "Success", "{item:#}");
    let differences = view.check_fetchable(&format!("{TEST_EDU}/repaired")).await;
    let differences = differences.expect("answers");
    assert!(differences.is_empty(), "{differences}");
    assert_eq!(file("kept.txt").await["uuid"], kept["uuid"]);
    assert_ne!(file("lost.txt").await["uuid"], lost["uuid"]);
    assert_ne!(file("changed.txt").await["uuid"], changed["uuid"]);
    site.stop().await;
}

/// Of the URL of a copy, `https://HOST/BUCKET/KEY`.
fn place_of(url: &Value) -> (BucketName, String) {
    let mut parts = url.as_str().expect("a URL").rsplit('/');
    let key = parts.next().expect("a key").to_owned();
    let bucket = parts.next().expect("a bucket");
    (BucketName::new(bucket).expect("a bucket name"), key)
}
