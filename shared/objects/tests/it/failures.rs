//! What a store that is away, busy or unwilling looks like to the run loop.

use muniment_fault_proxy::{Fault, Method, Requests, StatusCode, Times};
use muniment_model::{BucketAddress, Class, Classify, Dependency};
use muniment_objects::{Connections, StorageError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::backend::Signer;
use crate::support::{Bench, Buckets, bucket_name, crc, noise, object_key};

pub(crate) async fn a_storm_of_503_is_waited_out(bench: &Bench) {
    let bytes = noise(1_000, 60);
    let key = object_key("12/a");
    bench.proxy.plan(
        Requests::of(Method::PUT).containing("12/a"),
        Times::Next(2),
        Fault::unavailable(None),
    );
    bench.proxy.plan(
        Requests::of(Method::GET).containing("12/a"),
        Times::Next(2),
        Fault::unavailable(None),
    );

    let staging = &bench.buckets.staging;
    staging
        .put(&key, bytes.clone(), crc(&bytes))
        .await
        .expect("puts");
    let read = staging.get(&key, 1_000).await.expect("reads");

    assert_eq!(read, bytes);
    assert_eq!(bench.proxy.count(&Method::PUT), 3);
    assert_eq!(bench.proxy.count(&Method::GET), 3);
}

pub(crate) async fn a_storm_that_does_not_end_is_an_outage(bench: &Bench) {
    // Told to stop, a request is made but not repeated, so that the test need not wait.
    let stopped = stopped_buckets(bench);
    let rows = [
        (503, "Throttled"),
        (500, "OutOfOrder"),
        (403, "Denied"),
        (301, "Denied"),
        // To HEAD, an expired session is this and nothing more.
        (400, "Denied"),
    ];

    for (status, expected) in rows {
        for method in [Method::GET, Method::HEAD] {
            bench.proxy.plan(
                Requests::of(method).containing("12/a"),
                Times::Next(1),
                Fault::status(StatusCode::from_u16(status).expect("status")),
            );
        }

        let got = stopped.staging.get(&object_key("12/a"), 10).await;
        let head = stopped.staging.head(&object_key("12/a")).await;

        for error in [got.expect_err("fails"), head.expect_err("fails")] {
            assert!(format!("{error:?}").starts_with(expected), "{error:?}");
            assert_eq!(error.class(), staging_away(bench), "{status}");
        }
    }
}

pub(crate) async fn nobody_listening_is_an_outage(bench: &Bench) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let away = bench.buckets_at(&format!("http://{address}"), &stopping());

    let error = away.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(
        matches!(error, StorageError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.class(),
        Class::Outage(Dependency::Endpoint(address.to_string()))
    );
}

pub(crate) async fn a_connection_that_breaks_is_transient(bench: &Bench) {
    let stopped = stopped_buckets(bench);
    bench.proxy.plan(
        Requests::of(Method::HEAD).containing("12/a"),
        Times::Next(1),
        Fault::DropAnswer,
    );

    let error = stopped.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(matches!(error, StorageError::Reset { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Transient { after: None });
}

pub(crate) async fn a_balancer_that_resets_everything_is_an_outage(bench: &Bench) {
    bench
        .proxy
        .plan(Requests::any(), Times::Always, Fault::DropAnswer);

    let error = bench.buckets.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(
        matches!(error, StorageError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.class(),
        Class::Outage(Dependency::Endpoint(endpoint_of(bench)))
    );
}

pub(crate) async fn a_request_that_alone_is_reset_counts_as_an_attempt(bench: &Bench) {
    bench.proxy.plan(
        Requests::any().containing("12/a"),
        Times::Always,
        Fault::DropAnswer,
    );

    let error = bench.buckets.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(matches!(error, StorageError::Reset { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Transient { after: None });
}

pub(crate) async fn refused_credentials_are_an_outage_and_not_asked_again(bench: &Bench) {
    let wrong = Signer {
        secret_key: "wrong".to_owned(),
        ..bench.backend.signer.clone()
    };
    let stranger = bench.buckets_as(&wrong, &bench.proxy.url(), &Connections::default());
    let bytes = noise(10, 61);

    let error = stranger
        .staging
        .put(&object_key("12/a"), bytes.clone(), crc(&bytes))
        .await
        .expect_err("denied");

    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert_eq!(error.class(), staging_away(bench));
    assert_eq!(bench.proxy.count(&Method::PUT), 1);
}

pub(crate) async fn a_missing_bucket_is_not_mistaken_for_a_missing_tar(bench: &Bench) {
    let name = bucket_name(&format!("{}nobody.edu", bench.names.prefix));
    let nowhere = bench.buckets.all_receiving.bucket(name);

    let error = nowhere.head(&object_key("bag.tar")).await;
    let present = bench.buckets.receiving.head(&object_key("bag.tar")).await;

    let error = error.expect_err("no bucket");
    assert!(matches!(error, StorageError::NoBucket { .. }), "{error:?}");
    let present = present.expect_err("no object");
    assert!(
        matches!(present, StorageError::NotFound { .. }),
        "{present:?}"
    );
}

fn endpoint_of(bench: &Bench) -> String {
    bench.proxy.url().trim_start_matches("http://").to_owned()
}

fn staging_away(bench: &Bench) -> Class {
    Class::Outage(Dependency::Bucket(
        BucketAddress {
            endpoint: endpoint_of(bench),
            bucket: bucket_name(&bench.names.staging),
        }
        .into(),
    ))
}

fn stopping() -> Connections {
    let stop = CancellationToken::new();
    stop.cancel();
    Connections::new(stop)
}

fn stopped_buckets(bench: &Bench) -> Buckets {
    bench.buckets_at(&bench.proxy.url(), &stopping())
}
