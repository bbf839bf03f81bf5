//! Tags of objects.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{MetadataDirective, Tag, Tagging, TaggingDirective};

use crate::kit::{BUCKET, Endpoint, OTHER_BUCKET, code, start, start_in, start_with};
use crate::uploads::{complete, put_part};
use crate::versions::start_versioned;

const NONE: [&str; 0] = [];

#[tokio::test]
async fn tags_are_replaced_and_removed_as_a_whole_and_stay() {
    let endpoint = start().await;
    endpoint.put("k", b"bytes").await;
    let head = || endpoint.client.head_object().bucket(BUCKET).key("k").send();
    let before = head().await.unwrap();
    assert_eq!(before.tag_count(), None);
    assert_eq!(tags(&endpoint, "k").await, NONE);

    set(&endpoint, "k", &[("kind", "photo"), ("b", "1")])
        .await
        .unwrap();
    set(&endpoint, "k", &[("kind", "letter of 1848"), ("c", "")])
        .await
        .unwrap();

    assert_eq!(tags(&endpoint, "k").await, ["c=", "kind=letter of 1848"]);
    let after = head().await.unwrap();
    assert_eq!(after.tag_count(), Some(2));
    assert_eq!(after.last_modified(), before.last_modified());
    let got = endpoint.client.get_object().bucket(BUCKET).key("k");
    assert_eq!(got.send().await.unwrap().tag_count(), Some(2));
    let endpoint = start_in(endpoint.crash().await).await;
    assert_eq!(tags(&endpoint, "k").await, ["c=", "kind=letter of 1848"]);
    let removed = endpoint
        .client
        .delete_object_tagging()
        .bucket(BUCKET)
        .key("k");
    removed.send().await.unwrap();
    assert_eq!(tags(&endpoint, "k").await, NONE);
    endpoint.put("k", b"bytes").await;
    assert_eq!(tags(&endpoint, "k").await, NONE);
}

#[tokio::test]
async fn a_put_and_an_upload_bring_tags_along() {
    let endpoint = start().await;
    let put = endpoint.client.put_object().bucket(BUCKET).key("put");
    let put = put
        .tagging("a=1&b=x%20y")
        .body(ByteStream::from_static(b"bytes"));
    put.send().await.unwrap();
    assert_eq!(tags(&endpoint, "put").await, ["a=1", "b=x y"]);

    let upload = endpoint
        .client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k");
    let upload = upload.tagging("c=2").send().await.unwrap();
    let upload = upload.upload_id.unwrap();
    let part = put_part(&endpoint, &upload, 1, b"part").await;
    complete(&endpoint, &upload, &[part]).send().await.unwrap();
    assert_eq!(tags(&endpoint, "k").await, ["c=2"]);
}

#[tokio::test]
async fn a_copy_has_the_tags_of_its_source_or_those_of_the_request() {
    let endpoint = start_with(
        tempfile::tempdir().unwrap(),
        muniment_embedded_s3::Options::default(),
        &[BUCKET, OTHER_BUCKET],
    )
    .await;
    let put = endpoint.client.put_object().bucket(BUCKET).key("put");
    let put = put.tagging("a=1&b=x%20y");
    let put = put.body(ByteStream::from_static(b"bytes"));
    put.send().await.unwrap();
    let copy = |key: &str, metadata: MetadataDirective, tags: TaggingDirective| {
        let copy = endpoint.client.copy_object().bucket(BUCKET).key(key);
        let copy = copy.copy_source(format!("{BUCKET}/put")).tagging("d=3");
        let copy = copy.metadata_directive(metadata).tagging_directive(tags);
        copy.send()
    };
    let rows = [
        (
            "1",
            MetadataDirective::Copy,
            TaggingDirective::Copy,
            &["a=1", "b=x y"][..],
        ),
        (
            "2",
            MetadataDirective::Replace,
            TaggingDirective::Copy,
            &["a=1", "b=x y"][..],
        ),
        (
            "3",
            MetadataDirective::Copy,
            TaggingDirective::Replace,
            &["d=3"][..],
        ),
        (
            "4",
            MetadataDirective::Replace,
            TaggingDirective::Replace,
            &["d=3"][..],
        ),
    ];
    for (key, metadata, directive, expected) in rows {
        copy(key, metadata, directive).await.unwrap();
        assert_eq!(tags(&endpoint, key).await, expected, "{key}");
    }
    let apart = endpoint
        .client
        .copy_object()
        .bucket(OTHER_BUCKET)
        .key("put");
    apart
        .copy_source(format!("{BUCKET}/put"))
        .send()
        .await
        .unwrap();
    let head = endpoint
        .client
        .head_object()
        .bucket(OTHER_BUCKET)
        .key("put");
    assert_eq!(head.send().await.unwrap().tag_count(), Some(2));
}

#[tokio::test]
async fn each_version_has_tags_of_its_own() {
    let endpoint = start_versioned().await;
    let old = crate::versions::put(&endpoint, "k", b"old").await;
    set(&endpoint, "k", &[("a", "1")]).await.unwrap();
    let new = crate::versions::put(&endpoint, "k", b"new").await;
    let of = async |version: &str| {
        let get = endpoint.client.get_object_tagging().bucket(BUCKET).key("k");
        let got = get.version_id(version).send().await.unwrap();
        assert_eq!(got.version_id(), Some(version));
        listed(got.tag_set())
    };

    assert_eq!(of(&old).await, ["a=1"]);
    assert_eq!(of(&new).await, Vec::<String>::new());
    let set = endpoint.client.put_object_tagging().bucket(BUCKET).key("k");
    let set = set.version_id(&old).tagging(tagging(&[("b", "2")]));
    assert_eq!(set.send().await.unwrap().version_id(), Some(old.as_str()));
    assert_eq!(of(&old).await, ["b=2"]);
    assert_eq!(tags(&endpoint, "k").await, NONE);
    let delete = endpoint.client.delete_object().bucket(BUCKET).key("k");
    let marker = delete.send().await.unwrap().version_id.unwrap();
    let get = endpoint.client.get_object_tagging().bucket(BUCKET).key("k");
    let of_marker = get.version_id(&marker).send().await.unwrap_err();
    assert_eq!(code(&of_marker), "MethodNotAllowed");
}

#[tokio::test]
async fn what_is_no_tag_is_refused_and_changes_nothing() {
    let endpoint = start().await;
    endpoint.put("k", b"bytes").await;
    set(&endpoint, "k", &[("a", "1")]).await.unwrap();
    let many: Vec<String> = (0..11).map(|at| at.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    let long = "x".repeat(257);
    let rows = [
        (&many[..], "BadRequest"),
        (&[("aws:a", "1")][..], "InvalidTag"),
        (&[("a", long.as_str())][..], "InvalidTag"),
        (&[("a", "1"), ("a", "2")][..], "InvalidTag"),
    ];

    for (tags, expected) in rows {
        let refused = set(&endpoint, "k", tags).await.unwrap_err();
        assert_eq!(refused, expected);
    }
    let absent = set(&endpoint, "absent", &[("a", "1")]).await;
    assert_eq!(absent.unwrap_err(), "NoSuchKey");
    for (header, expected) in [("a=1&a=2", "InvalidTag"), ("a=%FF", "InvalidArgument")] {
        let put = endpoint.client.put_object().bucket(BUCKET).key("k");
        let put = put.tagging(header).body(ByteStream::from_static(b"other"));
        assert_eq!(code(&put.send().await.unwrap_err()), expected, "{header}");
    }
    assert_eq!(tags(&endpoint, "k").await, ["a=1"]);
    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"bytes"[..]));
}

fn tagging(tags: &[(&str, &str)]) -> Tagging {
    let tags = tags.iter().map(|(key, value)| {
        let tag = Tag::builder().key(*key).value(*value);
        tag.build().unwrap()
    });
    let tagging = Tagging::builder().set_tag_set(Some(tags.collect()));
    tagging.build().unwrap()
}

/// Returns the code of a refusal.
async fn set(endpoint: &Endpoint, key: &str, tags: &[(&str, &str)]) -> Result<(), String> {
    let put = endpoint.client.put_object_tagging().bucket(BUCKET).key(key);
    let put = put.tagging(tagging(tags)).send().await;
    put.map(drop).map_err(|error| code(&error))
}

async fn tags(endpoint: &Endpoint, key: &str) -> Vec<String> {
    let get = endpoint.client.get_object_tagging().bucket(BUCKET).key(key);
    listed(get.send().await.unwrap().tag_set())
}

fn listed(tags: &[Tag]) -> Vec<String> {
    let tags = tags
        .iter()
        .map(|tag| format!("{}={}", tag.key(), tag.value()));
    tags.collect()
}
