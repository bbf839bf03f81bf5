//! A body that is not what it was said to be is refused, and nothing of it stays.

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};

use crate::kit::{BUCKET, bytes, code, crc64nvme, files, start, until_files};

type Claim = fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder;

#[tokio::test]
async fn wrong_checksums_are_refused_and_nothing_is_stored() {
    let endpoint = start().await;
    let rows: [(&str, Claim, &str); 8] = [
        ("crc32", |put| put.checksum_crc32("AAAAAA=="), "BadDigest"),
        (
            "crc32c",
            |put| put.checksum_crc32_c("AAAAAA=="),
            "BadDigest",
        ),
        (
            "crc64nvme",
            |put| put.checksum_crc64_nvme("AAAAAAAAAAA="),
            "BadDigest",
        ),
        (
            "sha1",
            |put| put.checksum_sha1("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            "BadDigest",
        ),
        (
            "sha256",
            |put| put.checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            "BadDigest",
        ),
        (
            "md5",
            |put| put.content_md5("AAAAAAAAAAAAAAAAAAAAAA=="),
            "BadDigest",
        ),
        (
            "no md5 at all",
            |put| put.content_md5("AAAA"),
            "InvalidDigest",
        ),
        (
            "no crc32 at all",
            |put| put.checksum_crc32("AAAA"),
            "InvalidRequest",
        ),
    ];

    for size in [10, 100_000] {
        for (name, claim, expected) in rows {
            let put = endpoint.client.put_object().bucket(BUCKET).key("k");
            let put = claim(put.body(ByteStream::from(bytes(1, size))));
            let error = put.send().await.unwrap_err();
            assert_eq!(code(&error), expected, "{name}, {size} bytes");
            assert_eq!(endpoint.get("k").await, None, "{name}, {size} bytes");
        }
    }
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn every_algorithm_is_accepted_and_returned() {
    let endpoint = start().await;
    let body = bytes(2, 100_000);

    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = endpoint
            .client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .checksum_algorithm(algorithm.clone())
            .body(ByteStream::from(body.clone()))
            .send()
            .await
            .unwrap();
        let get = endpoint
            .client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        let asked = [
            (&put.checksum_crc32, &get.checksum_crc32),
            (&put.checksum_crc32_c, &get.checksum_crc32_c),
            (&put.checksum_sha1, &get.checksum_sha1),
            (&put.checksum_sha256, &get.checksum_sha256),
        ];
        let present = asked.iter().filter(|(told, _)| told.is_some()).count();
        let expected = usize::from(algorithm != ChecksumAlgorithm::Crc64Nvme);
        assert_eq!(present, expected, "{algorithm}");
        assert!(asked.iter().all(|(told, kept)| told == kept), "{algorithm}");
        assert_eq!(get.checksum_crc64_nvme, Some(crc64nvme(&body)));
        // The SDK compares the body with the checksum it was given.
        assert_eq!(get.body.collect().await.unwrap().to_vec(), body);
    }
}

#[tokio::test]
async fn checksums_are_told_only_when_asked_for_and_never_of_a_range() {
    let endpoint = start().await;
    endpoint.put("k", b"123456789").await;
    let get = || endpoint.client.get_object().bucket(BUCKET).key("k");

    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    let head = head.send().await.unwrap();
    let range = get()
        .range("bytes=1-2")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();

    assert_eq!(head.checksum_crc64_nvme, None);
    assert_eq!(range.checksum_crc64_nvme, None);
}

#[tokio::test]
async fn a_part_with_a_wrong_checksum_is_refused() {
    let endpoint = start().await;
    let upload = endpoint.start_upload("k").await;

    let error = endpoint
        .client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&upload)
        .part_number(1)
        .checksum_crc64_nvme("AAAAAAAAAAA=")
        .body(ByteStream::from(bytes(1, 10)))
        .send()
        .await
        .unwrap_err();

    assert_eq!(code(&error), "BadDigest");
    until_files(endpoint.folder.path(), 0).await;
    assert!(files(endpoint.folder.path()).is_empty());
}
