//! Copies share bytes: nothing is written but rows, and the last reference takes the file with it.

use aws_sdk_s3::operation::upload_part_copy::builders::UploadPartCopyFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedPart, MetadataDirective, StorageClass,
};

use base64::Engine as _;
use sha2::Digest as _;

use crate::kit::{
    BUCKET, Endpoint, MIB, bytes, code, crc64nvme, files, md5_etag, start, status, until_files,
};
use crate::uploads::{complete, upload_all};

const OTHER: &str = "\"00000000000000000000000000000000\"";

#[tokio::test]
async fn a_copy_has_the_bytes_and_says_what_it_was_told_to() {
    let endpoint = start().await;
    for size in [100, 100_000] {
        let body = bytes(1, size);
        let put = endpoint.client.put_object().bucket(BUCKET).key("source");
        put.body(ByteStream::from(body.clone()))
            .content_type("text/x-source")
            .metadata("bag", "source")
            .send()
            .await
            .unwrap();
        let copy = |key: &str| {
            let copy = endpoint.client.copy_object().bucket(BUCKET).key(key);
            copy.copy_source(format!("{BUCKET}/source"))
        };

        let copied = copy("kept")
            .send()
            .await
            .unwrap()
            .copy_object_result
            .unwrap();
        copy("replaced")
            .metadata_directive(MetadataDirective::Replace)
            .content_type("text/x-replaced")
            .metadata("bag", "replaced")
            .storage_class(StorageClass::StandardIa)
            .send()
            .await
            .unwrap();

        assert_eq!(copied.e_tag, Some(md5_etag(&body)));
        assert_eq!(copied.checksum_crc64_nvme, Some(crc64nvme(&body)));
        let kept = endpoint.client.head_object().bucket(BUCKET).key("kept");
        let kept = kept
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(kept.content_type.as_deref(), Some("text/x-source"));
        assert_eq!(kept.metadata.unwrap()["bag"], "source");
        assert_eq!(kept.checksum_crc64_nvme, Some(crc64nvme(&body)));
        let replaced = endpoint.client.head_object().bucket(BUCKET).key("replaced");
        let replaced = replaced.send().await.unwrap();
        assert_eq!(replaced.content_type.as_deref(), Some("text/x-replaced"));
        assert_eq!(replaced.metadata.unwrap()["bag"], "replaced");
        assert_eq!(replaced.storage_class, Some(StorageClass::StandardIa));
        endpoint.delete("source").await;
        assert_eq!(endpoint.get("kept").await, Some(body.clone()));
        assert_eq!(endpoint.get("replaced").await, Some(body));
    }
    // The small ones are in rows, and replacing them took nothing else away.
    until_files(endpoint.folder.path(), 1).await;
    endpoint.delete("kept").await;
    endpoint.delete("replaced").await;
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn copies_are_refused_as_the_table_says() {
    let endpoint = start().await;
    let etag = endpoint.put("source", b"bytes").await;
    endpoint.put("there", b"there").await;
    let copy = |key: &str| {
        let copy = endpoint.client.copy_object().bucket(BUCKET).key(key);
        copy.copy_source(format!("{BUCKET}/source"))
    };

    let rows = [
        (
            "match",
            copy("a").copy_source_if_match(&etag).send().await,
            200,
        ),
        (
            "no match",
            copy("b").copy_source_if_match(OTHER).send().await,
            412,
        ),
        (
            "none match",
            copy("b").copy_source_if_none_match(&etag).send().await,
            412,
        ),
        (
            "target there",
            copy("there").if_none_match("*").send().await,
            412,
        ),
        (
            "target absent",
            copy("c").if_none_match("*").send().await,
            200,
        ),
        ("onto itself", copy("source").send().await, 400),
        (
            "no source",
            copy("d").copy_source(format!("{BUCKET}/no")).send().await,
            404,
        ),
    ];

    for (name, result, expected) in rows {
        let got = result.map_or_else(|error| status(&error), |_| 200);
        assert_eq!(got, expected, "{name}");
    }
    assert_eq!(endpoint.get("there").await, Some(b"there".to_vec()));
    assert_eq!(endpoint.get("b").await, None);
}

#[tokio::test]
async fn a_copy_gets_the_checksum_it_asks_for() {
    let endpoint = start().await;
    let parts = [bytes(1, 5 * MIB), bytes(2, 99)];
    upload_all(&endpoint, &parts).await;

    let copy = endpoint.client.copy_object().bucket(BUCKET).key("copy");
    let result = copy
        .copy_source(format!("{BUCKET}/k"))
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap()
        .copy_object_result
        .unwrap();

    let sha256 = sha2::Sha256::digest(parts.concat());
    let expected = base64::engine::general_purpose::STANDARD.encode(sha256);
    assert_eq!(result.checksum_sha256, Some(expected));
    assert!(result.e_tag.unwrap().ends_with("-2\""));
    endpoint.delete("k").await;
    assert_eq!(endpoint.get("copy").await, Some(parts.concat()));
}

#[tokio::test]
async fn ranges_of_a_tar_become_objects_without_moving() {
    let endpoint = start().await;
    let tar = bytes(7, 24 * MIB);
    let etag = endpoint.put("tar", &tar).await;
    // A member in two parts, neither of them at a round offset.
    let (first, middle, end) = (1536, 1536 + 9 * MIB + 17, 23 * MIB);
    let upload = endpoint.start_upload("k").await;

    let one = part_copy(&endpoint, &upload, 1)
        .copy_source_range(format!("bytes={first}-{}", middle - 1))
        .copy_source_if_match(&etag);
    let one = one.send().await.unwrap().copy_part_result.unwrap();
    let two = part_copy(&endpoint, &upload, 2)
        .copy_source_range(format!("bytes={middle}-{}", end - 1))
        .copy_source_if_match(&etag);
    let two = two.send().await.unwrap().copy_part_result.unwrap();

    assert_eq!(
        one.checksum_crc64_nvme,
        Some(crc64nvme(&tar[first..middle]))
    );
    assert_eq!(two.checksum_crc64_nvme, Some(crc64nvme(&tar[middle..end])));
    let parts = [one.e_tag, two.e_tag];
    let parts: Vec<CompletedPart> = (1..)
        .zip(parts)
        .map(|(number, tag)| {
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(tag)
                .build()
        })
        .collect();
    let completed = complete(&endpoint, &upload, &parts).send().await.unwrap();
    assert_eq!(
        completed.checksum_crc64_nvme,
        Some(crc64nvme(&tar[first..end]))
    );
    assert_eq!(files(endpoint.folder.path()).len(), 1, "no byte was copied");

    endpoint.delete("tar").await;
    assert!(endpoint.get("k").await.unwrap() == tar[first..end]);

    // A range of the joined object, across the border of its parts, into yet another.
    let again = endpoint.start_upload("k").await;
    let cut = middle - first - 5..middle - first + 6 * MIB;
    let part = part_copy(&endpoint, &again, 1)
        .copy_source(format!("{BUCKET}/k"))
        .copy_source_range(format!("bytes={}-{}", cut.start, cut.end - 1));
    let part = part.send().await.unwrap().copy_part_result.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    complete(&endpoint, &again, &[part]).send().await.unwrap();
    let expected = &tar[first + cut.start..first + cut.end];
    assert!(endpoint.get("k").await.unwrap() == expected);
    assert_eq!(files(endpoint.folder.path()).len(), 1);
    endpoint.delete("k").await;
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn a_part_can_be_a_whole_object_of_any_kind() {
    let endpoint = start().await;
    let (small, large) = (bytes(1, 100), bytes(2, 100_000));
    endpoint.put("small", &small).await;
    endpoint.put("large", &large).await;

    for (source, body) in [("small", &small), ("large", &large)] {
        let upload = endpoint.start_upload("k").await;
        let part = part_copy(&endpoint, &upload, 1).copy_source(format!("{BUCKET}/{source}"));
        let part = part.send().await.unwrap().copy_part_result.unwrap();
        assert_eq!(part.e_tag, Some(md5_etag(body)), "{source}");
        assert_eq!(part.checksum_crc64_nvme, Some(crc64nvme(body)), "{source}");
        let part = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag)
            .build();
        complete(&endpoint, &upload, &[part]).send().await.unwrap();
        assert_eq!(endpoint.get("k").await.as_ref(), Some(body), "{source}");
    }
}

#[tokio::test]
async fn wrong_part_copies_are_refused() {
    let endpoint = start().await;
    endpoint.put("tar", &bytes(1, 100_000)).await;
    let upload = endpoint.start_upload("k").await;
    let send = |range: &str, tag: &str| {
        let part = part_copy(&endpoint, &upload, 1).copy_source_range(range);
        part.copy_source_if_match(tag).send()
    };

    let rows = [
        (
            "changed",
            send("bytes=0-9", OTHER).await,
            "PreconditionFailed",
        ),
        (
            "beyond",
            send("bytes=0-100000", "*").await,
            "InvalidArgument",
        ),
        ("open", send("bytes=5-", "*").await, "InvalidArgument"),
        ("suffix", send("bytes=-5", "*").await, "InvalidArgument"),
    ];
    for (name, result, expected) in rows {
        assert_eq!(code(&result.unwrap_err()), expected, "{name}");
    }
    let gone = part_copy(&endpoint, &upload, 1).copy_source(format!("{BUCKET}/no"));
    assert_eq!(code(&gone.send().await.unwrap_err()), "NoSuchKey");
    let number = part_copy(&endpoint, &upload, 10_001).send().await;
    assert_eq!(code(&number.unwrap_err()), "InvalidArgument");
}

/// A copy of `tar` into the upload of `k`.
fn part_copy(endpoint: &Endpoint, upload: &str, number: i32) -> UploadPartCopyFluentBuilder {
    let part = endpoint.client.upload_part_copy().bucket(BUCKET).key("k");
    part.upload_id(upload)
        .part_number(number)
        .copy_source(format!("{BUCKET}/tar"))
}
