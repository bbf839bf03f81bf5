//! What a request may not ask for, in the words of S3.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials as Keys, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use muniment_embedded_s3::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::{BUCKET, Endpoint, code, start, start_with};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn an_unknown_key_is_told_apart_from_a_wrong_secret() {
    let endpoint = start().await;
    let rows = [
        (
            client(&endpoint, "us-east-1", "nobody", "secret"),
            "InvalidAccessKeyId",
        ),
        (
            client(&endpoint, "us-east-1", "access", "wrong"),
            "SignatureDoesNotMatch",
        ),
    ];

    for (client, expected) in rows {
        let refused = client.list_buckets().send().await.unwrap_err();
        assert_eq!(code(&refused), expected);
    }
}

#[tokio::test]
async fn a_region_that_is_not_here_is_refused_with_the_one_that_is() {
    let options = Options {
        regions: HashSet::from(["us-east-1".to_owned(), "us-west-2".to_owned()]),
        ..Options::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let endpoint = start_with(folder, options, &[BUCKET]).await;

    for (region, works) in [("us-east-1", true), ("us-west-2", true), ("mars-1", false)] {
        let client = client(&endpoint, region, "access", "secret");
        let listed = client.list_buckets().send().await;
        assert_eq!(listed.is_ok(), works, "{region}");
    }
    // What `s3cmd` signs for when it is told no region: it asks again with the one in the answer.
    let client = client(&endpoint, "US", "access", "secret");
    let refused = client.list_buckets().send().await.unwrap_err();
    assert_eq!(code(&refused), "AuthorizationHeaderMalformed");
    let body = refused.raw_response().unwrap().body().bytes().unwrap();
    let body = String::from_utf8_lossy(body);
    assert!(body.contains("<Region>us-east-1</Region>"), "{body}");
}

#[tokio::test]
async fn a_presigned_url_is_good_for_seven_days_at_most() {
    let endpoint = start().await;
    endpoint.put("k", b"bytes").await;

    let (allowed, _) = presigned_get(&endpoint, 7 * DAY, "").await;
    let (refused, body) = presigned_get(&endpoint, 7 * DAY + Duration::from_secs(1), "").await;

    assert_eq!((allowed.as_str(), refused.as_str()), ("200", "400"));
    assert!(body.contains("AuthorizationQueryParametersError"), "{body}");
}

#[tokio::test]
async fn a_range_that_cannot_be_read_is_ignored() {
    let endpoint = start().await;
    endpoint.put("k", b"bytes").await;
    let rows = [
        ("bytes=1-2", "206", "yt"),
        ("bytes=2-1", "200", "bytes"),
        ("bytes=0-0,3-4", "200", "bytes"),
        ("pages=1-2", "200", "bytes"),
    ];

    for (range, expected, bytes) in rows {
        let (status, body) = presigned_get(&endpoint, DAY, &format!("range: {range}\r\n")).await;
        assert_eq!(
            (status.as_str(), body.as_str()),
            (expected, bytes),
            "{range}"
        );
    }
}

fn client(endpoint: &Endpoint, region: &str, key: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Keys::new(key, secret, None, None, "test"))
        .endpoint_url(&endpoint.url)
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Status and body of a GET of `k` with a URL signed now, and these headers.
async fn presigned_get(endpoint: &Endpoint, good_for: Duration, headers: &str) -> (String, String) {
    let get = endpoint.client.get_object().bucket(BUCKET).key("k");
    let week = PresigningConfig::expires_in(good_for.min(7 * DAY)).unwrap();
    let signed = get.presigned(week).await.unwrap();
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let path = signed.uri().strip_prefix(&endpoint.url).unwrap();
    // The SDK refuses to sign for longer itself, so the length is changed afterwards: that is looked
    // at before the signature is.
    let path = path.replace(
        &format!("X-Amz-Expires={}", good_for.min(7 * DAY).as_secs()),
        &format!("X-Amz-Expires={}", good_for.as_secs()),
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (begin, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = begin.split(' ').nth(1).unwrap();
    (status.to_owned(), body.to_owned())
}
