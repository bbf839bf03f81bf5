use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muniment_model::{InstitutionId, Queue, WorkItemId};
use muniment_work::{LEASE_FOR, Lease, Message, Settlement, Waiting, WorkError, WorkStore};

use crate::kit::{Kit, QUEUE, batch, planner};

/// Long enough that a test which waits for it has failed.
const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_is_published_is_claimed_once_and_gone_when_done() {
    let kit = Kit::new().await;
    let message = Message {
        institution: InstitutionId(7),
        size_bytes: u64::from(u32::MAX) * 4,
        ..batch(12, 3)
    };
    kit.store.publish(&message).await.expect("published");
    kit.store.publish(&message).await.expect("published again");

    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.message, message);
    assert_eq!(claim.attempt, 1);
    assert_eq!(kit.claim().await, None);
    let settled = kit.store.settle(&claim.lease, Settlement::Done).await;
    settled.expect("settled");
    assert!(kit.store.contents().await.expect("counted").is_empty());
}

#[tokio::test]
async fn each_queue_has_its_own_messages() {
    let kit = Kit::new().await;
    let elsewhere = Message {
        queue: Queue::IngestCleanup,
        ..planner(1)
    };

    kit.store.publish(&elsewhere).await.expect("published");

    assert_eq!(kit.claim().await, None);
    let claim = kit.store.claim(Queue::IngestCleanup, Duration::ZERO).await;
    assert_eq!(claim.expect("answers").expect("ready").message, elsewhere);
}

#[tokio::test]
async fn a_lost_lease_can_do_nothing_more_to_the_message() {
    let kit = Kit::new().await;
    let lost = kit.lease(1).await;
    kit.store.void_all_leases().await.expect("voided");
    let holder = kit.claim().await.expect("ready again");

    let answers = [
        kit.store.renew(&lost).await,
        kit.store.progress(&lost).await,
        kit.store.settle(&lost, Settlement::Done).await,
        kit.store.settle(&lost, Settlement::HandBack).await,
    ];

    for answer in answers {
        assert!(
            matches!(answer, Err(WorkError::LeaseLost { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(holder.attempt, 2);
    kit.store.renew(&holder.lease).await.expect("still held");
}

#[tokio::test]
async fn an_unrenewed_lease_is_claimed_by_another_after_a_minute() {
    let kit = Kit::new().await;
    let first = kit.lease(1).await;
    let renewals = [20, 20, 20];
    for seconds in renewals {
        kit.clock.advance_seconds(seconds);
        kit.store.renew(&first).await.expect("held");
    }
    for seconds in [20, 20, 19] {
        kit.clock.advance_seconds(seconds);
        assert_eq!(kit.claim().await, None);
    }

    kit.clock.advance_seconds(1);
    let second = kit.claim().await.expect("run out");

    assert_ne!(second.lease.token, first.token);
    assert_eq!(second.attempt, 2);
    let renewed = kit.store.renew(&first).await;
    assert!(matches!(renewed, Err(WorkError::LeaseLost { .. })));
}

#[tokio::test]
async fn the_deadline_is_by_the_clock_of_the_store() {
    use muniment_model::Clock;
    let kit = Kit::new().await;
    kit.store.publish(&planner(1)).await.expect("published");

    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.deadline, kit.clock.now() + LEASE_FOR);
}

#[tokio::test]
async fn put_off_work_comes_when_it_is_due_and_not_before() {
    let rows = [
        ("retry", Settlement::RetryAfter(Duration::from_secs(10)), 2),
        ("wait", Settlement::Wait(Duration::from_secs(10)), 1),
    ];

    for (name, settlement, attempt) in rows {
        let kit = Kit::new().await;
        let lease = kit.lease(1).await;
        kit.store.settle(&lease, settlement).await.expect("settled");

        kit.clock.advance_seconds(9);
        assert_eq!(kit.claim().await, None, "{name}");
        kit.clock.advance_seconds(1);

        assert_eq!(kit.claim().await.expect("due").attempt, attempt, "{name}");
    }
}

#[tokio::test]
async fn every_token_is_new() {
    let kit = Kit::new().await;
    let mut tokens = BTreeSet::new();

    for _ in 0..100 {
        let lease = kit.lease(1).await;
        tokens.insert(lease.token);
        let back = kit.store.settle(&lease, Settlement::HandBack).await;
        back.expect("handed back");
    }

    assert_eq!(tokens.len(), 100);
}

/// Waiting for the poll would take up to 200 ms each time: the 100 ms allowed here would have to
/// be luck twenty times over.
#[tokio::test]
async fn a_waiting_claim_wakes_at_once_on_publish_and_on_hand_back() {
    let kit = Kit::new().await;
    for item in 0..10 {
        let message = planner(item);
        let lease = woken_by(&kit, kit.store.publish(&message)).await;

        let back = kit.store.settle(&lease, Settlement::HandBack);
        let again = woken_by(&kit, back).await;

        let done = kit.store.settle(&again, Settlement::Done).await;
        done.expect("done");
    }
}

async fn woken_by(kit: &Kit, call: impl Future<Output = Result<(), WorkError>>) -> Lease {
    let claimed = async {
        let claim = kit.store.claim(QUEUE, LONG).await.expect("answers");
        (claim.expect("ready").lease, Instant::now())
    };
    let called = async {
        // Time for the claim to look, find nothing and wait.
        kit.store.contents().await.expect("counted");
        kit.store.contents().await.expect("counted");
        call.await.expect("written");
        Instant::now()
    };
    let ((lease, woken), called) = tokio::join!(claimed, called);
    assert!(
        woken < called + Duration::from_millis(100),
        "{:?}",
        woken - called
    );
    lease
}

#[tokio::test]
async fn a_claim_gives_up_when_its_time_is_over() {
    let kit = Kit::new().await;

    let claim = kit.store.claim(QUEUE, Duration::from_millis(10)).await;

    assert_eq!(claim.expect("answers"), None);
}

/// A worker that is told to stop drops its claim wherever that stands.
#[tokio::test]
async fn calls_that_are_dropped_halfway_leave_the_store_usable() {
    let kit = Kit::new().await;
    for micros in 0..300 {
        let wait = Duration::from_micros(micros * 3);
        let message = planner(1);
        let publish = tokio::time::timeout(wait, kit.store.publish(&message)).await;
        let claim = tokio::time::timeout(wait, kit.store.claim(QUEUE, LONG)).await;
        drop((publish, claim));
    }

    kit.store.publish(&planner(1)).await.expect("published");
    kit.store.void_all_leases().await.expect("voided");
    let claim = kit.claim().await.expect("ready");

    assert_eq!(claim.message, planner(1));
    assert_eq!(kit.claim().await, None);
}

#[tokio::test]
async fn what_waits_is_counted_per_queue_and_known_per_item() {
    let kit = Kit::new().await;
    let leased = kit.lease(1).await;
    let due = kit.lease(2).await;
    kit.store
        .settle(&due, Settlement::Wait(LONG))
        .await
        .expect("put off");
    kit.store.publish(&planner(120)).await.expect("published");

    let waiting = kit.store.waiting().await.expect("counted");

    let expected = Waiting {
        ready: 1,
        leased: 1,
        due: 1,
        size_bytes: 3,
    };
    assert_eq!(waiting.len(), Queue::ALL.len());
    assert_eq!(waiting[&QUEUE], expected);
    assert_eq!(waiting[&Queue::IngestCleanup], Waiting::default());
    for (item, known) in [(1, true), (2, true), (120, true), (12, false)] {
        let found = kit.store.is_known(WorkItemId(item)).await.expect("answers");
        assert_eq!(found, known, "{item}");
    }
    kit.store
        .settle(&leased, Settlement::Done)
        .await
        .expect("done");
    assert!(!kit.store.is_known(WorkItemId(1)).await.expect("answers"));
}
