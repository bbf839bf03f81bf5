//! Tars and staged objects as streams, on a good day and on bad ones.

use muniment_fault_proxy::{Fault, Method, Requests, StatusCode, Times};
use muniment_objects::{RANGE_BYTES, StorageError};
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, MIB, noise, object_key, read_all};

pub(crate) async fn a_tar_is_read_in_order_from_any_offset_to_its_end(bench: &Bench) {
    let bytes = noise(20 * MIB + 3, 1);
    let tar = bench.deposit("bag.tar", &bytes).await;
    let range = usize::try_from(RANGE_BYTES).expect("fits");
    let offsets = [0, 1, range - 1, range, bytes.len() - 1, bytes.len()];

    for offset in offsets {
        let stop = CancellationToken::new();
        let stream = bench.buckets.receiving.read(&tar, offset as u64, &stop);

        let read = read_all(stream).await.expect("reads");

        assert!(read == bytes[offset..], "from {offset}");
    }
}

pub(crate) async fn an_object_of_a_whole_number_of_ranges_ends_with_the_last(bench: &Bench) {
    let bytes = noise(16 * MIB, 2);
    let tar = bench.deposit("bag.tar", &bytes).await;

    let stream = bench
        .buckets
        .receiving
        .read(&tar, 0, &CancellationToken::new());

    assert!(read_all(stream).await.expect("reads") == bytes);
    assert_eq!(bench.proxy.count(&Method::GET), 2);
}

pub(crate) async fn a_range_of_an_object_ends_where_it_ends(bench: &Bench) {
    let bytes = noise(18 * MIB, 13);
    let tar = bench.deposit("bag.tar", &bytes).await;
    let key = bench.stage("12/a", &bytes).await;
    let ranges = [0..1, 512..9 * MIB, 17 * MIB..18 * MIB, 5..5];

    for range in ranges {
        let expected = &bytes[range.clone()];
        let wanted = range.start as u64..range.end as u64;
        let stop = CancellationToken::new();
        let received = bench
            .buckets
            .receiving
            .read_range(&tar, wanted.clone(), &stop);
        let staged = bench.buckets.staging.read_range(&key, tar.size, wanted);

        assert!(
            read_all(received).await.expect("reads") == expected,
            "{range:?}"
        );
        assert!(
            read_all(staged).await.expect("reads") == expected,
            "{range:?}"
        );
    }
}

pub(crate) async fn an_empty_object_is_read_without_a_request(bench: &Bench) {
    let stream = bench.buckets.staging.read(&object_key("12/empty"), 0);

    assert!(read_all(stream).await.expect("reads").is_empty());
    assert_eq!(bench.proxy.count(&Method::GET), 0);
}

pub(crate) async fn a_body_that_breaks_off_is_resumed_at_that_byte(bench: &Bench) {
    let bytes = noise(3 * MIB + 5, 3);
    let tar = bench.deposit("bag.tar", &bytes).await;
    let rows = [
        ("cut off", Fault::TruncateAfter(1_000_000)),
        ("shorter length", Fault::Shorten(1_000_000)),
        ("cut off at a tar block", Fault::TruncateAfter(512)),
        ("cut off before the first byte", Fault::TruncateAfter(0)),
        ("reset", Fault::ResetAfter(1_000_000)),
    ];

    for (name, fault) in rows {
        bench.proxy.plan(
            Requests::of(Method::GET).containing("bag.tar"),
            Times::Next(2),
            fault,
        );
        let stream = bench
            .buckets
            .receiving
            .read(&tar, 0, &CancellationToken::new());

        let read = read_all(stream).await.expect("reads");

        assert!(read == bytes, "{name}");
    }
    let seen = bench.proxy.seen(&Requests::of(Method::GET));
    let resumed = |start: &str| {
        seen.iter().any(|request| {
            let range = request.header("range").unwrap_or_default();
            range.starts_with(&format!("bytes={start}-"))
        })
    };
    assert!(resumed("1000000") && resumed("2000000") && resumed("1024"));
    assert!(seen.iter().all(|get| get.header("if-match").is_some()));
}

pub(crate) async fn a_replaced_tar_is_superseded_and_never_mixed(bench: &Bench) {
    let tar = bench.deposit("bag.tar", &noise(MIB, 4)).await;
    bench.deposit("bag.tar", &noise(MIB, 5)).await;

    let stream = bench
        .buckets
        .receiving
        .read(&tar, 0, &CancellationToken::new());

    let error = read_all(stream).await.expect_err("superseded");
    assert!(matches!(error, StorageError::Superseded { .. }), "{error}");
}

pub(crate) async fn a_staged_object_replaced_between_two_ranges_is_superseded(bench: &Bench) {
    // More ranges than are asked for ahead.
    let old = noise(33 * MIB, 6);
    let key = bench.stage("12/a", &old).await;
    let mut stream = bench.buckets.staging.read(&key, old.len() as u64);
    stream.next().await.expect("reads").expect("bytes");
    bench.stage("12/a", &noise(33 * MIB, 7)).await;

    let error = read_all(stream).await.expect_err("superseded");

    assert!(matches!(error, StorageError::Superseded { .. }), "{error}");
}

pub(crate) async fn a_tar_that_is_gone_is_not_found(bench: &Bench) {
    let tar = bench.deposit("bag.tar", &noise(10, 8)).await;
    let receiving = &bench.direct.receiving;
    let looked_at = receiving.head(&tar.key).await.expect("head");
    let deleted = receiving.delete(&tar.key, &looked_at, || true).await;
    deleted.expect("deletes");

    let stream = bench
        .buckets
        .receiving
        .read(&tar, 0, &CancellationToken::new());

    let error = read_all(stream).await.expect_err("gone");
    assert!(matches!(error, StorageError::NotFound { .. }), "{error}");
}

pub(crate) async fn a_staged_object_of_another_size_is_refused(bench: &Bench) {
    let key = bench.stage("12/a", &noise(1_000, 9)).await;

    for size in [999, 1_001] {
        let error = read_all(bench.buckets.staging.read(&key, size))
            .await
            .expect_err("wrong size");

        assert!(
            matches!(error, StorageError::WrongSize { found: 1_000, .. }),
            "{error}"
        );
    }
}

pub(crate) async fn a_stop_ends_the_stream_and_leaves_its_position(bench: &Bench) {
    let bytes = noise(10 * MIB, 10);
    let tar = bench.deposit("bag.tar", &bytes).await;
    let stop = CancellationToken::new();
    let mut stream = bench.buckets.receiving.read(&tar, 7, &stop);
    stop.cancel();

    let error = stream.next().await.expect_err("stops");

    assert!(matches!(error, StorageError::Stopped), "{error}");
    assert_eq!(stream.position(), 7);
}

pub(crate) async fn after_an_error_a_stream_goes_on_where_its_reader_was(bench: &Bench) {
    let bytes = noise(MIB, 11);
    let tar = bench.deposit("bag.tar", &bytes).await;
    bench.proxy.plan(
        Requests::of(Method::GET).containing("bag.tar"),
        Times::Next(1),
        Fault::status(StatusCode::FORBIDDEN),
    );
    let mut stream = bench
        .buckets
        .receiving
        .read(&tar, 0, &CancellationToken::new());

    let error = stream.next().await.expect_err("denied");
    let read = read_all(stream).await.expect("reads");

    assert!(matches!(error, StorageError::Denied { .. }), "{error}");
    assert!(read == bytes);
}

pub(crate) async fn a_small_object_is_got_whole_or_not_at_all(bench: &Bench) {
    let bytes = noise(1_000, 12);
    let key = bench.stage("12/index/0", &bytes).await;
    bench.proxy.plan(
        Requests::of(Method::GET).containing("index"),
        Times::Next(1),
        Fault::TruncateAfter(500),
    );

    let read = bench.buckets.staging.get(&key, 1_000).await.expect("reads");
    let error = bench.buckets.staging.get(&key, 999).await;

    assert_eq!(read, bytes);
    let error = error.expect_err("too large");
    assert!(matches!(error, StorageError::TooLarge { .. }), "{error}");
}

pub(crate) async fn a_bit_that_flips_on_the_way_is_noticed_and_read_again(bench: &Bench) {
    let bytes = noise(1_000, 14);
    let key = bench.stage("12/index/0", &bytes).await;
    let gets = Requests::of(Method::GET).containing("index");
    bench.proxy.plan(gets, Times::Next(1), Fault::FlipBit(17));

    let read = bench.buckets.staging.get(&key, 1_000).await;

    assert_eq!(read.expect("reads"), bytes);
    assert_eq!(bench.proxy.count(&Method::GET), 2);
}
