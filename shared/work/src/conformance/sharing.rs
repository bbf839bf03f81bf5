//! Several processes on one store, and one process after another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use muniment_model::{BatchNumber, WorkItemId};
use tokio::task::JoinSet;

use super::kit::{Backend, QUEUE, checkpoint, files, object, planner};
use crate::{Queue, Records, WorkError};

const ITEM: WorkItemId = WorkItemId(12);

pub(crate) async fn two_processes_never_claim_the_same_message<B: Backend>() {
    let kit = B::fresh().await;
    let stores = [Arc::new(kit.another().await), Arc::new(kit.another().await)];
    let messages: Vec<_> = (0..60).map(planner).collect();
    stores[0].publish(&messages).await.expect("published");

    let mut workers = JoinSet::new();
    for number in 0..6 {
        let store = Arc::clone(&stores[number % 2]);
        workers.spawn(async move {
            let mut subjects = Vec::new();
            while let Some(claim) = store.claim(QUEUE, Duration::ZERO).await.expect("answers") {
                subjects.push(claim.message.subject);
                store.acknowledge(&claim.lease).await.expect("acknowledged");
            }
            subjects
        });
    }
    let claimed = workers.join_all().await.concat();

    let distinct: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (60, 60));
    assert!(kit.is_empty(&[]).await);
}

pub(crate) async fn a_claim_sees_what_another_process_publishes<B: Backend>() {
    let kit = B::fresh().await;
    let other = kit.another().await;
    let message = [planner(1)];

    let claimed = kit.store().claim(QUEUE, Duration::from_mins(1));
    let published = async {
        tokio::task::yield_now().await;
        other.publish(&message).await
    };
    let (claim, published) = tokio::join!(claimed, published);

    published.expect("published");
    assert_eq!(claim.expect("answers").expect("ready").message, planner(1));
}

pub(crate) async fn a_store_that_is_opened_again_has_kept_everything<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    let place = checkpoint(4_096, 3);
    kit.store()
        .save_object(&lease, &object(12))
        .await
        .expect("written");
    kit.save(&lease, 0, &files(0..3), Some(&place))
        .await
        .expect("written");
    let first = BatchNumber(0);
    kit.store()
        .finish_batch(&lease, first, None, 2)
        .await
        .expect("marked");
    kit.publish(&planner(13)).await;
    let before = kit.store().backlog().await.expect("counted");

    let kit = kit.reopened().await;

    assert_eq!(kit.store().backlog().await.expect("counted"), before);
    let found = kit.store().batch(ITEM, first).await.expect("read");
    assert_eq!((found.object, found.files), (Some(object(12)), files(0..3)));
    assert_eq!(
        kit.store().checkpoint(ITEM).await.expect("read"),
        Some(place)
    );
    let done = kit.store().done_batches(ITEM, QUEUE).await.expect("read");
    assert_eq!(done, [first].into());
    let renewed = kit.store().renew(&lease).await;
    renewed.expect("a lease outlives the process");
}

pub(crate) async fn leases_of_a_dead_process_can_be_revoked_at_once<B: Backend>() {
    let kit = B::fresh().await;
    let lost = [kit.lease(1).await, kit.lease(2).await];
    let kit = kit.reopened().await;

    assert_eq!(kit.revoke_all_leases().await, 2);

    kit.pass(1);
    for lease in lost {
        let renewed = kit.store().renew(&lease).await;
        assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
        let claim = kit.claim().await.expect("due");
        assert_eq!((claim.attempt, claim.vanished), (1, 1));
    }
    assert_eq!(kit.revoke_all_leases().await, 2);
}
