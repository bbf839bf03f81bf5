//! What an object is, without its bytes.

use aws_sdk_s3::operation::get_object_attributes::GetObjectAttributesOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectAttributes,
    ObjectPart, StorageClass,
};

use crate::kit::{BUCKET, Endpoint, MIB, bytes, code, crc64nvme, md5_etag, start, start_in};
use crate::uploads::upload_all;
use crate::versions::start_versioned;

#[tokio::test]
async fn an_object_is_told_by_what_is_asked_for() {
    let endpoint = start().await;
    let put = endpoint.client.put_object().bucket(BUCKET).key("k");
    let put = put.storage_class(StorageClass::Glacier);
    let put = put.body(ByteStream::from_static(b"bytes"));
    put.send().await.unwrap();

    let all = attributes(&endpoint, "k", None).await;

    let md5 = md5_etag(b"bytes");
    assert_eq!(
        all.e_tag().map(|tag| tag.trim_matches('"')),
        Some(md5.trim_matches('"'))
    );
    assert_eq!(all.object_size(), Some(5));
    assert_eq!(all.storage_class(), Some(&StorageClass::Glacier));
    assert!(all.object_parts().is_none(), "it came as one");
    let checksum = all.checksum().unwrap();
    assert_eq!(
        checksum.checksum_crc64_nvme(),
        Some(crc64nvme(b"bytes").as_str())
    );
    assert_eq!(checksum.checksum_type(), Some(&ChecksumType::FullObject));
    let size = endpoint
        .client
        .get_object_attributes()
        .bucket(BUCKET)
        .key("k");
    let size = size.object_attributes(ObjectAttributes::ObjectSize);
    let size = size.send().await.unwrap();
    assert_eq!(size.object_size(), Some(5));
    assert!(size.checksum().is_none() && size.e_tag().is_none());
    let other = endpoint
        .client
        .get_object_attributes()
        .bucket(BUCKET)
        .key("k");
    let other = other.object_attributes("Colour".into()).send().await;
    assert_eq!(code(&other.unwrap_err()), "InvalidArgument");
    let absent = endpoint
        .client
        .get_object_attributes()
        .bucket(BUCKET)
        .key("absent");
    let absent = absent
        .object_attributes(ObjectAttributes::Etag)
        .send()
        .await;
    assert_eq!(code(&absent.unwrap_err()), "NoSuchKey");
}

#[tokio::test]
async fn parts_are_told_page_by_page_where_they_have_checksums() {
    let endpoint = start().await;
    let bodies = [bytes(1, 5 * MIB), bytes(2, 5 * MIB), bytes(3, 10)];
    upload_with_sha256(&endpoint, &bodies).await;
    let endpoint = start_in(endpoint.crash().await).await;

    let all = attributes(&endpoint, "k", None).await;
    let checksum = all.checksum().unwrap();
    assert_eq!(checksum.checksum_type(), Some(&ChecksumType::Composite));
    assert!(checksum.checksum_sha256().is_some());
    let parts = all.object_parts().unwrap();
    assert_eq!(parts.total_parts_count(), Some(3));
    let sizes: Vec<_> = parts
        .parts()
        .iter()
        .map(|part| part.size().unwrap())
        .collect();
    assert_eq!(sizes, [5 * 1024 * 1024, 5 * 1024 * 1024, 10]);
    assert!(
        parts
            .parts()
            .iter()
            .all(|part| part.checksum_sha256().is_some())
    );

    let mut numbers = Vec::new();
    let mut marker = None;
    loop {
        let page = endpoint
            .client
            .get_object_attributes()
            .bucket(BUCKET)
            .key("k");
        let page = page.object_attributes(ObjectAttributes::ObjectParts);
        let page = page.max_parts(2).set_part_number_marker(marker);
        let page = page.send().await.unwrap().object_parts.unwrap();
        assert!(page.parts().len() <= 2);
        numbers.extend(page.parts().iter().filter_map(ObjectPart::part_number));
        if page.is_truncated() != Some(true) {
            break;
        }
        marker = page.next_part_number_marker;
    }
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn parts_without_checksums_are_counted() {
    let endpoint = start().await;
    upload_all(&endpoint, &[bytes(1, 5 * MIB), bytes(2, 10)]).await;

    let all = attributes(&endpoint, "k", None).await;

    let parts = all.object_parts().unwrap();
    assert_eq!(parts.total_parts_count(), Some(2));
    assert!(parts.parts().is_empty());
}

#[tokio::test]
async fn a_version_is_told_by_its_name() {
    let endpoint = start_versioned().await;
    let old = crate::versions::put(&endpoint, "k", b"old one").await;
    crate::versions::put(&endpoint, "k", b"new").await;

    let told = attributes(&endpoint, "k", Some(&old)).await;

    assert_eq!(told.version_id(), Some(old.as_str()));
    assert_eq!(told.object_size(), Some(7));
    assert_eq!(
        attributes(&endpoint, "k", None).await.object_size(),
        Some(3)
    );
}

async fn attributes(
    endpoint: &Endpoint,
    key: &str,
    version: Option<&str>,
) -> GetObjectAttributesOutput {
    let get = endpoint
        .client
        .get_object_attributes()
        .bucket(BUCKET)
        .key(key);
    let get = get
        .object_attributes(ObjectAttributes::Checksum)
        .object_attributes(ObjectAttributes::Etag)
        .object_attributes(ObjectAttributes::ObjectParts)
        .object_attributes(ObjectAttributes::ObjectSize)
        .object_attributes(ObjectAttributes::StorageClass)
        .set_version_id(version.map(str::to_owned));
    get.send().await.unwrap()
}

/// Puts the parts together as the object `k`.
async fn upload_with_sha256(endpoint: &Endpoint, bodies: &[Vec<u8>]) {
    let upload = endpoint.client.create_multipart_upload();
    let upload = upload.bucket(BUCKET).key("k");
    let upload = upload.checksum_algorithm(ChecksumAlgorithm::Sha256);
    let upload = upload.send().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(bodies) {
        let part = endpoint.client.upload_part().bucket(BUCKET).key("k");
        let part = part.upload_id(&upload).part_number(number);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Sha256);
        let sent = part.body(ByteStream::from(body.clone())).send();
        let sent = sent.await.unwrap();
        let named = CompletedPart::builder().part_number(number);
        let named = named.set_e_tag(sent.e_tag);
        parts.push(named.set_checksum_sha256(sent.checksum_sha256).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
    let complete = endpoint.client.complete_multipart_upload();
    let complete = complete.bucket(BUCKET).key("k").upload_id(&upload);
    complete
        .multipart_upload(parts.build())
        .send()
        .await
        .unwrap();
}
