//! The suite on a real server, and what only Redis has.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, Clock as _, QueueName, WorkItemId};
use muniment_redis_server::RedisServer;
use muniment_testkit::MockClock;
use redis::{Script, cmd};

use super::queue::Claimed;
use super::*;
use crate::conformance::conformance;
use crate::conformance::kit::{Backend, QUEUE, batch, files, object, planner};
use crate::decide::{Command, Reply, model};
use crate::{FileWrite, Progress, Records, WorkView};

mod failover;

struct OnRedis {
    server: Arc<RedisServer>,
    url: RedisUrl,
    clock: Arc<MockClock>,
    store: RedisWork,
}

impl OnRedis {
    async fn on(server: Arc<RedisServer>, clock: Arc<MockClock>) -> Self {
        let url = url_of(&server);
        let store = opened(&url, &clock).await;
        Self {
            server,
            url,
            clock,
            store,
        }
    }

    /// Nobody knows of all holders on many machines that they are dead, so only tests have it.
    async fn revoke(&self, queue: QueueName) -> u64 {
        let script = concat!(
            include_str!("lua/queue.lua"),
            include_str!("tests/revoke.lua")
        );
        let mut scripts = self.store.scripts();
        let script = Script::new(script);
        let mut call = script.key(scripts.tag);
        call.arg(queue.as_str()).arg(&scripts.now);
        let revoked = call.invoke_async(&mut scripts.connection).await;
        revoked.expect("revoked")
    }

    fn raw(&self) -> redis::aio::ConnectionManager {
        self.store.store.connections.calls()
    }
}

fn url(text: &str) -> RedisUrl {
    RedisUrl::parse(text).expect("an address")
}

fn url_of(server: &RedisServer) -> RedisUrl {
    url(&server.url())
}

async fn opened(url: &RedisUrl, clock: &Arc<MockClock>) -> RedisWork {
    let opened = RedisWork::open_at(url, NAME, Some(Arc::clone(clock) as _)).await;
    opened.expect("opens")
}

#[async_trait]
impl Backend for OnRedis {
    type Store = RedisWork;

    async fn fresh() -> Self {
        let server = RedisServer::start().await.expect("a server");
        Self::on(Arc::new(server), Arc::new(MockClock::at(model::start()))).await
    }

    fn store(&self) -> &RedisWork {
        &self.store
    }

    async fn another(&self) -> RedisWork {
        opened(&self.url, &self.clock).await
    }

    async fn look(&self) -> Box<dyn WorkView> {
        Box::new(RedisView::of(self.another().await))
    }

    async fn reopened(self) -> Self {
        Self::on(self.server, self.clock).await
    }

    fn set_time(&self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    fn time(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn revoke_all_leases(&self) -> u64 {
        let mut count = 0;
        for queue in QueueName::ALL {
            count += self.revoke(*queue).await;
        }
        count
    }

    async fn run(&self, command: Command) -> Reply {
        let mut scripts = self.store.scripts();
        let (lease, act) = match command {
            Command::Publish(message) => {
                scripts.publish(&[message]).await.expect("published");
                return Reply::Done;
            }
            Command::Claim(token) => {
                return match scripts.claim(QUEUE, token).await.expect("answers") {
                    Claimed::Some(claim, _fence) => Reply::Claimed(claim),
                    Claimed::Nothing(_) => Reply::NothingReady,
                };
            }
            Command::Revoke => {
                return Reply::Revoked(self.revoke(QUEUE).await);
            }
            Command::Renew(lease) => (lease, Act::Renew),
            Command::RunAlone(lease) => (lease, Act::RunAlone),
            Command::Progress(lease) => (lease, Act::Progress),
            Command::Acknowledge(lease) => (lease, Act::Acknowledge),
            Command::Release(lease, release) => (lease, Act::Release(release)),
        };
        match scripts.held(&lease, act).await.expect("answers") {
            Some(_) => Reply::Done,
            None => Reply::LeaseLost,
        }
    }
}

conformance! { OnRedis }

/// Between two calls of a holder that is held up, its lease runs out, and another claims the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_write_does_not_follow_the_claim_of_another() {
    let kit = OnRedis::fresh().await;
    kit.publish(&batch(12, 0)).await;
    let late = kit.claim().await.expect("ready").lease;
    let fence = kit.store.scripts().held(&late, Act::Look).await;
    let fence = fence.expect("answers").expect("held");
    kit.revoke_all_leases().await;
    kit.pass(1);
    let next = kit.claim().await.expect("due").lease;

    let written = kit.store.note_claim(late.identity, &fence).await;

    assert!(
        matches!(written, Err(WorkError::LeaseLost { .. })),
        "{written:?}"
    );
    kit.save(&next, 0, &files(0..1), None).await.expect("held");
}

/// As above, and the item was dropped in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_write_brings_nothing_back_of_an_item_that_was_dropped() {
    let kit = OnRedis::fresh().await;
    let late = kit.lease(12).await;
    let fence = kit.store.scripts().held(&late, Act::Look).await;
    let fence = fence.expect("answers").expect("held");
    kit.store.drop_item(WorkItemId(12)).await.expect("dropped");

    let written = kit.store.note_claim(late.identity, &fence).await;

    assert!(
        matches!(written, Err(WorkError::LeaseLost { .. })),
        "{written:?}"
    );
    let anew = kit.lease(12).await;
    let saved = kit.store.save_object(&anew, &object(12)).await;
    saved.expect("a later claim is no late one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_given_again_to_a_server_that_has_lost_them() {
    let kit = OnRedis::fresh().await;
    kit.publish(&planner(1)).await;
    let flushed: Result<String, _> = cmd("SCRIPT").arg("FLUSH").query_async(&mut kit.raw()).await;
    flushed.expect("flushed");

    let lease = kit.claim().await.expect("ready").lease;

    kit.store.acknowledge(&lease).await.expect("acknowledged");
}

/// Nothing of all is left, and everything works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_lost_everything_is_an_empty_store() {
    let kit = OnRedis::fresh().await;
    let lost = kit.lease(12).await;
    let flushed: Result<String, _> = cmd("FLUSHALL").query_async(&mut kit.raw()).await;
    flushed.expect("flushed");

    let renewed = kit.store.renew(&lost).await;
    let saved = kit.save(&lost, 0, &files(0..1), None).await;

    assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
    assert!(matches!(saved, Err(WorkError::LeaseLost { .. })));
    assert!(kit.is_empty(&[12]).await);
    kit.lease(12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_server_that_evicts_keys_is_refused() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]).await;
    let server = server.expect("a server");

    let opened = RedisWork::open(&url_of(&server), NAME).await;

    let Err(WorkError::Evicts { policy }) = opened else {
        panic!("it opens");
    };
    assert_eq!(policy, "allkeys-lru");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_full_server_is_an_outage_that_cleanup_works_in() {
    use muniment_model::{Class, Classify as _, Dependency};
    let kit = OnRedis::fresh().await;
    let lease = kit.lease(12).await;
    let limited: Result<String, _> = cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut kit.raw())
        .await;
    limited.expect("limited");

    let refused = kit.save(&lease, 0, &files(0..1), None).await;
    let refused = refused.expect_err("refused");

    assert_eq!(
        refused.class(),
        Class::Outage(Dependency::WorkStore),
        "{refused:?}"
    );
    let other = kit.lease(13).await;
    let made_room = kit.store.clear_records(&other).await;
    made_room.expect("Cleanup works on a full server");
    let freed: Result<String, _> = cmd("CONFIG")
        .arg(&["SET", "maxmemory", "0"])
        .query_async(&mut kit.raw())
        .await;
    freed.expect("freed");
    kit.save(&lease, 0, &files(0..1), None).await.expect("held");
}

/// By the user's name and password, and in a database of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_a_password_and_a_database_are_taken_from_the_url_and_never_shown() {
    let users = "--user ingest on >open-sesame ~* &* +@all --user default off";
    let users: Vec<&str> = users.split(' ').collect();
    let server = RedisServer::start_with(&users).await.expect("a server");
    let at = server.url();
    let at = at.trim_start_matches("redis://").trim_end_matches('/');
    let right = url(&format!("redis://ingest:open-sesame@{at}/3"));
    let wrong = url(&format!("redis://ingest:wrong-sesame@{at}/3"));

    let store = RedisWork::open(&right, NAME).await.expect("opens");
    let refused = RedisWork::open(&wrong, NAME).await;

    store.publish(&[planner(1)]).await.expect("published");
    let refused = refused.err().expect("refused");
    assert!(matches!(refused, WorkError::Unusable { .. }), "{refused:?}");
    for said in [format!("{refused:?}"), format!("{right:?}")] {
        assert!(!said.contains("sesame"), "{said}");
    }
}

/// By the server's count, which has what scripts do too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_claim_gives_the_server_two_commands_a_second_at_most() {
    let kit = OnRedis::fresh().await;
    kit.publish(&planner(1)).await;
    let _leased = kit.claim().await.expect("ready");
    let asked_by = async |wait: Duration| {
        let before = kit.server.commands().await.expect("told");
        let claim = kit.store.claim(QUEUE, wait).await;
        assert_eq!(claim.expect("answers"), None);
        kit.server.commands().await.expect("told") - before
    };
    // Scripts are given to the server once.
    asked_by(Duration::ZERO).await;

    let by_a_look = asked_by(Duration::ZERO).await;
    let by_a_wait = asked_by(Duration::from_secs(3)).await;

    assert!(by_a_look <= 2 * LOOK_EVERY.as_secs(), "{by_a_look}");
    let before_and_after = 2 * by_a_look + 2;
    assert!(by_a_wait <= before_and_after, "{by_a_wait}");
}

/// Claimed, written twice, read, written and marked: a command for three files at most. By the server's count, which has
/// what scripts do too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_five_hundred_files_takes_a_few_commands() {
    let kit = OnRedis::fresh().await;
    let records = files(0..500);
    let mut taken = 0;
    // Scripts are given to the server in the first round.
    for number in 0..2 {
        let before = kit.server.commands().await.expect("told");
        kit.publish(&batch(12, number)).await;
        let lease = kit.claim().await.expect("ready").lease;
        let number = BatchNumber(number);
        let write = FileWrite {
            batch: number,
            from_index: 0,
            records: &records,
            checkpoint: None,
            progress: Progress::Made,
        };
        for _ in 0..2 {
            kit.store.save_files(&lease, write).await.expect("written");
        }
        let read = kit.store.files(WorkItemId(12), number).await;
        assert_eq!(read.expect("read").len(), 500);
        let done = kit.store.finish_batch(&lease, number, Some(&records), 9);
        done.await.expect("done");
        taken = kit.server.commands().await.expect("told") - before;
    }

    println!("{taken} commands for a batch");
    assert!(taken <= 150, "{taken}");
}

/// A claim that comes back from its wait takes no wake-up that another waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_wakes_who_begins_to_wait_after_it() {
    let kit = OnRedis::fresh().await;
    kit.publish(&planner(1)).await;
    kit.publish(&planner(2)).await;
    kit.claim().await.expect("ready");
    let list = format!("{}:{QUEUE}:wake", kit.store.store.tag);

    let woken = kit
        .store
        .store
        .connections
        .wait(&list, Duration::from_mins(1));

    timeout(Duration::from_secs(30), woken)
        .await
        .expect("at once")
        .expect("answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_after_sixty_days_and_what_is_remembered_of_a_dropped_item_after_an_hour() {
    let kit = OnRedis::fresh().await;
    let lease = kit.lease(12).await;
    let records = files(0..2);
    let write = FileWrite {
        batch: BatchNumber(0),
        from_index: 0,
        records: &records,
        checkpoint: None,
        progress: Progress::NotMade,
    };
    kit.store.save_files(&lease, write).await.expect("written");
    kit.store
        .save_object(&lease, &object(12))
        .await
        .expect("written");
    for dropped in [false, true] {
        if dropped {
            kit.store.drop_item(WorkItemId(12)).await.expect("dropped");
        }
        let mut keys: Vec<String> = cmd("KEYS")
            .arg("{muniment/12}:*")
            .query_async(&mut kit.raw())
            .await
            .expect("listed");
        keys.sort();

        assert_eq!(keys.len(), if dropped { 1 } else { 4 }, "{keys:?}");
        for key in keys {
            let lasts: i64 = cmd("TTL")
                .arg(&key)
                .query_async(&mut kit.raw())
                .await
                .expect("told");
            let expected = if dropped {
                1..=60 * 60
            } else {
                60 * 60 * 24 * 59..=60 * 60 * 24 * 60
            };
            assert!(expected.contains(&lasts), "{key}: {lasts}");
        }
    }
}
