use std::time::Duration;

use chrono::TimeDelta;

use super::model::{Model, big_message, message};
use super::{Command, DELAY_MAX, PROMOTE_MAX, Phase, Reply};
use crate::{BATCH_BYTES_MAX, Claim, Message, Release, Subject, Token};

const MINUTE: Duration = Duration::from_mins(1);

fn claimed(messages: &[Message]) -> (Model, Claim) {
    let mut model = Model::new();
    for message in messages {
        model.publish(message);
    }
    let claim = model.claim().expect("one is ready");
    (model, claim)
}

fn items(model: &mut Model) -> Vec<i64> {
    let mut items = Vec::new();
    while let Some(claim) = model.claim() {
        items.push(item_of(&claim.message));
    }
    items
}

fn item_of(message: &Message) -> i64 {
    match message.subject {
        Subject::Item(item) => item.0,
        Subject::File(file) => panic!("file {file}"),
    }
}

#[test]
fn each_release_leaves_the_message_as_its_name_says() {
    let due = |seconds| Phase::Due {
        at: super::model::start() + TimeDelta::seconds(seconds),
    };
    let rows = [
        ("retry", Release::Retry(MINUTE), due(60), 1),
        ("later", Release::Later(MINUTE), due(60), 0),
        ("now", Release::Now, Phase::Ready, 0),
        ("too long", Release::Later(Duration::MAX), due(24 * 3600), 0),
    ];

    for (name, release, phase, attempts) in rows {
        let (mut model, claim) = claimed(&[message(1, None)]);

        let reply = model.release(claim.lease, release);

        let entry = &model.state.entries[&claim.message.identity()];
        assert_eq!(reply, Reply::Done, "{name}");
        assert_eq!((entry.phase, entry.attempts), (phase, attempts), "{name}");
    }
    assert_eq!(DELAY_MAX, Duration::from_hours(24));
}

#[test]
fn a_message_published_while_leased_is_ready_anew_once_it_is_acknowledged() {
    let (mut model, claim) = claimed(&[message(1, None)]);
    model.publish(&message(1, None));

    model.acknowledge(claim.lease);

    let entry = &model.state.entries[&claim.message.identity()];
    assert_eq!((entry.phase, entry.attempts), (Phase::Ready, 0));
    let again = model.claim().expect("ready");
    model.acknowledge(again.lease);
    assert!(model.state.entries.is_empty(), "the mark outlived its use");
}

#[test]
fn publishing_what_is_ready_or_due_changes_nothing() {
    let (mut model, claim) = claimed(&[message(1, None), message(2, None)]);
    model.release(claim.lease, Release::Retry(MINUTE));
    let before = model.state.clone();

    model.publish(&message(1, None));
    model.publish(&message(2, None));

    assert_eq!(model.state, before);
}

#[test]
fn only_the_token_of_the_live_lease_is_heard() {
    let commands = [
        ("renew", Command::Renew as fn(_) -> _),
        ("acknowledge", Command::Acknowledge),
        ("release", |lease| Command::Release(lease, Release::Now)),
        ("run alone", Command::RunAlone),
        ("progress", Command::Progress),
    ];

    for (name, command) in commands {
        let (mut model, mut claim) = claimed(&[message(1, None)]);
        claim.lease.token = Token(99);
        let before = model.state.clone();

        let reply = model.run(&command(claim.lease));

        assert_eq!(reply, Reply::LeaseLost, "{name}");
        assert_eq!(model.state, before, "{name}");
    }
}

#[test]
fn a_message_may_be_acknowledged_twice_but_not_released_after_that() {
    let (mut model, claim) = claimed(&[message(1, None)]);
    model.acknowledge(claim.lease);

    assert_eq!(model.acknowledge(claim.lease), Reply::Done);
    assert_eq!(model.release(claim.lease, Release::Now), Reply::LeaseLost);
    assert!(model.state.entries.is_empty());
}

#[test]
fn work_whose_holder_vanished_rests_longer_each_time_and_at_most_five_minutes() {
    let (mut model, mut claim) = claimed(&[message(1, None)]);
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];

    for seconds in expected {
        model.run(&Command::Revoke);
        let entry = &model.state.entries[&claim.message.identity()];
        let due = model.now + TimeDelta::seconds(seconds);
        assert_eq!(entry.phase, Phase::Due { at: due });
        model.pass(seconds);
        claim = model.claim().expect("due");
    }

    assert_eq!(
        claim.attempt, 1,
        "a holder that vanished is no failed attempt"
    );
}

#[test]
fn a_lease_runs_out_at_its_deadline_unless_it_is_renewed() {
    let (mut model, claim) = claimed(&[message(1, None)]);
    for _ in 0..3 {
        model.pass(20);
        assert_eq!(model.run(&Command::Renew(claim.lease)), Reply::Done);
    }
    model.pass(25);
    assert_eq!(model.claim(), None);
    model.pass(25);
    assert_eq!(model.claim(), None);
    model.pass(9);
    assert_eq!(model.claim(), None, "a second before the deadline");

    model.pass(1);
    assert_eq!(model.claim(), None, "it rests a second");
    model.pass(1);
    let second = model.claim().expect("run out");

    assert_eq!((second.attempt, second.vanished), (1, 1));
    assert_eq!(model.run(&Command::Renew(claim.lease)), Reply::LeaseLost);
}

#[test]
fn leases_move_by_the_time_in_which_nobody_could_renew() {
    let rows = [
        ("31 s is a gap", 31, TimeDelta::seconds(31)),
        ("30 s is not", 30, TimeDelta::zero()),
        ("an hour away", 3_600, TimeDelta::seconds(3_600)),
        ("the clock was set back", -3_600, TimeDelta::seconds(-3_600)),
    ];

    for (name, gap, moved) in rows {
        let (mut model, claim) = claimed(&[message(1, None), message(2, None)]);
        model.pass(gap);

        model.claim().expect("the other one");

        let entry = &model.state.entries[&claim.message.identity()];
        let expected = claim.deadline + moved;
        assert!(
            matches!(entry.phase, Phase::Leased { deadline, .. } if deadline == expected),
            "{name}: {entry:?}"
        );
    }
}

/// A renewal that comes first after an outage must not hide the gap from the other leases.
#[test]
fn a_renewal_after_an_outage_moves_the_other_leases_too() {
    let (mut model, first) = claimed(&[message(1, None), message(2, None)]);
    let second = model.claim().expect("the other one");
    model.pass(300);

    model.run(&Command::Renew(first.lease));

    assert_eq!(model.claim(), None);
    assert_eq!(model.run(&Command::Renew(second.lease)), Reply::Done);
}

#[test]
fn progress_gives_all_attempts_back() {
    let (mut model, claim) = claimed(&[message(1, None)]);
    model.release(claim.lease, Release::Retry(Duration::ZERO));
    model.claim().expect("due at once");
    model.run(&Command::Revoke);
    model.pass(1);
    let third = model.claim().expect("due");
    assert_eq!((third.attempt, third.vanished), (2, 1));

    model.run(&Command::Progress(third.lease));
    model.release(third.lease, Release::Retry(Duration::ZERO));

    let fourth = model.claim().expect("due");
    assert_eq!((fourth.attempt, fourth.vanished), (1, 0));
}

#[test]
fn institutions_are_served_round_robin_whatever_their_backlogs() {
    let mut model = Model::new();
    for number in 0..4 {
        model.publish(&message(number * 10 + 1, None));
    }
    model.publish(&message(2, None));
    model.publish(&message(12, None));
    model.publish(&message(3, None));

    assert_eq!(items(&mut model), [1, 2, 3, 11, 12, 21, 31]);
}

#[test]
fn an_institution_that_was_idle_has_saved_up_nothing() {
    let mut model = Model::new();
    for number in 0..6 {
        model.publish(&message(number * 10 + 1, None));
    }
    for _ in 0..3 {
        model.claim().expect("ready");
    }
    for number in 0..3 {
        model.publish(&message(number * 10 + 2, None));
    }

    assert_eq!(items(&mut model), [2, 31, 12, 41, 22, 51]);
}

#[test]
fn work_that_was_begun_comes_before_work_of_its_institution_that_was_not() {
    let (mut model, claim) = claimed(&[message(1, None), message(11, None), message(21, None)]);
    model.release(claim.lease, Release::Now);

    assert_eq!(items(&mut model), [1, 11, 21]);
}

#[test]
fn big_work_takes_at_most_half_while_small_work_waits() {
    let mut model = Model::new();
    for number in 0..4 {
        model.publish(&big_message(number * 10 + 1));
    }
    for number in 0..4 {
        model.publish(&message(number * 10 + 2, None));
    }

    // A big one goes whenever less than half of those before it were big; at last big alone.
    assert_eq!(items(&mut model), [1, 2, 12, 11, 22, 21, 32, 31]);
}

/// With one job at a time, half of what is leased is never less than nothing.
#[test]
fn a_single_worker_leaves_no_big_work_behind_for_good() {
    let mut model = Model::new();
    model.publish(&big_message(1));
    let mut claimed = Vec::new();

    for number in 0..3 {
        model.publish(&message(number * 10 + 2, None));
        let claim = model.claim().expect("ready");
        model.acknowledge(claim.lease);
        claimed.push(item_of(&claim.message));
    }

    assert!(claimed.contains(&1), "{claimed:?}");
}

#[test]
fn big_begins_above_one_batch() {
    let size = |size_bytes| Message {
        size_bytes,
        ..message(1, None)
    };

    assert!(!size(BATCH_BYTES_MAX).is_big());
    assert!(size(BATCH_BYTES_MAX + 1).is_big());
}

#[test]
fn a_claim_makes_a_bounded_number_ready_the_longest_overdue_first() {
    let mut model = Model::new();
    let count = i64::from(PROMOTE_MAX) + 10;
    for number in 0..count {
        model.publish(&message(number * 10 + 1, None));
    }
    for number in 0..count {
        let claim = model.claim().expect("ready");
        // The later it was published, the earlier it is due.
        let delay = Duration::from_secs((count - number).cast_unsigned());
        model.release(claim.lease, Release::Later(delay));
    }
    model.pass(count);

    let claim = model.claim().expect("due");

    let still_due = model
        .state
        .entries
        .values()
        .filter(|entry| matches!(entry.phase, Phase::Due { .. }))
        .map(|entry| item_of(&entry.message) / 10);
    assert_eq!(still_due.collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(
        item_of(&claim.message) / 10,
        10,
        "the oldest of those made ready"
    );
}

#[test]
fn the_planner_and_the_batches_of_an_item_are_messages_of_their_own() {
    let mut model = Model::new();
    for batch in [None, Some(0), Some(1)] {
        model.publish(&message(1, batch));
    }

    assert_eq!(items(&mut model), [1, 1, 1]);
}

#[test]
fn an_idle_claim_writes_at_most_every_five_seconds() {
    let mut model = Model::new();
    model.claim();
    let before = model.state.clone();

    model.pass(4);
    model.claim();
    assert_eq!(model.state, before);
    model.pass(1);
    model.claim();

    assert_ne!(model.state, before);
}
