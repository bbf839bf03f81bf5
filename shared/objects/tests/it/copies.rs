//! Copies within one store and between two: members out of tars, files into preservation.

use std::collections::HashMap;

use bytes::Bytes;
use muniment_fault_proxy::{Fault, Method, Requests, StatusCode, Times};
use muniment_model::{KeyPrefix, ObjectKey, StorageTarget, VerificationMethod, WorkItemId};
use muniment_objects::{CopyOrder, StorageError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, MIB, crc, delete_all, noise, object_key, read_all};

const BESIDE: StorageTarget = StorageTarget::StandardVa;
const ELSEWHERE: StorageTarget = StorageTarget::WasabiOr;

pub(crate) async fn a_member_is_staged_out_of_the_tar_without_reading_it(bench: &Bench) {
    let bytes = noise(20 * MIB, 40);
    let tar = bench.deposit("bäg &+.tar", &bytes).await;
    let key = object_key("12/member");
    let member = bytes.slice(512..512 + 17 * MIB);
    let staging = &bench.buckets.staging;

    assert!(staging.can_copy_from(&bench.buckets.receiving));
    staging
        .copy_range(&tar, 512..512 + 17 * MIB as u64, &key, crc(&member))
        .await
        .expect("copies");

    assert_eq!(bench.proxy.count(&Method::GET), 0);
    let head = staging.head(&key).await.expect("head");
    assert_eq!(head.crc64nvme, Some(crc(&member)));
    let read = read_all(staging.read(&key, member.len() as u64)).await;
    assert!(read.expect("reads") == member);
}

pub(crate) async fn a_range_that_is_not_what_pass_one_read_leaves_nothing_behind(bench: &Bench) {
    let tar = bench.deposit("bag.tar", &noise(2 * MIB, 41)).await;
    let key = object_key("12/member");
    let staging = &bench.buckets.staging;

    let error = staging
        .copy_range(&tar, 512..MIB as u64, &key, crc(b"other"))
        .await
        .expect_err("refused");

    assert!(
        matches!(error, StorageError::DamagedOnTheWay { .. }),
        "{error}"
    );
    let prefix = KeyPrefix::of(WorkItemId(12));
    assert_eq!(staging.abort_uploads(&prefix).await.expect("aborts"), 0);
    assert_eq!(delete_all(staging, &prefix).await, 0);
}

pub(crate) async fn a_range_copy_that_cannot_be_confirmed_is_streamed(bench: &Bench) {
    bench.proxy.plan(
        Requests::of(Method::POST).containing("12/member"),
        Times::Always,
        Fault::Rename("ChecksumCRC64NVME", "ChecksumUNKNOWN__"),
    );
    bench.proxy.plan(
        Requests::of(Method::HEAD).containing("12/member"),
        Times::Next(1),
        Fault::WithoutHeaders("x-amz-checksum-"),
    );

    stage_out_of_tar_by_reading_it(bench).await;
}

pub(crate) async fn a_range_that_the_store_cannot_copy_is_streamed(bench: &Bench) {
    bench.proxy.plan(
        Requests::of(Method::PUT).containing("partNumber=1"),
        Times::Next(1),
        Fault::status(StatusCode::NOT_IMPLEMENTED),
    );

    stage_out_of_tar_by_reading_it(bench).await;
}

async fn stage_out_of_tar_by_reading_it(bench: &Bench) {
    let bytes = noise(2 * MIB, 60);
    let tar = bench.deposit("bag.tar", &bytes).await;
    let key = object_key("12/member");
    let member = bytes.slice(512..512 + MIB);

    let staging = &bench.buckets.staging;
    let staged = staging
        .copy_range(&tar, 512..512 + MIB as u64, &key, crc(&member))
        .await;

    staged.expect("stages");
    let reads = Requests::of(Method::GET).containing("bag.tar");
    assert_eq!(bench.proxy.seen(&reads).len(), 1);
    let head = bench.direct.staging.head(&key).await.expect("head");
    assert_eq!(head.crc64nvme, Some(crc(&member)));
    let open = bench.backend.open_uploads(&bench.names.staging).await;
    assert!(open.is_empty(), "{open:?}");
}

pub(crate) async fn a_store_without_copies_gets_a_stream(bench: &Bench) {
    let order = order(bench, "a", &noise(1_000, 61)).await;
    bench.proxy.plan(
        Requests::of(Method::PUT).containing("copies-va"),
        Times::Next(1),
        Fault::status(StatusCode::NOT_IMPLEMENTED),
    );
    let preservation = &bench.buckets.preservation;

    let stored = preservation
        .store(BESIDE, &bench.buckets.staging, &order)
        .await;

    assert_eq!(stored.expect("stores"), VerificationMethod::Stored);
    let head = preservation.head(BESIDE, &order.to).await.expect("head");
    assert_eq!(head.crc64nvme, Some(order.crc64nvme));
    assert_eq!(head.metadata, order.metadata);
}

pub(crate) async fn a_tar_replaced_before_the_copy_is_superseded(bench: &Bench) {
    let tar = bench.deposit("bag.tar", &noise(MIB, 42)).await;
    bench.deposit("bag.tar", &noise(MIB, 43)).await;

    let error = bench
        .buckets
        .staging
        .copy_range(&tar, 0..1_000, &object_key("12/member"), crc(b"any"))
        .await
        .expect_err("superseded");

    assert_eq!(
        error.to_string(),
        format!("{}/bag.tar was replaced by another upload", tar.bucket)
    );
}

pub(crate) async fn a_copy_carries_what_the_record_says_and_may_be_ordered_twice(bench: &Bench) {
    let large = noise(17 * MIB, 44);
    let small = noise(1_000, 45);
    let empty = Bytes::new();
    let rows = [
        ("beside, small", BESIDE, &small, VerificationMethod::Carried),
        ("beside, large", BESIDE, &large, VerificationMethod::Carried),
        ("beside, empty", BESIDE, &empty, VerificationMethod::Carried),
        (
            "elsewhere, small",
            ELSEWHERE,
            &small,
            VerificationMethod::Stored,
        ),
        (
            "elsewhere, large",
            ELSEWHERE,
            &large,
            VerificationMethod::Stored,
        ),
        (
            "elsewhere, empty",
            ELSEWHERE,
            &empty,
            VerificationMethod::Stored,
        ),
    ];

    for (name, target, bytes, method) in rows {
        let order = order(bench, name, bytes).await;
        let preservation = &bench.buckets.preservation;
        let staging = &bench.buckets.staging;

        for attempt in ["first", "second"] {
            let stored = preservation.store(target, staging, &order).await;
            assert_eq!(stored.expect("stores"), method, "{name}, {attempt}");
        }

        let head = preservation.head(target, &order.to).await.expect("head");
        assert_eq!(head.size, bytes.len() as u64, "{name}");
        assert_eq!(head.crc64nvme, Some(crc(bytes)), "{name}");
        assert_eq!(head.content_type, "text/x-recorded", "{name}");
        assert_eq!(head.metadata, order.metadata, "{name}");
        let read = preservation.read_back(target, &order.to, order.size).await;
        assert_eq!(read.expect("reads"), crc(bytes), "{name}");
    }
}

pub(crate) async fn a_key_that_something_else_has_is_never_replaced(bench: &Bench) {
    for (name, target) in [("beside", BESIDE), ("elsewhere", ELSEWHERE)] {
        let first = order(bench, name, &noise(1_000, 46)).await;
        let mut second = order(bench, "other", &noise(1_000, 47)).await;
        second.to = first.to.clone();
        let preservation = &bench.buckets.preservation;
        let staging = &bench.buckets.staging;
        let stored = preservation.store(target, staging, &first).await;
        stored.expect("stores");

        let error = preservation.store(target, staging, &second).await;

        let error = error.expect_err("taken");
        assert!(
            matches!(error, StorageError::AlreadyThere { .. }),
            "{name}: {error}"
        );
        let head = preservation.head(target, &first.to).await.expect("head");
        assert_eq!(head.crc64nvme, Some(first.crc64nvme), "{name}");
    }
}

pub(crate) async fn a_copy_whose_answer_is_lost_counts_once(bench: &Bench) {
    let order = order(bench, "a", &noise(1_000, 48)).await;
    bench.proxy.plan(
        Requests::of(Method::PUT).containing("copies-va"),
        Times::Next(1),
        Fault::DropAnswer,
    );

    let stored = bench
        .buckets
        .preservation
        .store(BESIDE, &bench.buckets.staging, &order)
        .await;

    assert_eq!(stored.expect("stores"), VerificationMethod::Carried);
    assert_eq!(
        bench
            .proxy
            .seen(&Requests::of(Method::PUT).containing("/copies-va"))
            .len(),
        2
    );
}

pub(crate) async fn a_copy_that_is_ordered_twice_on_the_way_counts_once(bench: &Bench) {
    let order = order(bench, "a", &noise(1_000, 55)).await;
    let puts = Requests::of(Method::PUT).containing("copies-va");
    bench.proxy.plan(puts, Times::Next(1), Fault::Double);
    let preservation = &bench.buckets.preservation;

    let stored = preservation
        .store(BESIDE, &bench.buckets.staging, &order)
        .await;

    assert_eq!(stored.expect("stores"), VerificationMethod::Carried);
    let head = preservation.head(BESIDE, &order.to).await.expect("head");
    assert_eq!(head.crc64nvme, Some(order.crc64nvme));
}

pub(crate) async fn a_bit_that_flips_on_the_way_back_is_not_what_was_stored(bench: &Bench) {
    let order = order(bench, "a", &noise(1_000, 56)).await;
    let preservation = &bench.buckets.preservation;
    let stored = preservation
        .store(BESIDE, &bench.buckets.staging, &order)
        .await;
    stored.expect("stores");
    let gets = Requests::of(Method::GET).containing("copies-va");
    bench.proxy.plan(gets, Times::Next(1), Fault::FlipBit(999));

    let read = preservation.read_back(BESIDE, &order.to, order.size).await;

    assert_ne!(read.expect("reads"), order.crc64nvme);
}

pub(crate) async fn a_store_without_checksums_is_read_back(bench: &Bench) {
    let bytes = noise(1_000, 51);
    let good = order(bench, "good", &bytes).await;
    let faults = Fault::WithoutHeaders("x-amz-checksum-");
    bench.far_proxy.plan(
        Requests::of(Method::PUT).containing("copies-wasabi"),
        Times::Next(10),
        faults.clone(),
    );
    bench.far_proxy.plan(
        Requests::of(Method::HEAD).containing("copies-wasabi"),
        Times::Next(10),
        faults,
    );
    let preservation = &bench.buckets.preservation;
    let staging = &bench.buckets.staging;

    for attempt in ["first", "second"] {
        let stored = preservation.store(ELSEWHERE, staging, &good).await;
        assert_eq!(
            stored.expect("stores"),
            VerificationMethod::ReadBack,
            "{attempt}"
        );
    }

    let mut other = order(bench, "other", &noise(1_000, 52)).await;
    other.to = good.to.clone();
    let error = preservation.store(ELSEWHERE, staging, &other).await;
    let error = error.expect_err("taken");
    assert!(
        matches!(error, StorageError::AlreadyThere { .. }),
        "{error}"
    );
}

/// Workers run many of these at once, on tasks of their own.
pub(crate) async fn operations_can_run_on_tasks(bench: &Bench) {
    let order = order(bench, "a", &noise(1_000, 53)).await;
    let tar = bench.deposit("bag.tar", &noise(1_000, 54)).await;
    let (preservation, staging) = (
        bench.buckets.preservation.clone(),
        bench.buckets.staging.clone(),
    );
    let receiving = bench.buckets.receiving.clone();
    let mut tasks = JoinSet::new();

    tasks.spawn(async move {
        let stored = preservation.store(BESIDE, &staging, &order).await;
        stored.expect("stores");
        let mut writer = staging.writer(&object_key("12/w"));
        let mut stream = receiving.read(&tar, 0, &CancellationToken::new());
        while let Some(bytes) = stream.next().await.expect("reads") {
            writer.write(bytes).await.expect("writes");
        }
        writer.finish(tar.crc64nvme).await.expect("finishes");
        let prefix = KeyPrefix::of(WorkItemId(12));
        delete_all(&staging, &prefix).await
    });

    let deleted = tasks.join_next().await.expect("a task").expect("ends");
    assert_eq!(deleted, 2);
}

pub(crate) async fn staged_bytes_that_differ_from_the_record_are_never_called_a_copy(
    bench: &Bench,
) {
    let rows = [
        ("beside, small", BESIDE, 1_000),
        ("elsewhere, small", ELSEWHERE, 1_000),
        ("elsewhere, large", ELSEWHERE, 17 * MIB),
    ];

    for (name, target, length) in rows {
        let mut order = order(bench, name, &noise(length, 49)).await;
        order.crc64nvme = crc(b"what pass one read");

        let stored = bench
            .buckets
            .preservation
            .store(target, &bench.buckets.staging, &order)
            .await;

        let error = stored.expect_err("refused");
        assert!(
            matches!(error, StorageError::DamagedOnTheWay { .. }),
            "{name}: {error}"
        );
    }
}

pub(crate) async fn a_staged_file_that_is_lost_is_named_as_such(bench: &Bench) {
    for (name, target) in [("beside", BESIDE), ("elsewhere", ELSEWHERE)] {
        let mut order = order(bench, name, &noise(10, 50)).await;
        order.from = object_key("12/lost");

        let stored = bench
            .buckets
            .preservation
            .store(target, &bench.buckets.staging, &order)
            .await;

        let error = stored.expect_err("lost");
        let expected = format!("{} has no object 12/lost", bench.names.staging);
        assert_eq!(error.to_string(), expected, "{name}");
    }
}

/// At once, from the store and by us. To copy in parts takes more bytes than a test has; the parts are
/// copied as those out of a tar are.
pub(crate) async fn a_staged_file_that_was_replaced_is_not_copied(bench: &Bench) {
    let rows = [
        ("beside, empty", BESIDE, 0),
        ("beside, small", BESIDE, 1_000),
        ("beside, large", BESIDE, 17 * MIB),
        ("elsewhere, small", ELSEWHERE, 1_000),
        ("elsewhere, large", ELSEWHERE, 17 * MIB),
    ];

    for (name, target, length) in rows {
        let mut order = order(bench, name, &noise(length, 62)).await;
        let (preservation, staging) = (&bench.buckets.preservation, &bench.buckets.staging);
        let staged = staging.head(&order.from).await.expect("head");
        order.etag = Some(staged.etag);
        let kept = ObjectKey::new(format!("{name}, kept")).expect("key");
        let right = CopyOrder {
            to: kept,
            ..order.clone()
        };
        let copied = preservation.store(target, staging, &right).await;
        copied.expect("what is staged is as recorded");
        bench
            .stage(&format!("12/{name}"), &noise(length + 1, 63))
            .await;

        let stored = preservation.store(target, staging, &order).await;

        let error = stored.expect_err("replaced");
        assert!(
            matches!(error, StorageError::Superseded(_)),
            "{name}: {error}"
        );
        let head = preservation.head(target, &order.to).await;
        assert!(
            matches!(head, Err(StorageError::NotFound(_))),
            "{name}: {head:?}"
        );
    }
}

/// Of a PUT, of a completion whose answer was lost, and of a range that the store copies.
pub(crate) async fn what_is_staged_says_its_etag_without_another_request(bench: &Bench) {
    let bytes = noise(17 * MIB, 64);
    let staging = &bench.buckets.staging;
    let few = bytes.slice(..1_000);
    let small = object_key("12/small");
    let small = staging.put(&small, few.clone(), crc(&few)).await;
    let small = small.expect("puts");
    let tar = bench.deposit("bag.tar", &bytes).await;
    let whole = 0..bytes.len() as u64;
    let copied = object_key("12/copied");
    let copied = staging
        .copy_range(&tar, whole, &copied, crc(&bytes))
        .await
        .expect("copies");
    let written = write_staged(bench, "12/written", &bytes).await;
    assert_eq!(bench.proxy.count(&Method::HEAD), 0);
    bench.proxy.plan(
        Requests::of(Method::POST).containing("uploadId"),
        Times::Next(1),
        Fault::DropAnswer,
    );
    let lost = write_staged(bench, "12/lost", &bytes).await;

    let rows = [
        ("12/small", small),
        ("12/copied", copied),
        ("12/written", written),
        ("12/lost", lost),
    ];
    for (key, etag) in rows {
        let head = bench.direct.staging.head(&object_key(key)).await;
        assert_eq!(etag, Some(head.expect("head").etag), "{key}");
    }
}

/// In parts. Returns the etag.
async fn write_staged(bench: &Bench, key: &str, bytes: &Bytes) -> Option<String> {
    let mut writer = bench.buckets.staging.writer(&object_key(key));
    writer.write(bytes.clone()).await.expect("writes");
    writer
        .finish(Some(crc(bytes)))
        .await
        .expect("finishes")
        .etag
}

pub(crate) async fn a_target_without_a_bucket_is_an_error_and_no_panic(bench: &Bench) {
    let target = StorageTarget::GlacierDeepOh;
    let key = object_key("k");

    let preservation = &bench.buckets.preservation;
    assert!(preservation.url(target, &key).is_err());
    assert!(preservation.head(target, &key).await.is_err());
    assert_eq!(
        preservation.url(ELSEWHERE, &key).expect("configured"),
        format!(
            "https://s3.us-west-1.wasabisys.com/{}/k",
            bench.names.wasabi
        )
    );
}

/// Stages `bytes` and orders their copy.
async fn order(bench: &Bench, name: &str, bytes: &Bytes) -> CopyOrder {
    let from = bench.stage(&format!("12/{name}"), bytes).await;
    let path = ("bagpath-encoded".to_owned(), "data%2F%C3%BC+x".to_owned());
    let bag = ("bag".to_owned(), "test.edu/a bag, with: marks".to_owned());
    CopyOrder {
        from,
        etag: None,
        to: ObjectKey::new(name).expect("key"),
        size: bytes.len() as u64,
        crc64nvme: crc(bytes),
        content_type: "text/x-recorded".to_owned(),
        metadata: HashMap::from([path, bag]),
    }
}
