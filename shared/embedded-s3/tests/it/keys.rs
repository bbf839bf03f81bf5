//! Keys that are good for a few buckets. (What such a key may do in a bucket of its own, and that it may
//! none of it elsewhere, is shown on a whole system, where such keys are made.)

use std::collections::HashSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, RestoreRequest, StorageClass};
use muniment_embedded_s3::{Credentials, Key, Options, Reach};

use crate::kit::{BUCKET, Endpoint, OTHER_BUCKET, client_of, code, start_with};
use crate::versions::set_versioning;

#[tokio::test]
async fn a_key_of_a_few_buckets_is_shown_those_that_are_there() {
    let (_endpoint, client) = endpoint_with_key().await;

    let listed = client.list_buckets().send().await.unwrap();

    let names: Vec<_> = listed
        .buckets()
        .iter()
        .filter_map(|one| one.name())
        .collect();
    assert_eq!(names, [BUCKET]);
}

#[tokio::test]
async fn a_key_of_a_few_buckets_neither_makes_nor_deletes_any() {
    let (endpoint, client) = endpoint_with_key().await;

    for bucket in [BUCKET, "not-there-yet", OTHER_BUCKET, "new"] {
        let made = client.create_bucket().bucket(bucket).send().await;
        let deleted = client.delete_bucket().bucket(bucket).send().await;
        assert_eq!(code(&made.unwrap_err()), "AccessDenied", "{bucket}");
        assert_eq!(code(&deleted.unwrap_err()), "AccessDenied", "{bucket}");
    }
    let all = endpoint.client.list_buckets().send().await.unwrap();
    assert_eq!(all.buckets().len(), 2);
}

#[tokio::test]
async fn a_key_of_a_few_buckets_does_not_tell_them_to_keep_versions() {
    let (endpoint, client) = endpoint_with_key().await;

    for bucket in [BUCKET, OTHER_BUCKET] {
        let set = set_versioning(&client, bucket, BucketVersioningStatus::Enabled).await;
        assert_eq!(code(&set.unwrap_err()), "AccessDenied", "{bucket}");
    }
    let asked = endpoint.client.get_bucket_versioning().bucket(BUCKET);
    assert_eq!(asked.send().await.unwrap().status, None);
    let mine = client.get_bucket_versioning().bucket(BUCKET).send().await;
    assert_eq!(mine.unwrap().status, None);
    let listed = client.list_object_versions().bucket(OTHER_BUCKET).send();
    assert_eq!(code(&listed.await.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn a_key_of_a_few_buckets_has_nothing_restored() {
    let (endpoint, client) = endpoint_with_key().await;
    let put = endpoint.client.put_object().bucket(BUCKET).key("k");
    let put = put.storage_class(StorageClass::Glacier).send().await;
    put.unwrap();

    let restore = client.restore_object().bucket(BUCKET).key("k");
    let request = RestoreRequest::builder().days(1).build();
    let restored = restore.restore_request(request).send().await;

    assert_eq!(code(&restored.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn the_source_of_a_copy_has_to_be_in_a_bucket_of_the_key() {
    let (endpoint, client) = endpoint_with_key().await;
    endpoint.put("k", b"bytes").await;
    let upload = endpoint.start_upload("parts").await;
    let access_point = "arn:aws:s3:us-east-1:123456789012:accesspoint/mine/object/k";

    let elsewhere = format!("{OTHER_BUCKET}/k");
    for source in [elsewhere.as_str(), access_point] {
        let copy = client.copy_object().bucket(BUCKET).key("copy");
        let copied = copy.copy_source(source).send().await;
        let part = client.upload_part_copy().bucket(BUCKET).key("parts");
        let part = part.upload_id(&upload).part_number(1);
        let part = part.copy_source(source).send().await;
        assert_eq!(code(&copied.unwrap_err()), "AccessDenied", "{source}");
        assert_eq!(code(&part.unwrap_err()), "AccessDenied", "{source}");
    }
    let copy = client.copy_object().bucket(BUCKET).key("copy");
    let copied = copy.copy_source(format!("{BUCKET}/k")).send().await;
    assert!(copied.is_ok(), "{copied:?}");
}

#[tokio::test]
async fn a_second_key_for_everything_is_like_the_first() {
    let (endpoint, _) = endpoint_with_key().await;
    let client = client_of(&endpoint.url, "operator", "secret");

    let made = client.create_bucket().bucket("new").send().await;

    assert!(made.is_ok(), "{made:?}");
    let all = client.list_buckets().send().await.unwrap();
    assert_eq!(all.buckets().len(), 3);
}

/// Two buckets, and the client of a key that is good for the first of them.
async fn endpoint_with_key() -> (Endpoint, Client) {
    let key = |access_key: &str, reach| Key {
        credentials: Credentials {
            access_key: access_key.to_owned(),
            secret_key: "secret".to_owned(),
        },
        reach,
    };
    let few = HashSet::from([BUCKET.to_owned(), "not-there-yet".to_owned()]);
    let options = Options {
        more_keys: vec![
            key("depositor", Reach::Buckets(few)),
            key("operator", Reach::Everything),
        ],
        ..Options::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let endpoint = start_with(folder, options, &[BUCKET, OTHER_BUCKET]).await;
    let client = client_of(&endpoint.url, "depositor", "secret");
    (endpoint, client)
}
