use bytes::Bytes;
use muniment_sqlite::is_disk_full;

use super::objects::{DeleteObjects, Doomed, NewObject, Placed, PutObject};
use super::reads::ObjectName;
use super::rows::About;
use super::uploads::CreateUpload;
use super::*;
use crate::checksums::Hashing;
use crate::conditions::WriteConditions;
use crate::intake::NewBytes;
use crate::multipart::{Content, Promise};
use buckets::CreateBucket;

const BODY: &[u8] = &[7; 10_000];

/// A full disk once left a writer that refused everything until the process was started again.
#[tokio::test]
async fn after_a_full_index_all_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let index = index(folder.path()).pragma("max_page_count", "100");
    let store = Store::open_on(folder.path(), index, Clock::default(), &mut tasks)
        .await
        .unwrap();
    let name = "bucket".to_owned();
    store.submit(CreateBucket { name }).await.unwrap();

    let mut stored = 0;
    let full = loop {
        match put(&store, stored).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };

    let StoreError::Database(cause) = &full else {
        panic!("{full:?}");
    };
    assert!(is_disk_full(cause), "{cause:?}");
    assert!(stored > 3, "some of them fitted");
    assert!(put(&store, stored).await.is_err(), "it is full still");
    let kept = ObjectName {
        bucket: "bucket",
        key: "0",
        version: None,
    };
    let kept = store.object(kept).await.unwrap();
    assert_eq!(kept.content.size_bytes, BODY.len() as u64);

    let keys = ["0", "1", "2"].map(|key| Doomed {
        key: key.to_owned(),
        version: None,
        condition: None,
    });
    let keys = keys.into();
    let bucket = "bucket".to_owned();
    store.submit(DeleteObjects { bucket, keys }).await.unwrap();
    put(&store, stored).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_was_left_open_is_removed_when_it_is_old_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let store = Store::open(folder.path(), Clock::default(), &mut tasks)
        .await
        .unwrap();
    let name = "bucket".to_owned();
    store.submit(CreateBucket { name }).await.unwrap();
    let upload = CreateUpload {
        id: "upload".to_owned(),
        bucket: "bucket".to_owned(),
        key: "k".to_owned(),
        promise: Promise::Nothing,
        about: About::default(),
    };
    store.submit(upload).await.unwrap();

    let week = Duration::from_hours(7 * 24);
    let young = store.submit(stale::ClearUploads { age: week }).await;
    assert_eq!(young.unwrap(), 0);
    store.upload("bucket", "k", "upload").await.unwrap();

    let age = Duration::ZERO;
    let old = store.submit(stale::ClearUploads { age }).await;
    assert_eq!(old.unwrap(), 1);
    let gone = store.upload("bucket", "k", "upload").await;
    assert!(matches!(gone, Err(StoreError::NoSuchUpload)));
}

async fn put(store: &Store, number: u32) -> Result<Placed, StoreError> {
    let mut hashing = Hashing::for_body(None);
    hashing.update(BODY);
    let object = NewObject {
        bucket: "bucket".to_owned(),
        key: number.to_string(),
        content: Content::of_body(hashing.finish()),
        about: About::default(),
        conditions: WriteConditions {
            if_match: None,
            if_none_match: None,
        },
    };
    let bytes = NewBytes::Inline {
        id: store.blobs.new_id(),
        body: Bytes::from_static(BODY),
    };
    store.submit(PutObject { object, bytes }).await
}

/// A folder of before there were versions: each object is the version "null" of its key.
#[tokio::test]
async fn a_folder_without_versions_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let writer = index(folder.path()).open(&MIGRATIONS[..1]).await.unwrap();
    writer
        .transaction(async |connection| {
            sqlx::raw_sql(
                "INSERT INTO buckets VALUES ('bucket', 1);
                 INSERT INTO blobs VALUES (1, 1, 0, 3, x'616263');
                 INSERT INTO objects VALUES ('bucket', x'6b', 'etag', 3, 1, NULL, 1, 7, NULL, NULL,
                                             '{}');",
            )
            .execute(connection)
            .await
        })
        .await
        .unwrap();
    drop(writer);

    let mut tasks = JoinSet::new();
    let store = Store::open(folder.path(), Clock::default(), &mut tasks)
        .await
        .unwrap();

    for version in [None, Some("null")] {
        let name = ObjectName {
            bucket: "bucket",
            key: "k",
            version,
        };
        let row = store.object(name).await.unwrap();
        assert_eq!(row.content.etag, "etag");
        assert_eq!(row.version, None, "the bucket keeps none");
    }
}
