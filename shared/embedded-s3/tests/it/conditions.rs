//! Conditional reads and writes: exactly one of two racing writers wins.

use aws_sdk_s3::operation::delete_object::builders::DeleteObjectFluentBuilder;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use futures::future::join_all;

use crate::kit::{BUCKET, code, start, status};

const OTHER: &str = "\"00000000000000000000000000000000\"";

type On<B> = fn(B, &str) -> B;

#[tokio::test]
async fn conditional_puts_follow_the_table() {
    let endpoint = start().await;
    let etag = endpoint.put("there", b"1").await;
    let rows: [(&str, &str, On<PutObjectFluentBuilder>, &str); 6] = [
        (
            "there",
            "*",
            |put, tag| put.if_none_match(tag),
            "PreconditionFailed",
        ),
        ("absent", "*", |put, tag| put.if_none_match(tag), "ok"),
        (
            "there",
            OTHER,
            |put, tag| put.if_match(tag),
            "PreconditionFailed",
        ),
        ("missing", OTHER, |put, tag| put.if_match(tag), "NoSuchKey"),
        (
            "there",
            OTHER,
            |put, tag| put.if_none_match(tag),
            "NotImplemented",
        ),
        ("there", &etag, |put, tag| put.if_match(tag), "ok"),
    ];

    for (key, tag, on, expected) in rows {
        let put = endpoint.client.put_object().bucket(BUCKET).key(key);
        let result = on(put.body(ByteStream::from_static(b"2")), tag)
            .send()
            .await;
        let got = result.map_or_else(|error| code(&error), |_| "ok".to_owned());
        assert_eq!(got, expected, "{key} {tag}");
    }
    assert_eq!(endpoint.get("there").await, Some(b"2".to_vec()));
    assert_eq!(endpoint.get("missing").await, None);
}

#[tokio::test]
async fn conditional_gets_follow_the_table() {
    let endpoint = start().await;
    let etag = endpoint.put("k", b"1").await;
    let rows: [(&str, On<GetObjectFluentBuilder>, u16); 4] = [
        (&etag, |get, tag| get.if_match(tag), 200),
        (OTHER, |get, tag| get.if_match(tag), 412),
        (&etag, |get, tag| get.if_none_match(tag), 304),
        (OTHER, |get, tag| get.if_none_match(tag), 200),
    ];

    for (tag, on, expected) in rows {
        let get = endpoint.client.get_object().bucket(BUCKET).key("k");
        let result = on(get, tag).send().await;
        let got = result.map_or_else(|error| status(&error), |_| 200);
        assert_eq!(got, expected, "{tag}");
    }
}

#[tokio::test]
async fn conditional_deletes_follow_the_table() {
    let endpoint = start().await;
    let etag = endpoint.put("k", b"1").await;
    let rows: [(&str, &str, On<DeleteObjectFluentBuilder>, u16); 3] = [
        ("k", OTHER, |delete, tag| delete.if_match(tag), 412),
        ("k", &etag, |delete, tag| delete.if_match(tag), 204),
        ("k", &etag, |delete, tag| delete.if_match(tag), 404),
    ];

    for (key, tag, on, expected) in rows {
        let delete = endpoint.client.delete_object().bucket(BUCKET).key(key);
        let result = on(delete, tag).send().await;
        let got = result.map_or_else(|error| status(&error), |_| 204);
        assert_eq!(got, expected, "{tag}");
    }
    assert_eq!(endpoint.get("k").await, None);
}

#[tokio::test]
async fn of_many_writers_that_want_to_be_first_one_is() {
    let endpoint = start().await;
    let put = |writer: usize| {
        let put = endpoint.client.put_object().bucket(BUCKET).key("k");
        let body = ByteStream::from(vec![u8::try_from(writer).unwrap(); 20_000]);
        put.if_none_match("*").body(body).send()
    };

    let results = join_all((0..20).map(put)).await;

    let winners: Vec<usize> = (0..20).filter(|at| results[*at].is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let body = endpoint.get("k").await.unwrap();
    assert_eq!(usize::from(body[0]), winners[0]);
    crate::kit::until_files(endpoint.folder.path(), 1).await;
}
