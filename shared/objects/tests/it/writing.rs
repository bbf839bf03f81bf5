//! Staging and deposit records.

use bytes::Bytes;
use muniment_fault_proxy::{Fault, Method, Requests, Times};
use muniment_model::{KeyPrefix, WorkItemId};
use muniment_objects::StorageError;

use crate::support::{Bench, MIB, crc, delete_all, noise, object_key, read_all};

pub(crate) async fn a_put_sends_the_recorded_checksum_and_no_other(bench: &Bench) {
    let bytes = noise(5_000, 20);
    let key = object_key("12/a");

    let staging = &bench.buckets.staging;
    staging
        .put(&key, bytes.clone(), crc(&bytes))
        .await
        .expect("puts");

    let head = staging.head(&key).await.expect("head");
    assert_eq!(head.size, 5_000);
    assert_eq!(head.crc64nvme, Some(crc(&bytes)));
    let put = &bench.proxy.seen(&Requests::of(Method::PUT))[0];
    let recorded = crc(&bytes).to_base64();
    assert_eq!(
        put.header("x-amz-checksum-crc64nvme"),
        Some(recorded.as_str())
    );
    assert_eq!(put.header("x-amz-checksum-crc32"), None);
    assert_eq!(put.header("x-amz-trailer"), None);
}

pub(crate) async fn bytes_that_differ_from_the_record_are_refused(bench: &Bench) {
    let key = object_key("12/a");
    let recorded = crc(b"what pass one read");

    let staging = &bench.buckets.staging;
    let error = staging
        .put(&key, Bytes::from_static(b"what we have now"), recorded)
        .await
        .expect_err("refused");

    assert!(
        matches!(error, StorageError::DamagedOnTheWay { .. }),
        "{error}"
    );
    let head = staging.head(&key).await.expect_err("nothing there");
    assert!(matches!(head, StorageError::NotFound { .. }), "{head}");
}

pub(crate) async fn a_put_whose_answer_is_lost_is_made_again(bench: &Bench) {
    let bytes = noise(5_000, 21);
    let key = object_key("12/a");
    bench.proxy.plan(
        Requests::of(Method::PUT).containing("12/a"),
        Times::Next(2),
        Fault::DropAnswer,
    );

    let staging = &bench.buckets.staging;
    staging
        .put(&key, bytes.clone(), crc(&bytes))
        .await
        .expect("puts");

    assert_eq!(staging.get(&key, 5_000).await.expect("reads"), bytes);
    assert_eq!(bench.proxy.count(&Method::PUT), 3);
}

pub(crate) async fn what_a_store_without_checksums_was_given_is_read_back(bench: &Bench) {
    let bytes = noise(1_000, 30);
    let key = object_key("12/a");
    for method in [Method::PUT, Method::HEAD] {
        bench.proxy.plan(
            Requests::of(method).containing("12/a"),
            Times::Always,
            Fault::WithoutHeaders("x-amz-checksum-"),
        );
    }
    let reads = Requests::of(Method::GET).containing("12/a");
    let staging = &bench.buckets.staging;

    let put = staging.put(&key, bytes.clone(), crc(&bytes)).await;

    put.expect("puts");
    assert_eq!(bench.proxy.seen(&reads).len(), 1);
    let flipped = Fault::FlipBit(17);
    bench.proxy.plan(reads, Times::Next(1), flipped);
    let error = staging.put(&key, bytes.clone(), crc(&bytes)).await;
    let error = error.expect_err("differs");
    assert!(
        matches!(error, StorageError::DamagedOnTheWay { .. }),
        "{error}"
    );
}

pub(crate) async fn an_object_is_written_whatever_its_length(bench: &Bench) {
    let part = 16 * MIB;
    let rows = [
        ("empty", 0),
        ("one byte", 1),
        ("just below a part", part - 1),
        ("one part", part),
        ("one byte more", part + 1),
        ("several parts", 3 * part + 7),
    ];

    for (name, length) in rows {
        let bytes = noise(length, 22);
        let key = object_key("12/large");
        let mut writer = bench.buckets.staging.writer(&key);
        for piece in bytes.chunks(1_000_003) {
            let piece = bytes.slice_ref(piece);
            writer.write(piece).await.expect("writes");
        }

        let written = writer.finish(Some(crc(&bytes))).await.expect("finishes");

        assert_eq!(written.size, length as u64, "{name}");
        assert_eq!(written.crc64nvme, crc(&bytes), "{name}");
        let head = bench.buckets.staging.head(&key).await.expect("head");
        assert_eq!(head.crc64nvme, Some(crc(&bytes)), "{name}");
        let stream = bench.buckets.staging.read(&key, length as u64);
        assert!(read_all(stream).await.expect("reads") == bytes, "{name}");
    }
}

pub(crate) async fn a_write_that_differs_from_the_record_leaves_nothing_behind(bench: &Bench) {
    let key = object_key("12/large");
    let mut writer = bench.buckets.staging.writer(&key);
    writer.write(noise(17 * MIB, 23)).await.expect("writes");

    let error = writer.finish(Some(crc(b"other"))).await;

    let error = error.expect_err("refused");
    assert!(
        matches!(error, StorageError::DamagedOnTheWay { .. }),
        "{error}"
    );
    let prefix = KeyPrefix::of(WorkItemId(12));
    let staging = &bench.buckets.staging;
    assert_eq!(staging.abort_uploads(&prefix).await.expect("aborts"), 0);
    assert_eq!(delete_all(staging, &prefix).await, 0);
}

pub(crate) async fn a_completion_whose_answer_is_lost_is_recognised(bench: &Bench) {
    let bytes = noise(17 * MIB, 24);
    let key = object_key("12/large");
    bench.proxy.plan(
        Requests::of(Method::POST).containing("uploadId"),
        Times::Next(1),
        Fault::DropAnswer,
    );
    let mut writer = bench.buckets.staging.writer(&key);
    writer.write(bytes.clone()).await.expect("writes");

    writer.finish(Some(crc(&bytes))).await.expect("finishes");

    let head = bench.buckets.staging.head(&key).await.expect("head");
    assert_eq!(head.crc64nvme, Some(crc(&bytes)));
}

pub(crate) async fn uploads_that_a_killed_worker_left_open_are_found_and_aborted(bench: &Bench) {
    for key in ["12/large", "120/large"] {
        let mut writer = bench.buckets.staging.writer(&object_key(key));
        writer.write(noise(17 * MIB, 25)).await.expect("writes");
        drop(writer);
    }

    let mine = KeyPrefix::of(WorkItemId(12));
    let staging = &bench.buckets.staging;
    assert_eq!(staging.abort_uploads(&mine).await.expect("aborts"), 1);
    assert_eq!(staging.abort_uploads(&mine).await.expect("aborts"), 0);
    let other = KeyPrefix::of(WorkItemId(120));
    assert_eq!(staging.abort_uploads(&other).await.expect("aborts"), 1);
}

pub(crate) async fn a_prefix_is_emptied_over_several_pages_and_no_other_is_touched(bench: &Bench) {
    let bytes = Bytes::from_static(b"x");
    let staging = &bench.direct.staging;
    for n in 0..1_001 {
        let key = object_key(&format!("12/{n}"));
        staging
            .put(&key, bytes.clone(), crc(&bytes))
            .await
            .expect("puts");
    }
    bench.stage("120/a", &bytes).await;
    bench.stage("1/a", &bytes).await;

    let prefix = KeyPrefix::of(WorkItemId(12));
    assert_eq!(delete_all(staging, &prefix).await, 1_001);
    assert_eq!(delete_all(staging, &prefix).await, 0);
    for key in ["120/a", "1/a"] {
        staging.head(&object_key(key)).await.expect("still there");
    }
}

pub(crate) async fn first_parts_of_keys_are_listed_once_each_and_from_anywhere_on(bench: &Bench) {
    let bytes = Bytes::from_static(b"x");
    let keys = [
        "1/a",
        "12/a",
        "12/index/0",
        "120/a",
        "2/a",
        "a b+c/d",
        "stray",
    ];
    for key in keys {
        bench.stage(key, &bytes).await;
    }
    let rows: [(&str, &[&str]); 5] = [
        ("", &["1/", "12/", "120/", "2/", "a b+c/"]),
        ("1/", &["12/", "120/", "2/", "a b+c/"]),
        ("12/", &["120/", "2/", "a b+c/"]),
        ("13/", &["2/", "a b+c/"]),
        ("a b+c/", &[]),
    ];

    for (after, expected) in rows {
        let mut listing = bench.buckets.staging.first_parts(after);
        let mut found = Vec::new();
        while let Some(page) = listing.next_page().await.expect("lists") {
            found.extend(page);
        }
        assert_eq!(found, expected, "after {after:?}");
    }
}

pub(crate) async fn depositors_keys_are_listed_as_they_are(bench: &Bench) {
    let mut keys = ["plain.tar", "a b+c%20d.tar", "ü&<>.tar", "folder/x.txt"];
    for key in keys {
        bench.deposit(key, &noise(10, 28)).await;
    }

    let mut listing = bench.buckets.receiving.list();
    let mut listed = Vec::new();
    while let Some(page) = listing.next_page().await.expect("lists") {
        listed.extend(page);
    }

    keys.sort_unstable();
    let found: Vec<_> = listed.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(found, keys);
    let head = bench
        .buckets
        .receiving
        .head(&object_key("plain.tar"))
        .await
        .expect("head");
    let entry = listed.iter().find(|entry| entry.key == "plain.tar");
    let entry = entry.expect("listed");
    assert_eq!(entry.etag, head.etag);
    assert_eq!(entry.size, 10);
    assert!(!entry.etag.contains('"'));
    // What identifies an upload must read the same from both.
    assert_eq!(
        entry.last_modified.timestamp(),
        head.last_modified.timestamp()
    );
}

pub(crate) async fn receiving_buckets_are_found_by_their_prefix(bench: &Bench) {
    let names = bench.buckets.all_receiving.names().await.expect("lists");

    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    assert_eq!(names, bench.names.receiving);
}

pub(crate) async fn a_deposit_record_needs_no_checksum_from_elsewhere(bench: &Bench) {
    let key = object_key("test.edu/bag/12.jsonl.zst");
    let mut writer = bench.buckets.records.writer(&key);
    writer
        .write(Bytes::from_static(b"a record"))
        .await
        .expect("writes");

    let written = writer.finish(None).await.expect("finishes");

    assert_eq!(written.crc64nvme, crc(b"a record"));
    let read = bench.buckets.records.get(&key, 100).await.expect("reads");
    assert_eq!(read, "a record");
    let head = bench.buckets.records.head(&key).await.expect("head");
    assert_eq!(head.crc64nvme, Some(written.crc64nvme));
}

pub(crate) async fn a_request_that_arrives_twice_does_what_it_does_once(bench: &Bench) {
    let bytes = noise(1_000, 29);
    let key = object_key("12/a");
    let tar = bench.deposit("bag.tar", &bytes).await;
    bench
        .proxy
        .plan(Requests::any(), Times::Always, Fault::Double);

    let staging = &bench.buckets.staging;
    let put = staging.put(&key, bytes.clone(), crc(&bytes)).await;
    put.expect("puts");
    let receiving = &bench.buckets.receiving;
    let looked_at = bench.direct.receiving.head(&tar.key).await.expect("head");
    let deleted = receiving.delete(&tar.key, &looked_at, || true).await;

    deleted.expect("deletes, or finds it gone");
    assert_eq!(staging.get(&key, 1_000).await.expect("reads"), bytes);
    let head = bench.direct.receiving.head(&tar.key).await;
    let head = head.expect_err("gone");
    assert!(matches!(head, StorageError::NotFound { .. }), "{head}");
}
