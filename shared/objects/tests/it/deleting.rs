//! Deletes: of the upload that was looked at and no other, and only while its caller may.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use muniment_fault_proxy::{Fault, Method, Requests, StatusCode, Times};
use muniment_model::{KeyPrefix, Tar, WorkItemId};
use muniment_objects::{Deletion, Head, StorageError};
use tokio::time::interval;

use crate::support::{Bench, crc, noise, object_key};

/// How often a test looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn only_the_upload_that_was_ingested_is_deleted(bench: &Bench) {
    let (old, old_head) = deposited(bench, &noise(100, 26)).await;
    let (new, new_head) = deposited(bench, &noise(100, 27)).await;
    let receiving = &bench.buckets.receiving;

    let error = receiving.delete(&old.key, &old_head, || true).await;
    let error = error.expect_err("superseded");
    assert!(matches!(error, StorageError::Superseded { .. }), "{error}");
    let deleted = receiving.delete(&new.key, &new_head, || true).await;
    assert_eq!(deleted.expect("deletes"), Deletion::Deleted);
    let again = receiving.delete(&new.key, &new_head, || true).await;
    assert_eq!(again.expect("is gone"), Deletion::Gone);
}

pub(crate) async fn the_same_bytes_put_again_survive_a_delete_whose_answer_was_lost(bench: &Bench) {
    let bytes = noise(100, 70);
    let (tar, looked_at) = deposited(bench, &bytes).await;
    let attempts = Requests::of(Method::DELETE).containing("bag.tar");
    let looks = Requests::of(Method::HEAD).containing("bag.tar");
    bench
        .proxy
        .plan(attempts.clone(), Times::Next(1), Fault::DropAnswer);
    // The first look is before the first try; the second is held until the bytes are there again.
    bench.proxy.plan(
        looks.clone(),
        Times::Next(1),
        Fault::WithHeader("x-look", "1"),
    );
    bench.proxy.plan(looks.clone(), Times::Always, Fault::Hold);
    let receiving = &bench.buckets.receiving;

    let put_again = async {
        let mut ticks = interval(LOOK_EVERY);
        while bench.proxy.seen(&looks).len() < 2 {
            ticks.tick().await;
        }
        let newer = put_in_another_second(bench, &bytes, &looked_at).await;
        bench.proxy.heal();
        newer
    };
    let deleting = receiving.delete(&tar.key, &looked_at, || true);
    let (deleted, newer) = tokio::join!(deleting, put_again);

    assert_eq!(newer.etag, looked_at.etag, "the same bytes");
    let error = deleted.expect_err("superseded");
    assert!(matches!(error, StorageError::Superseded { .. }), "{error}");
    assert_eq!(bench.proxy.seen(&attempts).len(), 1);
    let kept = bench.direct.receiving.head(&tar.key).await;
    assert_eq!(kept.expect("is there"), newer);
}

pub(crate) async fn a_delete_whose_answer_was_lost_finds_the_upload_gone(bench: &Bench) {
    let (tar, looked_at) = deposited(bench, &noise(100, 71)).await;
    let attempts = Requests::of(Method::DELETE).containing("bag.tar");
    bench
        .proxy
        .plan(attempts.clone(), Times::Next(1), Fault::DropAnswer);

    let receiving = &bench.buckets.receiving;
    let deleted = receiving.delete(&tar.key, &looked_at, || true).await;

    assert_eq!(deleted.expect("is gone"), Deletion::Gone);
    assert_eq!(bench.proxy.seen(&attempts).len(), 1);
}

/// The proxy plays the bucket that keeps versions.
pub(crate) async fn a_bucket_with_versions_is_told_which_one_to_delete(bench: &Bench) {
    let (tar, _) = deposited(bench, &noise(100, 72)).await;
    let attempts = Requests::of(Method::DELETE).containing("bag.tar");
    bench.proxy.plan(
        Requests::of(Method::HEAD).containing("bag.tar"),
        Times::Always,
        Fault::WithHeader("x-amz-version-id", "v1"),
    );
    bench.proxy.plan(
        attempts.clone(),
        Times::Next(1),
        Fault::status(StatusCode::BAD_GATEWAY),
    );
    bench.proxy.plan(
        attempts.clone(),
        Times::Always,
        Fault::status(StatusCode::NO_CONTENT),
    );
    let receiving = &bench.buckets.receiving;
    let looked_at = receiving.head(&tar.key).await.expect("head");

    let deleted = receiving.delete(&tar.key, &looked_at, || true).await;

    assert_eq!(deleted.expect("deletes"), Deletion::Deleted);
    let seen = bench.proxy.seen(&attempts);
    assert_eq!(seen.len(), 2);
    for delete in seen {
        assert!(delete.target.contains("versionId=v1"), "{}", delete.target);
    }
}

/// "null" is the version of an object in a bucket that has stopped to keep versions, and each upload
/// has it.
pub(crate) async fn a_version_that_names_nothing_is_none(bench: &Bench) {
    let (tar, _) = deposited(bench, &noise(100, 73)).await;
    bench.proxy.plan(
        Requests::of(Method::HEAD).containing("bag.tar"),
        Times::Next(1),
        Fault::WithHeader("x-amz-version-id", "null"),
    );

    let head = bench.buckets.receiving.head(&tar.key).await.expect("head");

    assert_eq!(head.version_id, None);
}

pub(crate) async fn each_try_of_a_delete_is_allowed_anew(bench: &Bench) {
    let bytes = noise(100, 74);
    let (tar, looked_at) = deposited(bench, &bytes).await;
    bench.stage("12/a", &bytes).await;
    let answers = [Method::DELETE, Method::POST].map(Requests::of);
    for requests in &answers {
        let fault = Fault::unavailable(None);
        bench.proxy.plan(requests.clone(), Times::Always, fault);
    }
    let staging = &bench.buckets.staging;
    let mut listing = staging.list(&KeyPrefix::of(WorkItemId(12)));
    let page = listing.next_page().await.expect("lists").expect("a page");

    for requests in &answers {
        let asked = AtomicUsize::new(0);
        let only_once = || asked.fetch_add(1, Ordering::Relaxed) == 0;
        let before = bench.proxy.seen(requests).len();

        let deleted = if *requests == answers[0] {
            let receiving = &bench.buckets.receiving;
            receiving.delete(&tar.key, &looked_at, only_once).await
        } else {
            staging.delete(&page, only_once).await
        };

        assert_eq!(deleted.expect("ends"), Deletion::Forbidden);
        assert_eq!(bench.proxy.seen(requests).len() - before, 1);
    }
    let tar = bench.direct.receiving.head(&tar.key).await;
    assert_eq!(tar.expect("is there").crc64nvme, Some(crc(&bytes)));
    let staged = bench.direct.staging.head(&object_key("12/a")).await;
    staged.expect("is there");
}

async fn deposited(bench: &Bench, bytes: &Bytes) -> (Tar, Head) {
    let tar = bench.deposit("bag.tar", bytes).await;
    let head = bench.direct.receiving.head(&tar.key).await;
    (tar, head.expect("head"))
}

/// Puts the bytes until their date differs, which says whole seconds. A depositor who comes back
/// within the second of the first upload has not waited for its ingest.
async fn put_in_another_second(bench: &Bench, bytes: &Bytes, than: &Head) -> Head {
    let mut ticks = interval(LOOK_EVERY);
    loop {
        let (_, head) = deposited(bench, bytes).await;
        if head.last_modified.timestamp() != than.last_modified.timestamp() {
            return head;
        }
        ticks.tick().await;
    }
}
