//! What is asked of a store before an installation begins on it.

use std::time::Duration;

use bytes::Bytes;
use muniment_fault_proxy::{Fault, Method, Requests, StatusCode, Times};
use muniment_objects::{Abilities, Connections, Denial, Endpoint, StorageError, Store};
use tokio::time::Instant;

use crate::backend::Signer;
use crate::support::{Bench, bucket_name, noise, object_key};

pub(crate) async fn a_bucket_is_made_once_and_found(bench: &Bench) {
    let store = store(&bench.proxy.url(), &bench.backend.signer);
    let name = bucket_name(&format!("{}made", bench.names.prefix));

    for _time in 0..2 {
        store.make_bucket(&name).await.expect("is made");
    }

    assert!(store.buckets().await.expect("lists").contains(&name));
    assert!(store.first_keys(&name, "").await.expect("lists").is_empty());
    bench.deposit("bag.tar", &noise(10, 90)).await;
    let [_, received] = &bench.names.receiving;
    let received = bucket_name(received);
    let keys = store.first_keys(&received, "").await.expect("lists");
    assert_eq!(keys, ["bag.tar"]);
    let elsewhere = store.first_keys(&received, "bags/").await;
    assert!(elsewhere.expect("lists").is_empty());
    bench.backend.remove_bucket(name.as_str()).await;
}

pub(crate) async fn an_object_is_created_once_also_when_the_answer_is_lost(bench: &Bench) {
    let store = store(&bench.proxy.url(), &bench.backend.signer);
    let (bucket, key) = (bucket_name(&bench.names.records), object_key("whose/it-is"));
    assert_eq!(store.get(&bucket, &key, 100).await.expect("asks"), None);
    let puts = Requests::of(Method::PUT).containing("whose");
    bench.proxy.plan(puts, Times::Next(1), Fault::DropAnswer);

    let first = store.create(&bucket, &key, "first".into()).await;
    let second = store.create(&bucket, &key, "second".into()).await;

    for made in [first, second] {
        assert!(
            matches!(made, Err(StorageError::AlreadyThere(_))),
            "{made:?}"
        );
    }
    let kept = store.get(&bucket, &key, 100).await.expect("reads");
    assert_eq!(kept, Some(Bytes::from_static(b"first")));
}

pub(crate) async fn a_store_that_keeps_conditions_is_known_as_one_and_keeps_nothing_of_the_trial(
    bench: &Bench,
) {
    let store = store(&bench.proxy.url(), &bench.backend.signer);
    let (bucket, key) = (bucket_name(&bench.names.records), object_key("trial"));

    let abilities = store.abilities(&bucket, &key).await.expect("tries");

    let expected = Abilities {
        conditional_writes: true,
        conditional_deletes: true,
    };
    assert_eq!(abilities, expected);
    assert!(
        store
            .first_keys(&bucket, "")
            .await
            .expect("lists")
            .is_empty()
    );
}

pub(crate) async fn a_store_that_ignores_conditions_is_known_as_one(bench: &Bench) {
    let store = store(&bench.proxy.url(), &bench.backend.signer);
    let (bucket, key) = (bucket_name(&bench.names.records), object_key("trial"));
    let puts = Requests::of(Method::PUT).containing("trial");
    let (first, at_once) = (Times::Next(1), Fault::Delay(Duration::ZERO));
    bench.proxy.plan(puts.clone(), first, at_once);
    // The second one, and the first delete.
    for requests in [puts, Requests::of(Method::DELETE).containing("trial")] {
        let taken = Fault::status(StatusCode::OK);
        bench.proxy.plan(requests, Times::Next(1), taken);
    }

    let abilities = store.abilities(&bucket, &key).await.expect("tries");

    let expected = Abilities {
        conditional_writes: false,
        conditional_deletes: false,
    };
    assert_eq!(abilities, expected);
    assert!(
        store
            .first_keys(&bucket, "")
            .await
            .expect("lists")
            .is_empty()
    );
}

pub(crate) async fn keys_of_nobody_are_told_from_a_store_that_is_away(bench: &Bench) {
    let wrong = [
        Signer {
            access_key: "nobody".to_owned(),
            ..bench.backend.signer.clone()
        },
        Signer {
            secret_key: "wrong".to_owned(),
            ..bench.backend.signer.clone()
        },
    ];

    for signer in wrong {
        let asked = store(&bench.backend.url, &signer).buckets().await;
        let denial = asked.expect_err("refused").denial();
        assert_eq!(denial, Some(Denial::Keys), "{signer:?}");
    }
    bench.proxy.plan(
        Requests::any(),
        Times::Always,
        Fault::status(StatusCode::SERVICE_UNAVAILABLE),
    );
    let began = Instant::now();
    let away = store(&bench.proxy.url(), &bench.backend.signer);
    let away = away.buckets().await.expect_err("away");
    assert!(matches!(away, StorageError::Throttled { .. }), "{away}");
    assert!(began.elapsed() < Duration::from_secs(10), "soon enough");
}

fn store(url: &str, signer: &Signer) -> Store {
    let endpoint = Endpoint {
        url: Some(url.parse().expect("url")),
        region: signer.region.clone(),
        access_key: signer.access_key.as_str().into(),
        secret_key: signer.secret_key.as_str().into(),
    };
    Store::new(&Connections::default(), &endpoint)
}
