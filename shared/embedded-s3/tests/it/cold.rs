//! Storage classes, and objects in those that have to be restored before they can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::restore_object::RestoreObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    GlacierJobParameters, MetadataDirective, RestoreRequest, StorageClass, Tier,
};
use muniment_embedded_s3::{Clock, Options, Thaw};

use crate::kit::{BUCKET, Endpoint, code, start, start_with, status};
use crate::uploads::{complete, put_part};
use crate::versions::start_versioned;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// 2026-01-01, at midnight.
const BEGIN: u64 = 1_767_225_600;

#[tokio::test]
async fn every_class_is_kept_and_shown_and_no_other_is_taken() {
    let endpoint = start().await;
    for class in [
        StorageClass::DeepArchive,
        StorageClass::Glacier,
        StorageClass::GlacierIr,
        StorageClass::IntelligentTiering,
        StorageClass::OnezoneIa,
        StorageClass::ReducedRedundancy,
        StorageClass::StandardIa,
    ] {
        put(&endpoint, "put", class.clone()).await;
        let upload = endpoint.client.create_multipart_upload();
        let upload = upload.bucket(BUCKET).key("k");
        let upload = upload.storage_class(class.clone()).send().await.unwrap();
        let upload = upload.upload_id.unwrap();
        let part = put_part(&endpoint, &upload, 1, b"part").await;
        complete(&endpoint, &upload, &[part]).send().await.unwrap();
        endpoint.put("source", b"bytes").await;
        let copy = endpoint.client.copy_object().bucket(BUCKET).key("copy");
        let copy = copy.copy_source(format!("{BUCKET}/source"));
        copy.storage_class(class.clone()).send().await.unwrap();

        for key in ["put", "k", "copy"] {
            let head = endpoint.client.head_object().bucket(BUCKET).key(key);
            let head = head.send().await.unwrap();
            assert_eq!(head.storage_class, Some(class.clone()), "{key}");
            let listed = endpoint.client.list_objects_v2().bucket(BUCKET);
            let listed = listed.prefix(key).send().await.unwrap();
            let shown = listed.contents()[0].storage_class().unwrap().as_str();
            assert_eq!(shown, class.as_str(), "{key}");
        }
    }
    let unknown = endpoint.client.put_object().bucket(BUCKET).key("k");
    let unknown = unknown.storage_class("FROZEN".into()).send().await;
    assert_eq!(code(&unknown.unwrap_err()), "InvalidStorageClass");
}

#[tokio::test]
async fn a_cold_object_is_read_only_between_its_restore_and_its_expiry() {
    let (endpoint, now) = at_a_time(Thaw::AsOnS3).await;
    put(&endpoint, "k", StorageClass::Glacier).await;
    assert_unreadable(&endpoint).await;
    assert_eq!(restore_header(&endpoint).await, None);

    assert_eq!(restore(&endpoint, 2, Tier::Standard).await.unwrap(), 202);

    let thawing = Some(r#"ongoing-request="true""#.to_owned());
    assert_eq!(restore_header(&endpoint).await, thawing);
    assert_unreadable(&endpoint).await;
    let again = restore(&endpoint, 2, Tier::Standard).await.unwrap_err();
    assert_eq!(
        (code(&again).as_str(), status(&again)),
        ("RestoreAlreadyInProgress", 409)
    );

    now.store(BEGIN + 5 * HOUR, Ordering::Relaxed);

    let until = |date: &str| {
        Some(format!(
            r#"ongoing-request="false", expiry-date="{date} 00:00:00 GMT""#
        ))
    };
    assert_eq!(restore_header(&endpoint).await, until("Sun, 04 Jan 2026"));
    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"cold"[..]));
    copy(&endpoint, "k").await.unwrap();
    assert_eq!(restore(&endpoint, 9, Tier::Standard).await.unwrap(), 200);
    assert_eq!(restore_header(&endpoint).await, until("Sun, 11 Jan 2026"));

    now.store(BEGIN + 10 * DAY, Ordering::Relaxed);

    assert_eq!(restore_header(&endpoint).await, None);
    assert_unreadable(&endpoint).await;
    assert_eq!(restore(&endpoint, 1, Tier::Bulk).await.unwrap(), 202);
}

#[tokio::test]
async fn a_restore_survives_a_restart_and_not_a_new_object() {
    let (before, _) = at_a_time(Thaw::Within(Duration::ZERO)).await;
    put(&before, "k", StorageClass::DeepArchive).await;
    assert_eq!(restore(&before, 1, Tier::Bulk).await.unwrap(), 202);
    let folder = before.crash().await;

    let options = options(&Arc::new(AtomicU64::new(BEGIN)), Thaw::AsOnS3);
    let endpoint = start_with(folder, options, &[BUCKET]).await;

    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"cold"[..]));
    put(&endpoint, "k", StorageClass::DeepArchive).await;
    assert_unreadable(&endpoint).await;
}

#[tokio::test]
async fn a_restored_object_can_be_copied_into_another_class() {
    let (endpoint, _) = at_a_time(Thaw::Within(Duration::ZERO)).await;
    put(&endpoint, "k", StorageClass::Glacier).await;
    restore(&endpoint, 1, Tier::Expedited).await.unwrap();

    let onto_itself = endpoint.client.copy_object().bucket(BUCKET).key("k");
    let onto_itself = onto_itself.copy_source(format!("{BUCKET}/k"));
    let onto_itself = onto_itself.storage_class(StorageClass::Standard);
    let onto_itself = onto_itself.metadata_directive(MetadataDirective::Copy);
    onto_itself.send().await.unwrap();

    assert_eq!(restore_header(&endpoint).await, None);
    assert_eq!(endpoint.get("k").await.as_deref(), Some(&b"cold"[..]));
    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    assert_eq!(head.send().await.unwrap().storage_class, None);
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused() {
    let endpoint = start().await;
    put(&endpoint, "cold", StorageClass::DeepArchive).await;
    put(&endpoint, "instant", StorageClass::GlacierIr).await;
    let request = |days: Option<i32>, tier: Option<Tier>| {
        let tier = tier.map(|tier| GlacierJobParameters::builder().tier(tier).build().unwrap());
        RestoreRequest::builder()
            .set_days(days)
            .set_glacier_job_parameters(tier)
            .build()
    };
    let rows = [
        ("instant", request(Some(1), None), "InvalidObjectState"),
        ("absent", request(Some(1), None), "NoSuchKey"),
        ("cold", request(None, None), "MalformedXML"),
        ("cold", request(Some(0), None), "InvalidArgument"),
        (
            "cold",
            request(Some(1), Some(Tier::Expedited)),
            "InvalidArgument",
        ),
        (
            "cold",
            request(Some(1), Some("Sometime".into())),
            "InvalidArgument",
        ),
    ];

    for (key, wrong, expected) in rows {
        let restore = endpoint.client.restore_object().bucket(BUCKET).key(key);
        let refused = restore.restore_request(wrong).send().await;
        assert_eq!(code(&refused.unwrap_err()), expected, "{key}");
    }
    let nothing = endpoint.client.restore_object().bucket(BUCKET).key("cold");
    assert_eq!(code(&nothing.send().await.unwrap_err()), "MalformedXML");
}

#[tokio::test]
async fn an_older_version_is_restored_by_its_name() {
    let before = start_versioned().await;
    let put = before.client.put_object().bucket(BUCKET).key("k");
    let put = put.storage_class(StorageClass::Glacier);
    let old = put.body(ByteStream::from_static(b"cold")).send().await;
    let old = old.unwrap().version_id.unwrap();
    before.put("k", b"new").await;
    let folder = before.stop().await;
    let thaw = Thaw::Within(Duration::ZERO);
    let options = options(&Arc::new(AtomicU64::new(BEGIN)), thaw);
    let endpoint = start_with(folder, options, &[BUCKET]).await;

    let restore = endpoint.client.restore_object().bucket(BUCKET).key("k");
    let restore = restore.version_id(&old);
    let request = RestoreRequest::builder().days(1).build();
    restore.restore_request(request).send().await.unwrap();

    let get = endpoint.client.get_object().bucket(BUCKET).key("k");
    let got = get.version_id(&old).send().await.unwrap();
    assert!(got.restore().is_some_and(|words| words.contains("false")));
    endpoint
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let listed = endpoint.client.list_object_versions().bucket(BUCKET);
    let listed = listed.send().await.unwrap();
    for (at, one) in listed.versions().iter().enumerate() {
        let class = if at == 0 { "STANDARD" } else { "GLACIER" };
        assert_eq!(one.storage_class().unwrap().as_str(), class);
    }
    assert_eq!(listed.versions().len(), 2);
}

/// An endpoint at [`BEGIN`], and what moves its time, in seconds.
async fn at_a_time(thaw: Thaw) -> (Endpoint, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(BEGIN));
    let folder = tempfile::tempdir().unwrap();
    (
        start_with(folder, options(&now, thaw), &[BUCKET]).await,
        now,
    )
}

fn options(now: &Arc<AtomicU64>, thaw: Thaw) -> Options {
    let now = Arc::clone(now);
    Options {
        thaw,
        clock: Clock::new(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::Relaxed))),
        ..Options::default()
    }
}

async fn put(endpoint: &Endpoint, key: &str, class: StorageClass) {
    let put = endpoint.client.put_object().bucket(BUCKET).key(key);
    let put = put
        .storage_class(class)
        .body(ByteStream::from_static(b"cold"));
    put.send().await.unwrap();
}

/// Asks for the object `k`; returns the status of the answer.
async fn restore(
    endpoint: &Endpoint,
    days: i32,
    tier: Tier,
) -> Result<u16, SdkError<RestoreObjectError, HttpResponse>> {
    let tier = GlacierJobParameters::builder().tier(tier).build().unwrap();
    let request = RestoreRequest::builder().days(days);
    let request = request.glacier_job_parameters(tier).build();
    let restore = endpoint.client.restore_object().bucket(BUCKET).key("k");
    let seen = Arc::new(std::sync::atomic::AtomicU16::new(0));
    let status = SeeStatus(Arc::clone(&seen));
    let restore = restore.restore_request(request).customize();
    restore.interceptor(status).send().await?;
    Ok(seen.load(Ordering::Relaxed))
}

/// The SDK tells the status of errors only.
#[derive(Debug)]
struct SeeStatus(Arc<std::sync::atomic::AtomicU16>);

impl aws_sdk_s3::config::Intercept for SeeStatus {
    fn name(&self) -> &'static str {
        "SeeStatus"
    }

    fn read_after_deserialization(
        &self,
        context: &aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef<'_>,
        _: &aws_sdk_s3::config::RuntimeComponents,
        _: &mut aws_sdk_s3::config::ConfigBag,
    ) -> Result<(), aws_sdk_s3::error::BoxError> {
        let status = context.response().status().as_u16();
        self.0.store(status, Ordering::Relaxed);
        Ok(())
    }
}

async fn restore_header(endpoint: &Endpoint) -> Option<String> {
    let head = endpoint.client.head_object().bucket(BUCKET).key("k");
    head.send().await.unwrap().restore
}

async fn assert_unreadable(endpoint: &Endpoint) {
    let got = endpoint.client.get_object().bucket(BUCKET).key("k").send();
    let got = got.await.unwrap_err();
    assert_eq!(
        (code(&got).as_str(), status(&got)),
        ("InvalidObjectState", 403)
    );
    let copied = copy(endpoint, "k").await.unwrap_err();
    assert_eq!(code(&copied), "InvalidObjectState");
    let upload = endpoint.start_upload("parts").await;
    let part = endpoint
        .client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("parts");
    let part = part.upload_id(&upload).part_number(1);
    let part = part.copy_source(format!("{BUCKET}/k")).send().await;
    assert_eq!(code(&part.unwrap_err()), "InvalidObjectState");
}

async fn copy(
    endpoint: &Endpoint,
    key: &str,
) -> Result<(), SdkError<aws_sdk_s3::operation::copy_object::CopyObjectError, HttpResponse>> {
    let copy = endpoint.client.copy_object().bucket(BUCKET).key("copied");
    copy.copy_source(format!("{BUCKET}/{key}")).send().await?;
    Ok(())
}
