//! Listings: order, pages, prefixes, and enough keys to notice a page that walks them all.

use aws_sdk_s3::types::EncodingType;
use futures::StreamExt as _;

use crate::kit::{BUCKET, Endpoint, code, md5_etag, start};

#[tokio::test]
async fn ten_thousand_keys_are_listed_in_order() {
    let endpoint = start().await;
    let keys: Vec<String> = (0..10_000)
        .map(|number| format!("{:02}/{:04}", number % 100, number))
        .collect();
    futures::stream::iter(&keys)
        .for_each_concurrent(64, async |key| {
            endpoint.put(key, key.as_bytes()).await;
        })
        .await;

    let (listed, pages) = list_all(&endpoint).await;
    let folders = endpoint.client.list_objects_v2().bucket(BUCKET);
    let folders = folders.delimiter("/").send().await.unwrap();
    let under = endpoint.client.list_objects_v2().bucket(BUCKET);
    let under = under.prefix("42/").delimiter("/").send().await.unwrap();

    let mut expected: Vec<(String, String)> = keys
        .iter()
        .map(|key| (key.clone(), md5_etag(key.as_bytes())))
        .collect();
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(pages, 10);
    assert_eq!(folders.common_prefixes().len(), 100);
    assert!(folders.contents().is_empty());
    assert_eq!(under.key_count(), Some(100));
    assert_eq!(under.contents()[0].key(), Some("42/0042"));
}

#[tokio::test]
async fn pages_follow_what_was_asked() {
    let endpoint = start().await;
    for key in ["a", "a/b", "a/c", "b/1", "c"] {
        endpoint.put(key, b"").await;
    }
    let list = || endpoint.client.list_objects_v2().bucket(BUCKET);

    let first = list().delimiter("/").max_keys(2).send().await.unwrap();
    let second = list()
        .delimiter("/")
        .set_continuation_token(first.next_continuation_token.clone())
        .send()
        .await
        .unwrap();
    let after = list().start_after("a/b").send().await.unwrap();
    let none = list().max_keys(0).send().await.unwrap();
    let malformed = list().continuation_token("?").send().await;
    let elsewhere = endpoint
        .client
        .list_objects_v2()
        .bucket("elsewhere")
        .send()
        .await;

    assert_eq!(first.contents()[0].key(), Some("a"));
    assert_eq!(first.common_prefixes()[0].prefix(), Some("a/"));
    assert_eq!(first.is_truncated(), Some(true));
    assert_eq!(second.common_prefixes()[0].prefix(), Some("b/"));
    assert_eq!(second.contents()[0].key(), Some("c"));
    assert_eq!(second.is_truncated(), Some(false));
    let keys: Vec<_> = after
        .contents()
        .iter()
        .map(|one| one.key().unwrap())
        .collect();
    assert_eq!(keys, ["a/c", "b/1", "c"]);
    assert_eq!(
        (none.key_count(), none.is_truncated()),
        (Some(0), Some(false))
    );
    assert_eq!(code(&malformed.unwrap_err()), "InvalidArgument");
    assert_eq!(code(&elsewhere.unwrap_err()), "NoSuchBucket");
}

#[tokio::test]
async fn the_older_call_lists_too() {
    let endpoint = start().await;
    for key in ["a", "a/b", "b/1", "c"] {
        endpoint.put(key, b"").await;
    }
    let list = || endpoint.client.list_objects().bucket(BUCKET).delimiter("/");

    let first = list().max_keys(2).send().await.unwrap();
    let rest = list()
        .set_marker(first.next_marker.clone())
        .send()
        .await
        .unwrap();

    assert_eq!(first.next_marker.as_deref(), Some("a/"));
    assert_eq!(rest.common_prefixes()[0].prefix(), Some("b/"));
    assert_eq!(rest.contents()[0].key(), Some("c"));
}

#[tokio::test]
async fn names_that_xml_cannot_carry_can_be_had_escaped() {
    let endpoint = start().await;
    endpoint.put("a\u{1}b/ü c", b"").await;

    let list = endpoint.client.list_objects_v2().bucket(BUCKET);
    let list = list.encoding_type(EncodingType::Url).send().await.unwrap();

    assert_eq!(list.contents()[0].key(), Some("a%01b/%C3%BC%20c"));
}

/// Every key with its `ETag`, and how many pages they took.
async fn list_all(endpoint: &Endpoint) -> (Vec<(String, String)>, usize) {
    let mut listed = Vec::new();
    let mut pages = 0;
    let mut listing = endpoint
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .into_paginator()
        .send();
    while let Some(page) = listing.next().await {
        pages += 1;
        let contents = page.unwrap().contents.unwrap_or_default();
        listed.extend(
            contents
                .into_iter()
                .map(|object| (object.key.unwrap(), object.e_tag.unwrap())),
        );
    }
    (listed, pages)
}
