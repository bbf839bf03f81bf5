//! Multipart uploads.

use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use md5::Digest as _;

use crate::kit::{BUCKET, Endpoint, MIB, bytes, code, crc64nvme, start, until_files};

#[tokio::test]
async fn parts_become_one_object() {
    let endpoint = start().await;
    let (first, second) = (bytes(1, 5 * MIB), bytes(2, 1000));
    let whole = [first.clone(), second.clone()].concat();
    let create = endpoint.client.create_multipart_upload();
    let upload = create
        .bucket(BUCKET)
        .key("k")
        .content_type("text/x-test")
        .metadata("bag", "one")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();

    // Part 2 first, part 1 twice: order and repetition do not matter.
    let two = put_part(&endpoint, &upload, 2, &second).await;
    put_part(&endpoint, &upload, 1, &bytes(9, 100)).await;
    let one = put_part(&endpoint, &upload, 1, &first).await;
    let completed = complete(&endpoint, &upload, &[one.clone(), two.clone()])
        .if_none_match("*")
        .checksum_crc64_nvme(crc64nvme(&whole))
        .mpu_object_size(i64::try_from(whole.len()).unwrap())
        .send()
        .await
        .unwrap();

    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    let head = head
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    let md5s = [md5::Md5::digest(&first), md5::Md5::digest(&second)].concat();
    let etag = format!("\"{}-2\"", hex::encode(md5::Md5::digest(md5s)));
    assert_eq!(completed.e_tag.as_ref(), Some(&etag));
    assert_eq!(completed.checksum_crc64_nvme, Some(crc64nvme(&whole)));
    assert_eq!(head.e_tag, Some(etag));
    assert_eq!(head.checksum_crc64_nvme, Some(crc64nvme(&whole)));
    assert_eq!(head.content_type.as_deref(), Some("text/x-test"));
    assert_eq!(head.metadata.unwrap()["bag"], "one");
    assert_eq!(endpoint.get("k").await, Some(whole));
    until_files(endpoint.folder.path(), 2).await;

    let again = complete(&endpoint, &upload, &[one, two]).send().await;
    assert_eq!(code(&again.unwrap_err()), "NoSuchUpload");
    endpoint.delete("k").await;
    until_files(endpoint.folder.path(), 0).await;
}

#[tokio::test]
async fn ranges_cross_the_borders_of_parts() {
    let endpoint = start().await;
    let parts = [bytes(1, 5 * MIB), bytes(2, 5 * MIB + 1), bytes(3, 10)];
    let whole = parts.concat();
    upload_all(&endpoint, &parts).await;

    let border = 5 * MIB;
    let ranges = [
        0..1,
        border - 1..border + 1,
        border..border + 1,
        2 * border..2 * border + 5,
        border - 3..whole.len(),
        whole.len() - 1..whole.len(),
    ];
    for range in ranges {
        let get = endpoint.client.get_object().bucket(BUCKET).key("k");
        let output = get
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .send()
            .await
            .unwrap();
        let got = output.body.collect().await.unwrap().to_vec();
        assert!(got == whole[range.clone()], "{range:?}");
    }
}

#[tokio::test]
async fn wrong_completions_are_refused_and_the_upload_stays() {
    let endpoint = start().await;
    let upload = endpoint.start_upload("k").await;
    let one = put_part(&endpoint, &upload, 1, b"small").await;
    let two = put_part(&endpoint, &upload, 2, b"last").await;
    let wrong = CompletedPart::builder()
        .part_number(1)
        .e_tag("\"aa\"")
        .build();
    let absent = CompletedPart::builder()
        .part_number(7)
        .e_tag("\"aa\"")
        .build();
    let send = |parts: &[CompletedPart]| complete(&endpoint, &upload, parts).send();

    let rows = [
        (
            "too small",
            send(&[one.clone(), two.clone()]).await,
            "EntityTooSmall",
        ),
        (
            "order",
            send(&[two.clone(), one.clone()]).await,
            "InvalidPartOrder",
        ),
        ("wrong part", send(&[wrong]).await, "InvalidPart"),
        ("absent part", send(&[absent]).await, "InvalidPart"),
        ("nothing", send(&[]).await, "MalformedXML"),
    ];
    for (name, result, expected) in rows {
        assert_eq!(code(&result.unwrap_err()), expected, "{name}");
    }
    let wrong_whole = complete(&endpoint, &upload, std::slice::from_ref(&one));
    let wrong_whole = wrong_whole.checksum_crc64_nvme("AAAAAAAAAAA=").send().await;
    assert_eq!(code(&wrong_whole.unwrap_err()), "BadDigest");

    send(&[one]).await.unwrap();
    assert_eq!(endpoint.get("k").await, Some(b"small".to_vec()));
    until_files(endpoint.folder.path(), 1).await;
}

#[tokio::test]
async fn a_completion_that_must_be_first_and_is_not_is_refused() {
    let endpoint = start().await;
    endpoint.put("k", b"here before").await;
    let upload = endpoint.start_upload("k").await;
    let one = put_part(&endpoint, &upload, 1, b"late").await;

    let refused = complete(&endpoint, &upload, &[one]).if_none_match("*");
    let refused = refused.send().await.unwrap_err();

    assert_eq!(code(&refused), "PreconditionFailed");
    assert_eq!(endpoint.get("k").await, Some(b"here before".to_vec()));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let endpoint = start().await;
    let upload = endpoint.start_upload("k").await;
    put_part(&endpoint, &upload, 1, b"part").await;
    let abort = || {
        let abort = endpoint.client.abort_multipart_upload();
        abort.bucket(BUCKET).key("k").upload_id(&upload).send()
    };

    abort().await.unwrap();

    until_files(endpoint.folder.path(), 0).await;
    assert_eq!(code(&abort().await.unwrap_err()), "NoSuchUpload");
    let part = endpoint.client.upload_part().bucket(BUCKET).key("k");
    let part = part.upload_id(&upload).part_number(1).send().await;
    assert_eq!(code(&part.unwrap_err()), "NoSuchUpload");
}

#[tokio::test]
async fn a_promised_checksum_is_kept() {
    let endpoint = start().await;
    let parts = [bytes(1, 5 * MIB), bytes(2, 7)];
    let rows = [
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc32C, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
    ];

    for (algorithm, kind) in rows {
        let create = endpoint.client.create_multipart_upload();
        let upload = create
            .bucket(BUCKET)
            .key("k")
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone())
            .send()
            .await
            .unwrap()
            .upload_id
            .unwrap();
        let mut completed = Vec::new();
        for (at, part) in (1..).zip(&parts) {
            let put = endpoint.client.upload_part().bucket(BUCKET).key("k");
            let put = put.upload_id(&upload).part_number(at);
            let output = put
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(part.clone()))
                .send()
                .await
                .unwrap();
            completed.push(
                CompletedPart::builder()
                    .part_number(at)
                    .set_e_tag(output.e_tag)
                    .set_checksum_crc32(output.checksum_crc32)
                    .set_checksum_crc32_c(output.checksum_crc32_c)
                    .set_checksum_crc64_nvme(output.checksum_crc64_nvme)
                    .set_checksum_sha256(output.checksum_sha256)
                    .build(),
            );
        }
        let output = complete(&endpoint, &upload, &completed)
            .send()
            .await
            .unwrap();
        assert_eq!(
            output.checksum_type,
            Some(kind.clone()),
            "{algorithm} {kind}"
        );
        assert_eq!(output.checksum_crc64_nvme, Some(crc64nvme(&parts.concat())));
        let asked = [
            output.checksum_crc32,
            output.checksum_crc32_c,
            output.checksum_sha256,
        ];
        let composed = asked.iter().flatten().any(|value| value.ends_with("-2"));
        assert_eq!(
            composed,
            kind == ChecksumType::Composite,
            "{algorithm} {kind}"
        );
        // The SDK compares the body with the full-object checksums.
        assert_eq!(endpoint.get("k").await, Some(parts.concat()));
    }
}

#[tokio::test]
async fn uploads_and_parts_are_listed_page_by_page() {
    let endpoint = start().await;
    let first = endpoint.start_upload("12/a").await;
    endpoint.start_upload("12/b").await;
    endpoint.start_upload("120/a").await;
    for number in 1..=3 {
        let put = endpoint.client.upload_part().bucket(BUCKET).key("12/a");
        let put = put.upload_id(&first).part_number(number);
        put.body(ByteStream::from_static(b"part"))
            .send()
            .await
            .unwrap();
    }

    let list = || {
        endpoint
            .client
            .list_multipart_uploads()
            .bucket(BUCKET)
            .prefix("12/")
    };
    let page = list().max_uploads(1).send().await.unwrap();
    let rest = list()
        .set_key_marker(page.next_key_marker.clone())
        .set_upload_id_marker(page.next_upload_id_marker.clone())
        .send()
        .await
        .unwrap();
    let parts = || {
        let parts = endpoint.client.list_parts().bucket(BUCKET).key("12/a");
        parts.upload_id(&first).max_parts(2)
    };
    let parts_page = parts().send().await.unwrap();
    let parts_rest = parts()
        .set_part_number_marker(parts_page.next_part_number_marker.clone())
        .send()
        .await
        .unwrap();

    assert_eq!(page.is_truncated, Some(true));
    assert_eq!(page.uploads()[0].key(), Some("12/a"));
    assert_eq!(rest.is_truncated, Some(false));
    let keys: Vec<_> = rest
        .uploads()
        .iter()
        .map(|one| one.key().unwrap())
        .collect();
    assert_eq!(keys, ["12/b"]);
    assert_eq!(parts_page.parts().len(), 2);
    assert_eq!(parts_page.is_truncated, Some(true));
    assert_eq!(parts_rest.parts()[0].part_number(), Some(3));
    assert_eq!(
        parts_rest.parts()[0].checksum_crc64_nvme(),
        Some(crc64nvme(b"part").as_str())
    );
}

pub(crate) async fn put_part(
    endpoint: &Endpoint,
    upload: &str,
    number: i32,
    body: &[u8],
) -> CompletedPart {
    let part = endpoint.client.upload_part().bucket(BUCKET).key("k");
    let output = part
        .upload_id(upload)
        .part_number(number)
        .body(ByteStream::from(body.to_vec()))
        .send()
        .await
        .unwrap();
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(output.e_tag)
        .build()
}

pub(crate) fn complete(
    endpoint: &Endpoint,
    upload: &str,
    parts: &[CompletedPart],
) -> CompleteMultipartUploadFluentBuilder {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec()));
    let complete = endpoint.client.complete_multipart_upload();
    complete
        .bucket(BUCKET)
        .key("k")
        .upload_id(upload)
        .multipart_upload(parts.build())
}

/// Puts `parts` together as the object `k`.
pub(crate) async fn upload_all(endpoint: &Endpoint, parts: &[Vec<u8>]) {
    let upload = endpoint.start_upload("k").await;
    let mut completed = Vec::new();
    for (number, part) in (1..).zip(parts) {
        completed.push(put_part(endpoint, &upload, number, part).await);
    }
    complete(endpoint, &upload, &completed)
        .send()
        .await
        .unwrap();
}
