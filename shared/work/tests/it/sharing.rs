//! Several processes on one file, and one process after another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use muniment_model::{BatchNumber, Classify, WorkItemId};
use muniment_work::{Settlement, SqliteWork, WorkError, WorkStore};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;

use crate::kit::{Kit, QUEUE, checkpoint, files, object, planner};

const ITEM: WorkItemId = WorkItemId(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_never_claim_the_same_message() {
    let kit = Kit::new().await;
    let stores = [Arc::new(kit.another().await), Arc::new(kit.another().await)];
    for item in 0..60 {
        stores[0].publish(&planner(item)).await.expect("published");
    }

    let mut workers = JoinSet::new();
    for number in 0..6 {
        let store = Arc::clone(&stores[number % 2]);
        workers.spawn(async move {
            let mut items = Vec::new();
            while let Some(claim) = store.claim(QUEUE, Duration::ZERO).await.expect("answers") {
                items.push(claim.message.item);
                let done = store.settle(&claim.lease, Settlement::Done).await;
                done.expect("done");
            }
            items
        });
    }
    let claimed: Vec<WorkItemId> = workers.join_all().await.concat();

    let distinct: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (60, 60));
    assert!(kit.store.contents().await.expect("counted").is_empty());
}

#[tokio::test]
async fn a_claim_sees_what_another_process_publishes() {
    let kit = Kit::new().await;
    let other = kit.another().await;

    let claimed = kit.store.claim(QUEUE, Duration::from_mins(1));
    let published = async {
        tokio::task::yield_now().await;
        other.publish(&planner(1)).await
    };
    let (claim, published) = tokio::join!(claimed, published);

    published.expect("published");
    assert_eq!(claim.expect("answers").expect("ready").message, planner(1));
}

#[tokio::test]
async fn a_store_that_is_opened_again_has_kept_everything() {
    let kit = Kit::new().await;
    let lease = kit.lease(12).await;
    let place = checkpoint(4_096, 3);
    kit.store
        .put_object(&lease, &object(12))
        .await
        .expect("written");
    let put = kit
        .store
        .put_files(&lease, BatchNumber(0), 0, &files(0..3), Some(&place))
        .await;
    put.expect("written");
    kit.store
        .mark_done(&lease, BatchNumber(0), None)
        .await
        .expect("marked");
    kit.store.publish(&planner(13)).await.expect("published");
    let before = kit.store.contents().await.expect("counted");

    let kit = kit.reopened().await;

    assert_eq!(kit.store.contents().await.expect("counted"), before);
    assert_eq!(
        kit.store.object(ITEM).await.expect("read"),
        Some(object(12))
    );
    let found = kit.store.files(ITEM, BatchNumber(0)).await.expect("read");
    assert_eq!(found, files(0..3));
    assert_eq!(kit.store.checkpoint(ITEM).await.expect("read"), Some(place));
    kit.store
        .renew(&lease)
        .await
        .expect("a lease outlives the process");
}

#[tokio::test]
async fn leases_of_a_dead_process_are_void_at_once_and_their_attempts_count() {
    let kit = Kit::new().await;
    let lost = [kit.lease(1).await, kit.lease(2).await];
    let kit = kit.reopened().await;

    let count = kit.store.void_all_leases().await.expect("voided");

    assert_eq!(count, 2);
    for lease in lost {
        let renewed = kit.store.renew(&lease).await;
        assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
        assert_eq!(kit.claim().await.expect("ready").attempt, 2);
    }
    assert_eq!(kit.store.void_all_leases().await.expect("voided"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_open_a_new_file_at_once_make_it_once() {
    for _ in 0..10 {
        let folder = tempfile::TempDir::new().expect("a folder");
        let kit = Kit::new().await;
        let mut openings = JoinSet::new();
        for _ in 0..4 {
            let path = folder.path().join("work.db");
            let clock = kit.clock();
            openings.spawn(async move { SqliteWork::open(&path, clock).await.map(drop) });
        }

        let opened: Vec<_> = openings.join_all().await;

        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    }
}

#[tokio::test]
async fn a_file_of_a_later_program_is_refused() {
    let kit = Kit::new().await;
    let mut connection = SqliteConnectOptions::new()
        .filename(kit.path())
        .connect()
        .await
        .expect("opens");
    let raised = sqlx::query("PRAGMA user_version = 9")
        .execute(&mut connection)
        .await;
    raised.expect("raised");

    let opened = SqliteWork::open(&kit.path(), kit.clock()).await.map(drop);

    let refused = matches!(opened, Err(WorkError::NewerLayout { found: 9, known: 1 }));
    assert!(refused, "{opened:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_an_outage() {
    let kit = Kit::new().await;

    let nowhere = kit.path().with_file_name("missing").join("work.db");
    let opened = SqliteWork::open(&nowhere, kit.clock()).await.map(drop);

    let error = opened.expect_err("refused");
    assert_eq!(error.class(), muniment_model::Class::Outage, "{error:?}");
}
