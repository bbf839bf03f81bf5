//! A server that is started anew, gone back in time, or not the primary any more.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use muniment_redis_server::RedisServer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{url, url_of};
use crate::conformance::kit::{QUEUE, batch, planner};
use crate::redis::queue::Claimed;
use crate::redis::{NAME, RedisUrl, RedisWork};
use crate::{Queue, WorkError};

/// What was saved last is there again, the rest is lost; until then it is an outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_a_server_that_was_started_anew_is_used_without_a_restart_of_ours() {
    use muniment_model::{Class, Classify as _, Dependency};
    let mut server = RedisServer::start().await.expect("a server");
    let store = RedisWork::open(&url_of(&server), NAME).await;
    let store = store.expect("opens");
    store.publish(&[planner(1)]).await.expect("published");
    server.save().await.expect("saved");
    store.publish(&[planner(2)]).await.expect("published");

    server.restart().await.expect("starts");

    let claim = timeout(Duration::from_mins(1), async {
        loop {
            match store.claim(QUEUE, Duration::ZERO).await {
                Ok(claim) => return claim,
                Err(error) => {
                    let class = error.class();
                    assert_eq!(class, Class::Outage(Dependency::WorkStore), "{error:?}");
                }
            }
        }
    });
    let claim = claim.await.expect("answers").expect("ready");
    assert_eq!(claim.message, planner(1));
    let lost = store.claim(QUEUE, Duration::ZERO).await;
    assert_eq!(lost.expect("answers"), None);
}

/// Takes connections for the server of a port that may change, as a name does that moves to another server. Those
/// that there are carry nothing any more when `freeze` says so, and stay.
async fn name_of(server: &Arc<AtomicU16>, freeze: &CancellationToken) -> (RedisUrl, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let (server, freeze) = (Arc::clone(server), freeze.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await.expect("accepted");
            let to = server.load(Ordering::SeqCst);
            let (freeze, is_new) = (freeze.clone(), freeze.is_cancelled());
            connections.spawn(async move {
                let mut there = TcpStream::connect(("127.0.0.1", to))
                    .await
                    .expect("connects");
                tokio::select! {
                    // How it ends tells nothing.
                    ended = copy_bidirectional(&mut client, &mut there) => drop(ended),
                    () = freeze.cancelled(), if !is_new => pending().await,
                }
            });
        }
    });
    (url(&format!("redis://127.0.0.1:{port}/")), tasks)
}

/// It goes on answering on the connections that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_a_primary_that_has_become_a_replica_is_left_for_its_successor() {
    let first = RedisServer::start().await.expect("a server");
    let second = RedisServer::start().await.expect("a server");
    let port = Arc::new(AtomicU16::new(first.port()));
    let (at, _tasks) = name_of(&port, &CancellationToken::new()).await;
    let store = RedisWork::open(&at, NAME).await.expect("opens");
    store.publish(&[planner(1)]).await.expect("published");
    let lease = store.claim(QUEUE, Duration::ZERO).await.expect("answers");
    let lease = lease.expect("ready").lease;
    store.renew(&lease).await.expect("held");

    port.store(second.port(), Ordering::SeqCst);
    first
        .become_a_replica_of(second.port())
        .await
        .expect("made");

    let publish = timeout(Duration::from_mins(1), async {
        while let Err(error) = store.publish(&[planner(2)]).await {
            assert!(matches!(error, WorkError::Unusable { .. }), "{error:?}");
        }
    });
    publish.await.expect("published at the successor");
    let renewed = store.renew(&lease).await;
    assert!(
        matches!(renewed, Err(WorkError::LeaseLost { .. })),
        "{renewed:?}"
    );
    let claim = store.claim(QUEUE, Duration::ZERO).await.expect("answers");
    assert_eq!(claim.expect("ready").message, planner(2));
}

/// A replica that takes over may not know the last claims. Numbers that go back would refuse all writes of the
/// claims after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_numbers_of_claims_rise_on_a_server_that_has_gone_back_in_time() {
    let mut server = RedisServer::start().await.expect("a server");
    let at = url_of(&server);
    let open = async || RedisWork::open(&at, NAME).await.expect("opens");
    let store = open().await;
    let batches: Vec<_> = (0..20).map(|number| batch(12, number)).collect();
    store.publish(&batches).await.expect("published");
    server.save().await.expect("saved");
    let claim = async |of: &RedisWork| match of.claim_now(QUEUE).await {
        Ok(Claimed::Some(_, fence)) => fence.parse::<u64>().expect("a number"),
        Ok(Claimed::Nothing(_)) => panic!("nothing is ready"),
        Err(error) => panic!("{error:?}"),
    };
    let mut last = 0;
    for _ in 0..20 {
        last = last.max(claim(&store).await);
    }

    server.restart().await.expect("starts");

    let next = claim(&open().await).await;
    assert!(next > last, "{next} after {last}");
}

/// As with a firewall that has forgotten them: nothing is refused, and nothing arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_connection_that_carries_nothing_any_more_is_left_by_the_next_renewal() {
    let server = RedisServer::start().await.expect("a server");
    let port = Arc::new(AtomicU16::new(server.port()));
    let freeze = CancellationToken::new();
    let (at, _tasks) = name_of(&port, &freeze).await;
    let store = RedisWork::open(&at, NAME).await.expect("opens");
    store.publish(&[planner(1)]).await.expect("published");
    let claim = store.claim(QUEUE, Duration::ZERO).await.expect("answers");
    let lease = claim.expect("ready").lease;
    store.renew(&lease).await.expect("held");

    freeze.cancel();

    let silent = store.renew(&lease).await;
    assert!(matches!(silent, Err(WorkError::Silent)), "{silent:?}");
    store
        .renew(&lease)
        .await
        .expect("held, by a new connection");
    store
        .acknowledge(&lease)
        .await
        .expect("calls have one, too");
}
