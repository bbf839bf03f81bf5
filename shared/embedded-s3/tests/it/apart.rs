//! Copies in two buckets are two copies, and bytes that changed on the disk are not passed off as those
//! that were stored.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use aws_sdk_s3::operation::copy_object::builders::CopyObjectFluentBuilder;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, CompletedPart};
use base64::Engine as _;
use muniment_embedded_s3::{Copies, Options};
use sha2::Digest as _;

use crate::kit::{
    BUCKET, Endpoint, MIB, OTHER_BUCKET, bytes, code, crc64nvme, files, md5_etag, start_with,
    status, until_files,
};
use crate::uploads::upload_all;

#[tokio::test]
async fn a_copy_in_another_bucket_has_bytes_of_its_own() {
    let endpoint = two_buckets(Options::default()).await;
    for size in [100, 100_000, 3 * MIB] {
        let body = bytes(1, size);
        endpoint.put("source", &body).await;
        let before = files(endpoint.folder.path());

        let copied = copy(&endpoint, "source").send().await.unwrap();

        let copied = copied.copy_object_result.unwrap();
        assert_eq!(copied.e_tag, Some(md5_etag(&body)), "{size}");
        assert_eq!(copied.checksum_crc64_nvme, Some(crc64nvme(&body)), "{size}");
        damage_all(&before);
        assert!(got(&endpoint, OTHER_BUCKET, "copy").await.unwrap() == body);
        endpoint.delete("source").await;
        delete(&endpoint, OTHER_BUCKET, "copy").await;
        until_files(endpoint.folder.path(), 0).await;
    }
}

#[tokio::test]
async fn a_joined_object_is_copied_whole_and_with_the_checksum_that_is_asked_for() {
    let endpoint = two_buckets(Options::default()).await;
    let parts = [bytes(1, 5 * MIB), bytes(2, 99)];
    upload_all(&endpoint, &parts).await;
    let before = files(endpoint.folder.path());

    let copy = copy(&endpoint, "k").checksum_algorithm(ChecksumAlgorithm::Sha256);
    let result = copy.send().await.unwrap().copy_object_result.unwrap();

    let sha256 = sha2::Sha256::digest(parts.concat());
    let expected = base64::engine::general_purpose::STANDARD.encode(sha256);
    assert_eq!(result.checksum_sha256, Some(expected));
    damage_all(&before);
    assert!(got(&endpoint, OTHER_BUCKET, "copy").await.unwrap() == parts.concat());
}

#[tokio::test]
async fn a_range_that_becomes_an_object_of_another_bucket_has_bytes_of_its_own() {
    let endpoint = two_buckets(Options::default()).await;
    let tar = bytes(7, 100_000);
    endpoint.put("tar", &tar).await;
    let before = files(endpoint.folder.path());
    for (key, range) in [("part", 512..90_000), ("whole", 0..100_000)] {
        let client = &endpoint.client;
        let upload = client.create_multipart_upload();
        let upload = upload.bucket(OTHER_BUCKET).key(key).send().await.unwrap();
        let upload = upload.upload_id.unwrap();

        let part = client.upload_part_copy().bucket(OTHER_BUCKET).key(key);
        let part = part.upload_id(&upload).part_number(1);
        let part = part
            .copy_source(format!("{BUCKET}/tar"))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
        let part = part.send().await.unwrap().copy_part_result.unwrap();

        assert_eq!(part.checksum_crc64_nvme, Some(crc64nvme(&tar[range])));
        let done = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag)
            .build();
        let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(done);
        let complete = client.complete_multipart_upload().bucket(OTHER_BUCKET);
        let complete = complete.key(key).upload_id(&upload);
        let complete = complete.multipart_upload(parts.build());
        complete.send().await.unwrap();
    }

    damage_all(&before);

    assert!(got(&endpoint, OTHER_BUCKET, "part").await.unwrap() == tar[512..90_000]);
    assert!(got(&endpoint, OTHER_BUCKET, "whole").await.unwrap() == tar);
}

#[tokio::test]
async fn copies_share_their_bytes_where_that_is_asked_for_and_go_on_doing_so() {
    let shared = Options {
        copies: Copies::Shared,
        ..Options::default()
    };
    let endpoint = two_buckets(shared).await;
    let body = bytes(1, 100_000);
    endpoint.put("source", &body).await;
    copy(&endpoint, "source").send().await.unwrap();
    assert_eq!(files(endpoint.folder.path()).len(), 1);

    let buckets = [BUCKET, OTHER_BUCKET];
    let endpoint = start_with(endpoint.stop().await, Options::default(), &buckets).await;
    endpoint.delete("source").await;

    assert!(got(&endpoint, OTHER_BUCKET, "copy").await.unwrap() == body);
    delete(&endpoint, OTHER_BUCKET, "copy").await;
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn a_copy_between_buckets_is_refused_before_it_is_made() {
    let endpoint = two_buckets(Options::default()).await;
    let etag = endpoint.put("source", &bytes(1, 100_000)).await;
    copy(&endpoint, "source").send().await.unwrap();
    let other = "\"00000000000000000000000000000000\"";
    let nowhere = endpoint.client.copy_object().bucket("nowhere").key("copy");
    let rows = [
        ("taken", copy(&endpoint, "source").if_none_match("*"), 412),
        ("match", copy(&endpoint, "source").if_match(&etag), 200),
        ("no match", copy(&endpoint, "source").if_match(other), 412),
        ("no source", copy(&endpoint, "no"), 404),
        (
            "no bucket",
            nowhere.copy_source(format!("{BUCKET}/source")),
            404,
        ),
    ];

    for (name, copy, expected) in rows {
        let got = copy
            .send()
            .await
            .map_or_else(|error| status(&error), |_| 200);
        assert_eq!(got, expected, "{name}");
    }
    until_files(endpoint.folder.path(), 2).await;
}

#[tokio::test]
async fn damaged_bytes_are_never_answered_to_their_end() {
    let endpoint = two_buckets(Options::default()).await;
    for size in [20_000, MIB, 3 * MIB + 7] {
        let body = bytes(1, size);
        endpoint.put("k", &body).await;
        let file = files(endpoint.folder.path()).remove(0);
        damage(&file);

        assert_eq!(got(&endpoint, BUCKET, "k").await, None, "{size}");

        damage(&file);
        assert!(got(&endpoint, BUCKET, "k").await.unwrap() == body, "{size}");
        endpoint.delete("k").await;
        until_files(endpoint.folder.path(), 0).await;
    }
}

#[tokio::test]
async fn a_damaged_source_is_not_copied() {
    let endpoint = two_buckets(Options::default()).await;
    endpoint.put("source", &bytes(1, 100_000)).await;
    damage(&files(endpoint.folder.path())[0]);

    let refused = copy(&endpoint, "source").send().await.unwrap_err();

    assert_eq!(code(&refused), "BadDigest");
    assert_eq!(got(&endpoint, OTHER_BUCKET, "copy").await, None);
    until_files(endpoint.folder.path(), 1).await;
}

#[tokio::test]
async fn a_head_for_checksums_says_what_the_bytes_are_where_that_is_asked_for() {
    let options = Options {
        read_back: HashSet::from([BUCKET.to_owned()]),
        ..Options::default()
    };
    let endpoint = two_buckets(options).await;
    let parts = [bytes(1, 5 * MIB), bytes(2, 99)];
    upload_all(&endpoint, &parts).await;
    let (joined, small) = (parts.concat(), bytes(3, 100));
    endpoint.put("small", &small).await;
    let files = files(endpoint.folder.path());
    let last = files.iter().find(|file| size_of(file) == 99).unwrap();
    copy(&endpoint, "k").send().await.unwrap();

    assert_eq!(head(&endpoint, BUCKET, "k").await, crc64nvme(&joined));
    assert_eq!(head(&endpoint, BUCKET, "small").await, crc64nvme(&small));
    damage(last);
    let mut damaged = joined.clone();
    flip(&mut damaged[5 * MIB..]);
    assert_eq!(head(&endpoint, BUCKET, "k").await, crc64nvme(&damaged));
    damage(last);
    assert_eq!(head(&endpoint, BUCKET, "k").await, crc64nvme(&joined));

    std::fs::remove_file(last).unwrap();
    assert_eq!(head(&endpoint, BUCKET, "k").await, crc64nvme(b""));
    // The other copy is whole, and so is what the index says of it.
    assert_eq!(
        head(&endpoint, OTHER_BUCKET, "copy").await,
        crc64nvme(&joined)
    );
}

async fn two_buckets(options: Options) -> Endpoint {
    let folder = tempfile::tempdir().unwrap();
    start_with(folder, options, &[BUCKET, OTHER_BUCKET]).await
}

/// To the other bucket.
fn copy(endpoint: &Endpoint, source: &str) -> CopyObjectFluentBuilder {
    let copy = endpoint
        .client
        .copy_object()
        .bucket(OTHER_BUCKET)
        .key("copy");
    copy.copy_source(format!("{BUCKET}/{source}"))
}

/// The object, if it is there and arrives whole.
async fn got(endpoint: &Endpoint, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let get = endpoint.client.get_object().bucket(bucket).key(key);
    let body = get.send().await.ok()?.body.collect().await.ok()?;
    Some(body.to_vec())
}

async fn delete(endpoint: &Endpoint, bucket: &str, key: &str) {
    let delete = endpoint.client.delete_object().bucket(bucket).key(key);
    delete.send().await.unwrap();
}

async fn head(endpoint: &Endpoint, bucket: &str, key: &str) -> String {
    let head = endpoint.client.head_object().bucket(bucket).key(key);
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await;
    head.unwrap().checksum_crc64_nvme.unwrap()
}

fn size_of(file: &Path) -> u64 {
    file.metadata().unwrap().len()
}

fn damage_all(files: &[PathBuf]) {
    for file in files {
        damage(file);
    }
}

/// Changes seven bytes of the file; doing it again changes them back.
fn damage(file: &Path) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut seven = [0; 7];
    file.read_exact_at(&mut seven, 0).unwrap();
    flip(&mut seven);
    file.write_all_at(&seven, 0).unwrap();
}

fn flip(bytes: &mut [u8]) {
    bytes.iter_mut().take(7).for_each(|byte| *byte ^= 0xff);
}
