//! Buckets that keep versions.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_bucket_versioning::{
    PutBucketVersioningError, PutBucketVersioningOutput,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Delete, MetadataDirective, MfaDelete, ObjectIdentifier,
    VersioningConfiguration,
};

use crate::kit::{
    BUCKET, Endpoint, OTHER_BUCKET, bytes, code, files, start, start_in, start_with, status,
    until_files,
};
use crate::uploads::{complete, put_part};

/// Too large for the row of its object.
const IN_A_FILE: usize = 100_000;

#[tokio::test]
async fn a_version_that_was_written_over_stays_until_it_is_deleted() {
    let endpoint = start_versioned().await;
    let bodies = [bytes(1, IN_A_FILE), bytes(2, 10), bytes(3, IN_A_FILE)];
    let mut ids = Vec::new();
    for body in &bodies {
        ids.push(put(&endpoint, "k", body).await);
    }

    let endpoint = start_in(endpoint.crash().await).await;

    for (id, body) in ids.iter().zip(&bodies) {
        assert_eq!(get(&endpoint, "k", Some(id)).await.as_ref(), Some(body));
        let head = endpoint.client.head_object().bucket(BUCKET).key("k");
        let head = head.version_id(id).send().await.unwrap();
        assert_eq!(head.version_id(), Some(id.as_str()));
    }
    assert_eq!(endpoint.get("k").await.as_ref(), Some(&bodies[2]));
    assert_eq!(files(endpoint.folder.path()).len(), 2);
    remove(&endpoint, "k", &ids[0]).await;
    until_files(endpoint.folder.path(), 1).await;
    let gone = endpoint.client.get_object().bucket(BUCKET).key("k");
    let gone = gone.version_id(&ids[0]).send().await.unwrap_err();
    assert_eq!(
        (code(&gone).as_str(), status(&gone)),
        ("NoSuchVersion", 404)
    );
    assert_eq!(
        get(&endpoint, "k", Some(&ids[1])).await.as_ref(),
        Some(&bodies[1])
    );
}

#[tokio::test]
async fn deleting_the_newest_version_makes_the_one_before_current() {
    let endpoint = start_versioned().await;
    let first = put(&endpoint, "k", b"first").await;
    let second = put(&endpoint, "k", b"second").await;

    remove(&endpoint, "k", &second).await;

    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    let head = head.send().await.unwrap();
    assert_eq!(head.version_id(), Some(first.as_str()));
    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"first"[..]));
    remove(&endpoint, "k", &first).await;
    assert_eq!(endpoint.get("k").await, None);
    let deleted = endpoint.client.delete_bucket().bucket(BUCKET).send().await;
    assert!(deleted.is_ok(), "{deleted:?}");
}

#[tokio::test]
async fn a_delete_marker_hides_the_versions_and_is_a_version_itself() {
    let endpoint = start_versioned().await;
    let first = put(&endpoint, "k", b"first").await;

    let delete = endpoint.client.delete_object().bucket(BUCKET).key("k");
    let deleted = delete.send().await.unwrap();

    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id().unwrap();
    let hidden = endpoint.client.get_object().bucket(BUCKET).key("k");
    let hidden = hidden.send().await.unwrap_err();
    assert_eq!(code(&hidden), "NoSuchKey");
    assert_eq!(header(&hidden, "x-amz-delete-marker"), Some("true"));
    assert_eq!(header(&hidden, "x-amz-version-id"), Some(marker));
    let named = endpoint.client.get_object().bucket(BUCKET).key("k");
    let named = named.version_id(marker).send().await.unwrap_err();
    assert_eq!(
        (code(&named).as_str(), status(&named)),
        ("MethodNotAllowed", 405)
    );
    assert_eq!(header(&named, "x-amz-delete-marker"), Some("true"));
    let listed = endpoint.client.list_objects_v2().bucket(BUCKET).send();
    assert_eq!(listed.await.unwrap().key_count(), Some(0));
    assert_eq!(
        get(&endpoint, "k", Some(&first)).await.as_deref(),
        Some(&b"first"[..])
    );
    let full = endpoint.client.delete_bucket().bucket(BUCKET).send().await;
    assert_eq!(code(&full.unwrap_err()), "BucketNotEmpty");

    let removed = endpoint.client.delete_object().bucket(BUCKET).key("k");
    let removed = removed.version_id(marker).send().await.unwrap();

    assert_eq!(removed.delete_marker(), Some(true));
    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"first"[..]));
}

#[tokio::test]
async fn writes_ask_about_the_current_version() {
    let endpoint = start_versioned().await;
    let write = |if_match: Option<String>, if_none_match: Option<String>| {
        let put = endpoint.client.put_object().bucket(BUCKET).key("k");
        put.set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .body(ByteStream::from_static(b"new"))
            .send()
    };
    let old = endpoint.put("k", b"old").await;
    let new = endpoint.put("k", b"newer").await;

    let stale = write(Some(old), None).await.unwrap_err();
    assert_eq!(code(&stale), "PreconditionFailed");
    let there = write(None, Some("*".to_owned())).await.unwrap_err();
    assert_eq!(code(&there), "PreconditionFailed");
    write(Some(new), None).await.unwrap();
    endpoint.delete("k").await;
    // What is deleted is not there, whatever versions it has.
    write(None, Some("*".to_owned())).await.unwrap();
}

#[tokio::test]
async fn objects_from_before_are_the_version_null() {
    let endpoint = start().await;
    endpoint.put("k", b"before").await;
    let before = endpoint.client.head_object().bucket(BUCKET).key("k");
    assert_eq!(before.send().await.unwrap().version_id(), None);

    set_versioning(&endpoint.client, BUCKET, BucketVersioningStatus::Enabled)
        .await
        .unwrap();

    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    assert_eq!(head.send().await.unwrap().version_id(), Some("null"));
    put(&endpoint, "k", b"after").await;
    assert_eq!(
        get(&endpoint, "k", Some("null")).await.as_deref(),
        Some(&b"before"[..])
    );
    let asked = endpoint.client.get_bucket_versioning().bucket(BUCKET);
    let asked = asked.send().await.unwrap();
    assert_eq!(asked.status, Some(BucketVersioningStatus::Enabled));
}

#[tokio::test]
async fn where_versions_are_suspended_only_the_version_null_is_replaced() {
    let endpoint = start_versioned().await;
    let kept = put(&endpoint, "k", &bytes(1, IN_A_FILE)).await;
    set_versioning(&endpoint.client, BUCKET, BucketVersioningStatus::Suspended)
        .await
        .unwrap();

    for seed in 2..5 {
        assert_eq!(put(&endpoint, "k", &bytes(seed, IN_A_FILE)).await, "null");
    }

    until_files(endpoint.folder.path(), 2).await;
    assert_eq!(
        get(&endpoint, "k", Some(&kept)).await,
        Some(bytes(1, IN_A_FILE))
    );
    let marked = endpoint.client.delete_object().bucket(BUCKET).key("k");
    let marked = marked.send().await.unwrap();
    assert_eq!(marked.version_id(), Some("null"));
    until_files(endpoint.folder.path(), 1).await;
    assert_eq!(endpoint.get("k").await, None);
    // The marker is the version "null" now, and is replaced in its turn.
    assert_eq!(put(&endpoint, "k", b"again").await, "null");
    let shown = shown(&endpoint, 1000, None).await;
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(shown, ["k null latest".to_owned(), format!("k {kept}")]);
}

#[tokio::test]
async fn versions_are_listed_page_by_page_the_newest_first() {
    let endpoint = start_versioned().await;
    let mut expected = Vec::new();
    for (key, writes) in [("a", 3), ("b/1", 1), ("b/2", 2), ("c", 2)] {
        let mut of_key = Vec::new();
        for write in 0..writes {
            of_key.push(format!("{key} {}", put(&endpoint, key, &[write]).await));
        }
        if key == "c" {
            let marked = endpoint.client.delete_object().bucket(BUCKET).key(key);
            let marked = marked.send().await.unwrap().version_id.unwrap();
            of_key.push(format!("{key} {marked} marker"));
        }
        let newest = of_key.last_mut().unwrap();
        newest.push_str(" latest");
        expected.extend(of_key.into_iter().rev());
    }
    for page in [1, 2, 3, 1000] {
        assert_eq!(
            shown(&endpoint, page, None).await,
            expected,
            "{page} a page"
        );
    }
    let rolled_up: Vec<String> = expected
        .iter()
        .filter(|line| !line.starts_with("b/2"))
        .map(|line| {
            if line.starts_with("b/") {
                "b/".to_owned()
            } else {
                line.clone()
            }
        })
        .collect();
    for page in [1, 2, 1000] {
        assert_eq!(
            shown(&endpoint, page, Some("/")).await,
            rolled_up,
            "{page} a page"
        );
    }
    let stray = endpoint.client.list_object_versions().bucket(BUCKET);
    let stray = stray.version_id_marker("null").send().await.unwrap_err();
    assert_eq!(code(&stray), "InvalidArgument");
}

#[tokio::test]
async fn a_list_goes_on_when_what_it_showed_was_deleted() {
    let endpoint = start_versioned().await;
    for write in 0..5 {
        put(&endpoint, "k", &[write]).await;
    }
    let mut markers = (None, None);
    loop {
        let list = endpoint.client.list_object_versions().bucket(BUCKET);
        let list = list.max_keys(2);
        let list = list
            .set_key_marker(markers.0)
            .set_version_id_marker(markers.1);
        let page = list.send().await.unwrap();
        let named = page.versions().iter().map(|version| {
            let named = ObjectIdentifier::builder().key(version.key().unwrap());
            named
                .version_id(version.version_id().unwrap())
                .build()
                .unwrap()
        });
        let delete = Delete::builder().set_objects(Some(named.collect()));
        let deleted = endpoint.client.delete_objects().bucket(BUCKET);
        let deleted = deleted
            .delete(delete.build().unwrap())
            .send()
            .await
            .unwrap();
        assert!(deleted.errors().is_empty(), "{deleted:?}");
        if page.is_truncated() != Some(true) {
            break;
        }
        markers = (page.next_key_marker, page.next_version_id_marker);
    }

    let deleted = endpoint.client.delete_bucket().bucket(BUCKET).send().await;
    assert!(deleted.is_ok(), "{deleted:?}");
}

#[tokio::test]
async fn a_copy_may_name_a_version_and_says_which_it_made() {
    let endpoint = start_with(
        tempfile::tempdir().unwrap(),
        muniment_embedded_s3::Options::default(),
        &[BUCKET, OTHER_BUCKET],
    )
    .await;
    set_versioning(&endpoint.client, BUCKET, BucketVersioningStatus::Enabled)
        .await
        .unwrap();
    let (old_body, new_body) = (bytes(1, IN_A_FILE), bytes(2, IN_A_FILE));
    let old = put(&endpoint, "k", &old_body).await;
    put(&endpoint, "k", &new_body).await;
    let source = format!("{BUCKET}/k?versionId={old}");

    for bucket in [BUCKET, OTHER_BUCKET] {
        let copy = endpoint.client.copy_object().bucket(bucket).key("k");
        let copied = copy.copy_source(&source).send().await.unwrap();
        assert_eq!(copied.copy_source_version_id(), Some(old.as_str()));
        assert_eq!(copied.version_id().is_some(), bucket == BUCKET);
    }
    assert_eq!(endpoint.get("k").await.as_ref(), Some(&old_body));
    let upload = endpoint.start_upload("parts").await;
    let part = endpoint
        .client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("parts");
    let part = part.upload_id(&upload).part_number(1).copy_source(&source);
    let copied = part.send().await.unwrap();
    assert_eq!(copied.copy_source_version_id(), Some(old.as_str()));
    let gone = format!("{BUCKET}/k?versionId=gone");
    let copy = endpoint.client.copy_object().bucket(BUCKET).key("k");
    let refused = copy.copy_source(gone).send().await.unwrap_err();
    assert_eq!(code(&refused), "NoSuchVersion");
    let itself = endpoint.client.copy_object().bucket(BUCKET).key("k");
    let itself = itself.copy_source(format!("{BUCKET}/k"));
    let replaced = itself.metadata_directive(MetadataDirective::Replace).send();
    assert!(
        replaced.await.is_ok(),
        "the current one is kept as a version"
    );
}

#[tokio::test]
async fn a_completed_upload_is_a_version() {
    let endpoint = start_versioned().await;
    let before = put(&endpoint, "k", b"before").await;
    let upload = endpoint.start_upload("k").await;
    let part = put_part(&endpoint, &upload, 1, &bytes(1, IN_A_FILE)).await;

    let completed = complete(&endpoint, &upload, &[part]).send().await.unwrap();

    let id = completed.version_id().unwrap();
    assert_eq!(
        get(&endpoint, "k", Some(id)).await,
        Some(bytes(1, IN_A_FILE))
    );
    assert_eq!(
        get(&endpoint, "k", Some(&before)).await.as_deref(),
        Some(&b"before"[..])
    );
}

#[tokio::test]
async fn what_is_no_setting_for_versions_is_refused() {
    let endpoint = start().await;
    let with_mfa = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .mfa_delete(MfaDelete::Enabled)
        .build();
    let rows = [
        (
            VersioningConfiguration::builder().build(),
            "IllegalVersioningConfigurationException",
        ),
        (with_mfa, "NotImplemented"),
    ];

    for (configuration, expected) in rows {
        let set = endpoint.client.put_bucket_versioning().bucket(BUCKET);
        let set = set.versioning_configuration(configuration).send().await;
        assert_eq!(code(&set.unwrap_err()), expected);
    }
    let absent = set_versioning(&endpoint.client, "absent", BucketVersioningStatus::Enabled);
    assert_eq!(code(&absent.await.unwrap_err()), "NoSuchBucket");
}

pub(crate) async fn start_versioned() -> Endpoint {
    let endpoint = start().await;
    set_versioning(&endpoint.client, BUCKET, BucketVersioningStatus::Enabled)
        .await
        .unwrap();
    endpoint
}

pub(crate) async fn set_versioning(
    client: &Client,
    bucket: &str,
    status: BucketVersioningStatus,
) -> Result<PutBucketVersioningOutput, SdkError<PutBucketVersioningError, HttpResponse>> {
    let wanted = VersioningConfiguration::builder().status(status).build();
    let set = client.put_bucket_versioning().bucket(bucket);
    set.versioning_configuration(wanted).send().await
}

/// Returns the version that was made.
pub(crate) async fn put(endpoint: &Endpoint, key: &str, body: &[u8]) -> String {
    let put = endpoint.client.put_object().bucket(BUCKET).key(key);
    let put = put.body(ByteStream::from(body.to_vec())).send().await;
    put.unwrap().version_id.unwrap()
}

async fn get(endpoint: &Endpoint, key: &str, version: Option<&str>) -> Option<Vec<u8>> {
    let get = endpoint.client.get_object().bucket(BUCKET).key(key);
    let got = get.set_version_id(version.map(str::to_owned)).send().await;
    Some(got.ok()?.body.collect().await.unwrap().to_vec())
}

async fn remove(endpoint: &Endpoint, key: &str, version: &str) {
    let delete = endpoint.client.delete_object().bucket(BUCKET).key(key);
    let deleted = delete.version_id(version).send().await.unwrap();
    assert_eq!(deleted.version_id(), Some(version));
    assert_eq!(deleted.delete_marker(), None);
}

fn header<'e, E>(error: &'e SdkError<E, HttpResponse>, name: &str) -> Option<&'e str> {
    error.raw_response()?.headers().get(name)
}

/// The whole list, page after page: key and version of each, or a common prefix.
async fn shown(endpoint: &Endpoint, page: i32, delimiter: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut markers = (None, None);
    loop {
        let list = endpoint.client.list_object_versions().bucket(BUCKET);
        let list = list
            .max_keys(page)
            .set_delimiter(delimiter.map(str::to_owned));
        let list = list
            .set_key_marker(markers.0)
            .set_version_id_marker(markers.1);
        let listed = list.send().await.unwrap();
        // Versions, markers and prefixes come apart; the order among them is by key and date.
        let mut of_page: Vec<(String, i64, String)> = Vec::new();
        for one in listed.versions() {
            let latest = if one.is_latest() == Some(true) {
                " latest"
            } else {
                ""
            };
            let line = format!(
                "{} {}{latest}",
                one.key().unwrap(),
                one.version_id().unwrap()
            );
            of_page.push((
                one.key().unwrap().to_owned(),
                -millis(one.last_modified()),
                line,
            ));
        }
        for one in listed.delete_markers() {
            let latest = if one.is_latest() == Some(true) {
                " latest"
            } else {
                ""
            };
            let (key, id) = (one.key().unwrap(), one.version_id().unwrap());
            let line = format!("{key} {id} marker{latest}");
            of_page.push((key.to_owned(), -millis(one.last_modified()), line));
        }
        for one in listed.common_prefixes() {
            let prefix = one.prefix().unwrap().to_owned();
            of_page.push((prefix.clone(), 0, prefix));
        }
        of_page.sort();
        assert!(of_page.len() <= usize::try_from(page).unwrap());
        lines.extend(of_page.into_iter().map(|(_, _, line)| line));
        if listed.is_truncated() != Some(true) {
            return lines;
        }
        markers = (listed.next_key_marker, listed.next_version_id_marker);
    }
}

fn millis(date: Option<&aws_sdk_s3::primitives::DateTime>) -> i64 {
    date.unwrap().to_millis().unwrap()
}
