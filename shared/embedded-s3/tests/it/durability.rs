//! What was answered stays; what was not leaves nothing behind.

use std::io::Write as _;

use aws_sdk_s3::primitives::ByteStream;
use muniment_embedded_s3::{EmbeddedS3, EmbeddedS3Error};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::kit::{BUCKET, MIB, bytes, code, credentials, files, start, start_in, until_files};
use crate::uploads::{complete, put_part};

#[tokio::test]
async fn everything_answered_is_there_after_opening_again() {
    let endpoint = start().await;
    let (small, large) = (bytes(1, 100), bytes(2, 100_000));
    endpoint.put("small", &small).await;
    endpoint.put("large", &large).await;
    let upload = endpoint.start_upload("k").await;
    let part = put_part(&endpoint, &upload, 1, &large).await;

    let reopened = start_in(endpoint.crash().await).await;

    assert_eq!(reopened.get("small").await, Some(small));
    assert_eq!(reopened.get("large").await, Some(large.clone()));
    complete(&reopened, &upload, &[part]).send().await.unwrap();
    assert_eq!(reopened.get("k").await, Some(large));
}

#[tokio::test]
async fn requests_cut_off_by_a_crash_are_done_or_not_done() {
    let endpoint = start().await;
    let mut requests = JoinSet::new();
    for at in 0..200_u64 {
        let put = endpoint
            .client
            .put_object()
            .bucket(BUCKET)
            .key(format!("{at}"));
        let body = bytes(at, size_of(at));
        let put = put.body(ByteStream::from(body)).send();
        requests.spawn(async move { (at, put.await.is_ok()) });
    }
    let mut answered = Vec::new();
    while answered.len() < 20 {
        let (at, done) = requests.join_next().await.unwrap().unwrap();
        assert!(done);
        answered.push(at);
    }

    let folder = endpoint.crash().await;
    requests.shutdown().await;
    let reopened = start_in(folder).await;

    for at in &answered {
        assert!(
            reopened.get(&at.to_string()).await.is_some(),
            "{at} was answered"
        );
    }
    let listed = reopened
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await;
    let listed = listed.unwrap().contents.unwrap();
    for object in &listed {
        let key = object.key().unwrap();
        let at: u64 = key.parse().unwrap();
        let body = bytes(at, size_of(at));
        assert!(reopened.get(key).await == Some(body), "{key} is whole");
    }
    let in_files = listed.iter().filter(|object| object.size() == Some(50_000));
    assert_eq!(files(reopened.folder.path()).len(), in_files.count());
}

#[tokio::test]
async fn leftovers_are_removed_at_the_start_and_their_names_not_used_again() {
    let endpoint = start().await;
    let body = bytes(1, 100_000);
    endpoint.put("kept", &body).await;
    let kept = files(endpoint.folder.path()).remove(0);
    let folder = endpoint.stop().await;
    let leftover = kept.with_file_name("000000000000ff");
    let mut file = std::fs::File::create(&leftover).unwrap();
    file.write_all(b"half a body").unwrap();

    let reopened = start_in(folder).await;

    assert!(!leftover.exists());
    assert_eq!(reopened.get("kept").await, Some(body.clone()));
    reopened.put("new", &body).await;
    assert!(!leftover.exists());
    assert_eq!(files(reopened.folder.path()).len(), 2);
}

#[tokio::test]
async fn a_body_cut_off_by_its_client_leaves_nothing() {
    let endpoint = start().await;
    let presigned = endpoint.client.put_object().bucket(BUCKET).key("cut");
    let hour = std::time::Duration::from_hours(1);
    let config = aws_sdk_s3::presigning::PresigningConfig::expires_in(hour).unwrap();
    let presigned = presigned.presigned(config).await.unwrap();
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let path = presigned.uri().strip_prefix(&endpoint.url).unwrap();
    let head =
        format!("PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 10000000\r\n\r\n");

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes(1, 2 * MIB)).await.unwrap();
    until_files(endpoint.folder.path(), 1).await;
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();

    until_files(endpoint.folder.path(), 0).await;
    assert_eq!(endpoint.get("cut").await, None);
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_is_read_to_its_end() {
    let endpoint = start().await;
    let body = bytes(1, 8 * MIB);
    endpoint.put("k", &body).await;

    let reading = endpoint.client.get_object().bucket(BUCKET).key("k");
    let reading = reading.send().await.unwrap();
    endpoint.put("k", b"other").await;
    endpoint.delete("k").await;
    let got = reading.body.collect().await.unwrap().to_vec();

    assert!(got == body);
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish() {
    let endpoint = start().await;
    endpoint.put("k", &bytes(1, 32 * MIB)).await;
    let reading = endpoint.client.get_object().bucket(BUCKET).key("k");
    let reading = reading.send().await.unwrap();

    endpoint.stop.cancel();
    let got = reading.body.collect().await.unwrap().to_vec();

    assert_eq!(got.len(), 32 * MIB);
    let url = endpoint.url.clone();
    endpoint.stop().await;
    let refused = TcpStream::connect(url.strip_prefix("http://").unwrap()).await;
    assert!(refused.is_err());
}

/// The first releases noted their migrations as `sqlx` does.
#[tokio::test]
async fn a_folder_of_the_first_releases_opens() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("index.sqlite"))
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let mut first = sqlx::migrate!();
    first.migrations.to_mut().truncate(1);
    first.run(&mut connection).await.unwrap();
    let bucket = "INSERT INTO buckets VALUES ('old', 1)";
    sqlx::query(bucket).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let endpoint = start_in(folder).await;

    let old = endpoint.client.head_bucket().bucket("old").send().await;
    old.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_owner() {
    let endpoint = start().await;

    let second = EmbeddedS3::open(endpoint.folder.path(), credentials()).await;

    assert!(matches!(second.err(), Some(EmbeddedS3Error::InUse { .. })));
}

#[tokio::test]
async fn a_bucket_needs_a_name_s3_would_take() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = EmbeddedS3::open(folder.path(), credentials())
        .await
        .unwrap();

    let rows = [
        ("receiving.test.edu", true),
        ("receiving.test.edu", true),
        ("ab", false),
        ("Upper", false),
        ("with space", false),
    ];
    for (name, expected) in rows {
        assert_eq!(s3.create_bucket(name).await.is_ok(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_bucket_in_use_by_an_upload_is_not_removed() {
    let endpoint = start().await;
    endpoint.start_upload("k").await;

    let removed = endpoint.client.delete_bucket().bucket(BUCKET).send().await;

    assert_eq!(code(&removed.unwrap_err()), "BucketNotEmpty");
}

/// One in two goes into a row, the others into files.
fn size_of(at: u64) -> usize {
    if at.is_multiple_of(2) { 1000 } else { 50_000 }
}
