//! Messages: published, claimed, released, acknowledged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muniment_model::{FileId, InstitutionId, QueueName, WorkItemId};
use tokio_util::sync::CancellationToken;

use super::kit::{Backend, QUEUE, batch, planner};
use crate::{Backlog, LEASE_FOR, Lease, Message, Queue, Records, Release, Subject, WorkError};

/// Long enough that a test which waits for it has failed.
const LONG: Duration = Duration::from_mins(1);

pub(crate) async fn what_is_published_is_claimed_once_and_gone_when_acknowledged<B: Backend>() {
    let kit = B::fresh().await;
    let message = Message {
        institution: InstitutionId(7),
        size_bytes: u64::from(u32::MAX) * 4,
        ..batch(12, 3)
    };
    kit.publish(&message).await;
    kit.publish(&message).await;

    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.message, message);
    assert_eq!((claim.attempt, claim.vanished), (1, 0));
    assert_eq!(kit.claim().await, None);
    let acknowledged = kit.store().acknowledge(&claim.lease).await;
    acknowledged.expect("acknowledged");
    assert!(kit.is_empty(&[12]).await);
}

pub(crate) async fn many_messages_are_published_at_a_time_whatever_their_queues<B: Backend>() {
    let kit = B::fresh().await;
    let about_a_file = Message {
        subject: Subject::File(FileId(12)),
        queue: QueueName::AptFixity,
        ..planner(0)
    };
    let messages = [planner(12), batch(12, 0), about_a_file.clone()];

    kit.store().publish(&messages).await.expect("published");

    for expected in &messages {
        let claim = kit.store().claim(expected.queue, Duration::ZERO).await;
        assert_eq!(claim.expect("answers").expect("ready").message, *expected);
    }
    assert_eq!(kit.claim().await, None);
}

pub(crate) async fn a_lost_lease_can_do_nothing_more_to_the_message<B: Backend>() {
    let kit = B::fresh().await;
    let lost = kit.lease(1).await;
    kit.revoke_all_leases().await;
    kit.pass(1);
    let holder = kit.claim().await.expect("due again");

    let answers = [
        kit.store().renew(&lost).await,
        kit.store().run_alone(&lost).await,
        kit.store().acknowledge(&lost).await,
        kit.store().release(&lost, Release::Now).await,
    ];

    for answer in answers {
        assert!(
            matches!(answer, Err(WorkError::LeaseLost { .. })),
            "{answer:?}"
        );
    }
    assert_eq!((holder.attempt, holder.vanished), (1, 1));
    kit.store().renew(&holder.lease).await.expect("still held");
}

pub(crate) async fn a_lease_that_is_not_renewed_is_claimed_by_another_after_a_minute<B: Backend>() {
    let kit = B::fresh().await;
    let first = kit.lease(1).await;
    for seconds in [20, 20, 20] {
        kit.pass(seconds);
        kit.store().renew(&first).await.expect("held");
    }
    for seconds in [20, 20, 20] {
        kit.pass(seconds);
        assert_eq!(kit.claim().await, None);
    }

    kit.pass(1);
    let second = kit.claim().await.expect("run out");

    assert_ne!(second.lease.token, first.token);
    assert_eq!(second.vanished, 1);
    let renewed = kit.store().renew(&first).await;
    assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
}

pub(crate) async fn the_deadline_is_by_the_clock_of_the_store<B: Backend>() {
    let kit = B::fresh().await;
    kit.publish(&planner(1)).await;

    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.deadline, kit.time() + LEASE_FOR);
}

pub(crate) async fn work_that_vanishes_with_its_holder_says_whether_it_ran_alone<B: Backend>() {
    let kit = B::fresh().await;
    let beside = kit.lease(1).await;
    kit.store().renew(&beside).await.expect("held");
    kit.revoke_all_leases().await;
    kit.pass(1);
    let alone = kit.claim().await.expect("due").lease;
    kit.store().run_alone(&alone).await.expect("noted");
    kit.store()
        .renew(&alone)
        .await
        .expect("the note outlives a renewal");
    kit.revoke_all_leases().await;
    kit.pass(2);

    let claim = kit.claim().await.expect("due");

    assert_eq!((claim.vanished, claim.vanished_alone), (2, 1));
}

pub(crate) async fn put_off_work_comes_when_it_is_due_and_not_before<B: Backend>() {
    let ten = Duration::from_secs(10);
    let rows = [
        ("retry", Release::Retry(ten), 2),
        ("later", Release::Later(ten), 1),
    ];

    for (name, release, attempt) in rows {
        let kit = B::fresh().await;
        let lease = kit.lease(1).await;
        kit.store()
            .release(&lease, release)
            .await
            .expect("released");

        kit.pass(9);
        assert_eq!(kit.claim().await, None, "{name}");
        kit.pass(1);

        assert_eq!(kit.claim().await.expect("due").attempt, attempt, "{name}");
    }
}

pub(crate) async fn every_token_is_new<B: Backend>() {
    let kit = B::fresh().await;
    let mut tokens = BTreeSet::new();

    for _ in 0..100 {
        let lease = kit.lease(1).await;
        tokens.insert(lease.token);
        let released = kit.store().release(&lease, Release::Now).await;
        released.expect("released");
    }

    assert_eq!(tokens.len(), 100);
}

/// A claim that is not woken finds the message only when it looks by itself, up to a poll later.
/// Ten times in a row cannot be luck, and a busy machine only makes both ways longer.
pub(crate) async fn a_waiting_claim_wakes_on_publish_and_on_release<B: Backend>() {
    let kit = B::fresh().await;
    let start = Instant::now();
    for item in 0..10 {
        let message = [planner(item)];
        let lease = woken_by(&kit, kit.store().publish(&message)).await;

        let again = woken_by(&kit, kit.store().release(&lease, Release::Now)).await;

        kit.store().acknowledge(&again).await.expect("acknowledged");
    }
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
}

async fn woken_by<B: Backend>(kit: &B, call: impl Future<Output = Result<(), WorkError>>) -> Lease {
    let claimed = async {
        let claim = kit.store().claim(QUEUE, LONG).await.expect("answers");
        claim.expect("ready").lease
    };
    let called = async {
        // Time for the claim to look, find nothing and wait.
        kit.store().backlog().await.expect("counted");
        kit.store().backlog().await.expect("counted");
        call.await.expect("written");
    };
    let (lease, ()) = tokio::join!(claimed, called);
    lease
}

pub(crate) async fn a_claim_gives_up_when_its_time_is_over<B: Backend>() {
    let kit = B::fresh().await;

    let claim = kit.store().claim(QUEUE, Duration::from_millis(10)).await;

    assert_eq!(claim.expect("answers"), None);
}

pub(crate) async fn a_claim_that_waits_gives_up_when_told_to_stop<B: Backend>() {
    let kit = B::fresh().await;
    let stop = CancellationToken::new();

    let waiting = kit.store().claim_until(QUEUE, LONG, &stop);
    let told = async {
        // Time for the claim to look, find nothing and wait.
        kit.store().backlog().await.expect("counted");
        kit.store().backlog().await.expect("counted");
        stop.cancel();
    };
    let both = async { tokio::join!(waiting, told) };
    let (claim, ()) = tokio::time::timeout(LONG / 2, both).await.expect("ends");

    assert_eq!(claim.expect("answers"), None);
    kit.lease(1).await;
}

/// A worker that is told to stop drops its claim wherever that is.
pub(crate) async fn calls_that_are_dropped_halfway_leave_the_store_usable<B: Backend>() {
    let kit = B::fresh().await;
    let message = [planner(1)];
    for micros in 0..300 {
        let wait = Duration::from_micros(micros * 3);
        let publish = tokio::time::timeout(wait, kit.store().publish(&message)).await;
        let claim = tokio::time::timeout(wait, kit.store().claim(QUEUE, LONG)).await;
        drop((publish, claim));
    }

    kit.publish(&planner(1)).await;
    kit.revoke_all_leases().await;
    kit.pass(1);
    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.message, planner(1));
    assert_eq!(kit.claim().await, None);
}

pub(crate) async fn the_backlog_is_counted_per_queue<B: Backend>() {
    let kit = B::fresh().await;
    kit.lease(1).await;
    let due = kit.lease(2).await;
    let later = kit.store().release(&due, Release::Later(LONG)).await;
    later.expect("released");
    kit.publish(&planner(120)).await;

    let backlog = kit.store().backlog().await.expect("counted");

    let expected = Backlog {
        ready: 1,
        leased: 1,
        due: 1,
        size_bytes: 3,
        files: 0,
    };
    assert_eq!(backlog.len(), QueueName::ALL.len());
    assert_eq!(backlog[&QUEUE], expected);
    assert_eq!(backlog[&QueueName::IngestCleanup], Backlog::default());
}

/// A message of another step must not hide that an item has none at its own.
pub(crate) async fn subjects_are_known_by_queue<B: Backend>() {
    let kit = B::fresh().await;
    let leased = kit.lease(1).await;
    kit.publish(&batch(120, 4)).await;
    let item = |id| Subject::Item(WorkItemId(id));
    let asked = [
        (item(1), QUEUE),
        (item(1), QueueName::IngestCleanup),
        (item(12), QUEUE),
        (item(120), QUEUE),
        (Subject::File(FileId(1)), QUEUE),
    ];

    let known = kit.store().are_known(&asked).await.expect("answers");
    assert_eq!(known, [true, false, false, true, false]);

    kit.store()
        .acknowledge(&leased)
        .await
        .expect("acknowledged");
    let after = kit.store().are_known(&asked).await.expect("answers");
    assert_eq!(after, [false, false, false, true, false]);
}

pub(crate) async fn dropping_an_item_ends_its_leases<B: Backend>() {
    let kit = B::fresh().await;
    let lease = kit.lease(12).await;

    kit.store()
        .drop_item(WorkItemId(12))
        .await
        .expect("dropped");

    let renewed = kit.store().renew(&lease).await;
    assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
    let acknowledged = kit.store().acknowledge(&lease).await;
    acknowledged.expect("cleanup acknowledges what it has dropped itself");
}

pub(crate) async fn a_subject_is_leased_until_its_last_lease_has_ended<B: Backend>() {
    let kit = B::fresh().await;
    let item = Subject::Item(WorkItemId(12));
    kit.publish(&planner(120)).await;
    kit.publish(&batch(12, 4)).await;
    let leased = async || kit.store().is_leased(item).await.expect("answers");
    assert!(!leased().await, "only published");

    let other = kit.claim().await.expect("ready").lease;
    assert!(!leased().await, "another item's");
    let own = kit.claim().await.expect("ready").lease;
    assert!(leased().await);
    kit.store().acknowledge(&other).await.expect("acknowledged");
    assert!(leased().await);
    kit.store()
        .release(&own, Release::Now)
        .await
        .expect("released");
    assert!(!leased().await, "released");

    kit.claim().await.expect("ready");
    assert!(leased().await);
    kit.pass(61);
    assert!(!leased().await, "nobody renewed it");
}
