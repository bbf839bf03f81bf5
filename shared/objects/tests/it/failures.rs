//! What a store that is away, busy or unwilling looks like to the run loop.

use muniment_model::{BucketName, Class, Classify};
use muniment_objects::{Connections, StorageError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::proxy::Fault;
use crate::support::{Bench, buckets, buckets_as, crc, noise, object_key};

#[tokio::test]
async fn a_storm_of_503_is_waited_out() {
    let bench = Bench::new().await;
    let bytes = noise(1_000, 60);
    let key = object_key("12/a");
    bench.proxy.plan(("PUT", "12/a"), Fault::Status(503), 2);
    bench.proxy.plan(("GET", "12/a"), Fault::Status(503), 2);

    let staging = &bench.buckets.staging;
    staging
        .put(&key, bytes.clone(), crc(&bytes))
        .await
        .expect("puts");
    let read = staging.get(&key, 1_000).await.expect("reads");

    assert_eq!(read, bytes);
    assert_eq!(bench.proxy.seen("PUT").len(), 3);
    assert_eq!(bench.proxy.seen("GET").len(), 3);
}

#[tokio::test]
async fn a_storm_that_does_not_end_is_an_outage() {
    let bench = Bench::new().await;
    // Told to stop, a request is made but not repeated, so that the test need not wait.
    let stopped = stopped_buckets(&bench);
    let rows = [
        (503, "Throttled"),
        (500, "OutOfOrder"),
        (403, "Denied"),
        (301, "Denied"),
    ];

    for (status, expected) in rows {
        bench.proxy.plan(("GET", "12/a"), Fault::Status(status), 1);

        let error = stopped.staging.get(&object_key("12/a"), 10).await;

        let error = error.expect_err("fails");
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert_eq!(error.class(), Class::Outage, "{status}");
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let url = format!("http://{address}").parse().expect("url");
    let away = buckets(&url, &url, &stopping());

    let error = away.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(
        matches!(error, StorageError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Outage);
    drop(bench);
}

#[tokio::test]
async fn a_connection_that_breaks_is_transient() {
    let bench = Bench::new().await;
    let stopped = stopped_buckets(&bench);
    bench.proxy.plan(("HEAD", "12/a"), Fault::LoseAnswer, 1);

    let error = stopped.staging.head(&object_key("12/a")).await;

    let error = error.expect_err("fails");
    assert!(
        matches!(error, StorageError::Interrupted { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient { after: None });
}

#[tokio::test]
async fn refused_credentials_are_an_outage_and_not_asked_again() {
    let bench = Bench::new().await;
    let url = &bench.proxy.url;
    let stranger = buckets_as(url, url, &Connections::default(), "wrong");
    let bytes = noise(10, 61);

    let error = stranger
        .staging
        .put(&object_key("12/a"), bytes.clone(), crc(&bytes))
        .await
        .expect_err("denied");

    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Outage);
    assert_eq!(bench.proxy.seen("PUT").len(), 1);
}

#[tokio::test]
async fn a_missing_bucket_is_not_mistaken_for_a_missing_tar() {
    let bench = Bench::new().await;
    let name = BucketName::new("aptrust.receiving.nobody.edu").expect("name");
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

fn stopping() -> Connections {
    let stop = CancellationToken::new();
    stop.cancel();
    Connections::new(stop)
}

fn stopped_buckets(bench: &Bench) -> crate::support::Buckets {
    buckets(&bench.proxy.url, &bench.proxy.url, &stopping())
}
