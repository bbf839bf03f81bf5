//! What an operator's look at the store has to show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use muniment_model::{BatchNumber, WorkItemId};

use super::kit::{Backend, QUEUE, batch, checkpoint, file, files, object, planner};
use crate::view::{ItemView, MessageState, QueuedMessage};
use crate::{BatchSize, LEASE_FOR, Queue, Records, Release};

const ITEM: WorkItemId = WorkItemId(12);

pub(crate) async fn a_look_shows_all_that_is_kept_of_an_item_and_changes_nothing<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;
    let store = kit.store();
    store.save_object(&lease, &object(12)).await.expect("saved");
    let mark = checkpoint(1_024, 2);
    let saved = kit.save(&lease, 0, &files(0..2), Some(&mark)).await;
    saved.expect("saved");
    let last = files(2..3);
    let second = store.finish_batch(&lease, BatchNumber(1), Some(&last), 2);
    second.await.expect("done");
    let other = kit.lease(120).await;
    store
        .save_object(&other, &object(120))
        .await
        .expect("saved");

    let view = kit.look().await;
    let seen = view.item(ITEM).await.expect("seen");
    let first = view.files(ITEM, BatchNumber(0)).await.expect("read");
    let items = view.items_after(WorkItemId(0), 10).await.expect("listed");
    let again = view.item(ITEM).await.expect("seen");

    assert_eq!(seen.object.expect("is readable"), Some(object(12)));
    assert_eq!(seen.checkpoint.expect("is readable"), Some(mark));
    let size = |files| BatchSize {
        files,
        bytes: u64::from(files) * file(0).size,
    };
    let sizes = [(BatchNumber(0), size(2)), (BatchNumber(1), size(1))];
    assert_eq!(seen.batches, BTreeMap::from(sizes));
    let marked = BTreeSet::from([BatchNumber(1)]);
    assert_eq!(seen.done, BTreeMap::from([(QUEUE, marked)]));
    assert_eq!(seen.messages, again.messages);
    assert_eq!(first, files(0..2));
    assert_eq!(items, [ITEM, WorkItemId(120)]);
    store.renew(&lease).await.expect("is still held");
}

pub(crate) async fn a_look_shows_the_state_of_each_message<B: Backend>() {
    let kit = B::fresh().await;
    // The first holder vanishes while alone, the second takes the work over and is told of more of it.
    let first = kit.lease(12).await;
    kit.store().run_alone(&first).await.expect("noted");
    assert_eq!(kit.revoke_all_leases().await, 1);
    kit.pass(2);
    let held = kit.claim().await.expect("is due");
    kit.publish(&planner(12)).await;
    for number in [0, 1] {
        kit.publish(&batch(12, number)).await;
    }
    let late = kit.claim().await.expect("ready").lease;
    let put_off = Release::Retry(Duration::from_secs(90));
    kit.store().release(&late, put_off).await.expect("released");

    let seen = kit.look().await.item(ITEM).await.expect("seen");

    let of = |message, state| QueuedMessage {
        message,
        attempts: 0,
        vanished: 0,
        vanished_alone: 0,
        state,
    };
    let leased = MessageState::Leased {
        deadline: kit.time() + LEASE_FOR,
        again: true,
        alone: false,
    };
    let at = kit.time() + TimeDelta::seconds(90);
    let expected = [
        QueuedMessage {
            attempts: 1,
            vanished: 1,
            vanished_alone: 1,
            ..of(planner(12), leased)
        },
        QueuedMessage {
            attempts: 1,
            ..of(batch(12, 0), MessageState::Due { at })
        },
        of(batch(12, 1), MessageState::Ready),
    ];
    assert_eq!(seen.messages, expected);
    assert_eq!(held.vanished, 1);
}

pub(crate) async fn a_look_at_an_item_of_which_nothing_is_kept_shows_nothing<B: Backend>() {
    let kit = B::fresh().await;
    kit.publish(&planner(120)).await;

    let view = kit.look().await;

    let seen: ItemView = view.item(ITEM).await.expect("seen");
    assert!(seen.is_empty(), "{seen:?}");
    let files = view.files(ITEM, BatchNumber(0)).await.expect("read");
    assert!(files.is_empty(), "{files:?}");
    let other = view.item(WorkItemId(120)).await.expect("seen");
    assert!(!other.is_empty(), "{other:?}");
}
