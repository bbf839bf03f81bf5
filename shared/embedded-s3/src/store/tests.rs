use bytes::Bytes;
use muniment_sqlite::is_disk_full;
use s3s::dto::ETagCondition;
use tempfile::TempDir;

use super::lookups::Body;
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

/// A store with one bucket, for as long as its tasks and its folder are kept.
async fn with_bucket() -> (Store, JoinSet<()>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let store = Store::open(folder.path(), Clock::default(), &mut tasks);
    let store = store.await.unwrap();
    let name = "bucket".to_owned();
    store.submit(CreateBucket { name }).await.unwrap();
    (store, tasks, folder)
}

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
    let (store, _tasks, _folder) = with_bucket().await;
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
    store
        .submit(new_bytes(store, "bucket", &number.to_string(), BODY))
        .await
}

fn new_bytes(store: &Store, bucket: &str, key: &str, body: &'static [u8]) -> PutObject {
    let mut hashing = Hashing::for_body(None);
    hashing.update(body);
    let object = NewObject {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        content: Content::of_body(hashing.finish()),
        about: About::default(),
        conditions: WriteConditions {
            if_match: None,
            if_none_match: None,
        },
    };
    let bytes = NewBytes::Inline {
        id: store.blobs.new_id(),
        body: Bytes::from_static(body),
    };
    PutObject { object, bytes }
}

/// As [`new_bytes`], for a key that must be free.
fn new_key(store: &Store, key: &str, body: &'static [u8]) -> PutObject {
    let mut put = new_bytes(store, "bucket", key, body);
    put.object.conditions.if_none_match = Some(ETagCondition::Any);
    put
}

/// All are queued before the writer begins, so they are one transaction.
#[tokio::test]
async fn changes_that_are_made_together_end_as_if_made_one_by_one() {
    let (store, _tasks, _folder) = with_bucket().await;
    put(&store, 1).await.unwrap();
    let gone = |key: &str| DeleteObjects {
        bucket: "bucket".to_owned(),
        keys: vec![Doomed {
            key: key.to_owned(),
            version: None,
            condition: None,
        }],
    };

    let (over, first, second, nowhere, taken, _, again, fresh) = tokio::join!(
        store.submit(new_bytes(&store, "bucket", "1", b"one")),
        store.submit(new_bytes(&store, "bucket", "twice", b"first")),
        store.submit(new_bytes(&store, "bucket", "twice", b"second")),
        store.submit(new_bytes(&store, "nowhere", "k", b"lost")),
        store.submit(new_key(&store, "1", b"refused")),
        store.submit(gone("twice")),
        store.submit(new_key(&store, "twice", b"third")),
        store.submit(new_key(&store, "fresh", b"fresh")),
    );

    assert!(over.is_ok() && first.is_ok() && again.is_ok() && fresh.is_ok());
    assert!(second.unwrap().modified_micros > first.unwrap().modified_micros);
    assert!(matches!(nowhere, Err(StoreError::NoSuchBucket)));
    assert!(matches!(taken, Err(StoreError::Condition(_))));
    for (key, body) in [("1", "one"), ("twice", "third"), ("fresh", "fresh")] {
        let found = store.lookups.current("bucket", key, Body::With).await;
        assert_eq!(found.unwrap().unwrap().body, body, "{key}");
    }
    // What was replaced, deleted or refused has left no bytes behind.
    let bodies: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM blobs")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(bodies, 3);
}

#[tokio::test]
async fn look_ups_that_are_asked_together_are_each_told_of_their_own_object() {
    let (store, _tasks, folder) = with_bucket().await;
    let keys: Vec<String> = (0..100).map(|n| format!("\"k\u{e9}y' {n}\0")).collect();
    for key in keys.iter().step_by(2) {
        let put = new_bytes(&store, "bucket", key, BODY);
        store.submit(put).await.unwrap();
    }
    let damaged = "UPDATE objects SET about = 'no JSON' WHERE key = (SELECT MIN(key) FROM objects)";
    let mut writing = index(folder.path()).connect().await.unwrap();
    sqlx::query(damaged).execute(&mut writing).await.unwrap();

    let asked = keys.iter().map(|key| {
        let store = &store;
        async move {
            let without = store.lookups.current("bucket", key, Body::Without).await;
            let with = store.lookups.current("bucket", key, Body::With).await;
            let elsewhere = store.lookups.current("nowhere", key, Body::With).await;
            assert!(elsewhere.unwrap().is_none());
            (without, with)
        }
    });
    let found = futures::future::join_all(asked).await;

    let lowest = keys.iter().step_by(2).min();
    for (number, (key, (without, with))) in keys.iter().zip(found).enumerate() {
        if Some(key) == lowest {
            assert!(matches!(with, Err(StoreError::Unreadable(_))), "{with:?}");
            continue;
        }
        let (without, with) = (without.unwrap(), with.unwrap());
        assert_eq!(with.is_some(), number % 2 == 0, "{key}");
        assert_eq!(with.map_or(0, |row| row.body.len()) > 0, number % 2 == 0);
        assert!(without.is_none_or(|row| row.body.is_empty()), "{key}");
    }
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
