//! What must be true of the queue after any sequence of commands.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::model::{Model, Step, message, steps};
use super::{Command, Reply, decide};
use crate::{Claim, Identity, Lease, Release, Token};

/// What an observer who sees commands and replies only knows of one message.
#[derive(Clone, Debug, Default)]
struct Known {
    claims: u32,
    holder: Option<Token>,
    published_while_held: bool,
    not_before: Option<DateTime<Utc>>,
}

/// Keeps an account of a queue apart from the queue, by other means.
#[derive(Default)]
struct Ledger {
    known: BTreeMap<Identity, Known>,
    leases: Vec<Lease>,
    /// The clock may be set back; what was due once stays due.
    latest: DateTime<Utc>,
}

impl Ledger {
    fn observe(&mut self, command: &Command, reply: &Reply, now: DateTime<Utc>) {
        self.latest = self.latest.max(now);
        match (command, reply) {
            (Command::Publish(message), _) => {
                let known = self.known.entry(message.identity()).or_default();
                known.published_while_held = known.holder.is_some();
            }
            (Command::Claim(token), Reply::Claimed(claim)) => self.claimed(*token, claim),
            (Command::Acknowledge(lease), Reply::Done) => self.acknowledged(lease),
            (Command::Release(lease, release), Reply::Done) => self.released(lease, *release, now),
            (Command::Revoke, _) => {
                for known in self.known.values_mut() {
                    known.holder = None;
                }
            }
            (
                Command::Claim(_)
                | Command::Acknowledge(_)
                | Command::Release(..)
                | Command::RunAlone(_)
                | Command::Renew(_)
                | Command::Progress(_),
                _,
            ) => {}
        }
    }

    fn claimed(&mut self, token: Token, claim: &Claim) {
        let latest = self.latest;
        let known = self
            .known
            .get_mut(&claim.message.identity())
            .expect("only what was published is claimed");
        assert!(
            known.not_before.is_none_or(|at| at <= latest),
            "claimed early"
        );
        known.claims += 1;
        assert!(claim.attempt >= 1 && claim.attempt <= known.claims);
        known.holder = Some(token);
        known.published_while_held = false;
        known.not_before = None;
        self.leases.push(claim.lease);
    }

    fn acknowledged(&mut self, lease: &Lease) {
        let Some(known) = self.known.get_mut(&lease.identity) else {
            return;
        };
        assert_eq!(known.holder, Some(lease.token), "acknowledged by another");
        if known.published_while_held {
            *known = Known::default();
        } else {
            self.known.remove(&lease.identity);
        }
    }

    fn released(&mut self, lease: &Lease, release: Release, now: DateTime<Utc>) {
        let known = self.known.get_mut(&lease.identity).expect("it is there");
        assert_eq!(known.holder, Some(lease.token), "released by another");
        known.holder = None;
        known.not_before = match release {
            Release::Retry(delay) | Release::Later(delay) => Some(now + delay),
            Release::Now => None,
        };
    }
}

/// Runs the steps, checking after each what must be true at any time.
fn check(steps: &[Step]) -> (Model, Ledger) {
    let mut model = Model::new();
    let mut ledger = Ledger::default();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Pass(seconds) = step {
            model.pass(*seconds);
        }
        let Some(command) = step.command(&ledger.leases, Token(number as u128)) else {
            continue;
        };
        let part = model.state.seen_by(&command, model.now);
        let by_part = decide(&part, &command, model.now);
        assert_eq!(
            by_part,
            decide(&model.state, &command, model.now),
            "{command:?}"
        );

        let reply = model.run(&command);

        ledger.observe(&command, &reply, model.now);
        assert!(
            model.state.entries.keys().eq(ledger.known.keys()),
            "lost or made up"
        );
        for identity in ledger.known.keys() {
            let renewable = ledger.leases.iter().filter(|lease| {
                lease.identity == *identity
                    && decide(&model.state, &Command::Renew(**lease), model.now).1 == Reply::Done
            });
            assert!(renewable.count() <= 1, "two holders of {identity}");
        }
    }
    (model, ledger)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_message_is_lost_claimed_early_or_held_twice_and_a_part_decides_as_the_whole(
        steps in steps(60)
    ) {
        check(&steps);
    }

    #[test]
    fn whatever_happened_the_queue_can_be_worked_off(steps in steps(60)) {
        let (mut model, ledger) = check(&steps);

        let mut claims = Vec::new();
        // Long enough for the longest delay of a holder that vanished.
        for _ in 0..40 {
            model.pass(20);
            claims.extend(drain(&mut model));
        }

        let mut claimed: Vec<_> = claims.iter().map(|claim| claim.message.identity()).collect();
        claimed.sort();
        claimed.dedup();
        prop_assert!(claimed.iter().eq(ledger.known.keys()));
        prop_assert!(model.state.entries.is_empty());
    }

    #[test]
    fn between_two_claims_of_a_waiting_institution_no_other_has_more_than_two(
        items in prop::collection::vec(0_i64..5, 1..120),
        rhythm in prop::collection::vec(any::<bool>(), 1..200),
    ) {
        let mut model = Model::new();
        let mut waiting_since: BTreeMap<i64, BTreeMap<i64, u32>> = BTreeMap::new();
        let mut items = (0_i64..).zip(items);
        for publishes in rhythm {
            let claim = if publishes { None } else { model.claim() };
            if publishes && let Some((number, institution)) = items.next() {
                model.publish(&message(number * 10 + institution, None));
                waiting_since.entry(institution).or_default();
            }
            let Some(claim) = claim else { continue };
            let served = claim.message.institution.0;
            model.acknowledge(claim.lease);
            for (institution, others) in &mut waiting_since {
                let count = others.entry(served).or_default();
                *count += 1;
                prop_assert!(*institution == served || *count <= 2, "{others:?}");
            }
            let more = model.state.entries.values()
                .any(|entry| entry.message.institution.0 == served);
            waiting_since.remove(&served);
            if more {
                waiting_since.insert(served, BTreeMap::new());
            }
        }
    }

    #[test]
    fn a_holder_that_vanishes_is_counted_apart_and_never_as_an_attempt(
        ends in prop::collection::vec((any::<bool>(), any::<bool>()), 1..12)
    ) {
        let mut model = Model::new();
        model.publish(&message(1, None));
        let mut claim = model.claim().expect("ready");
        let mut alone_so_far = 0;

        for (number, (revoked, alone)) in (0_u32..).zip(ends) {
            let counted = (claim.attempt, claim.vanished, claim.vanished_alone);
            prop_assert_eq!(counted, (1, number, alone_so_far));
            if alone {
                model.run(&Command::RunAlone(claim.lease));
                alone_so_far += 1;
            }
            if revoked {
                model.run(&Command::Revoke);
            }
            // A lease lasts a minute, and the longest delay five; without a claim now and then there
            // would be no heartbeat, and the lease would be moved.
            claim = (0..30)
                .find_map(|_| {
                    model.pass(20);
                    model.claim()
                })
                .expect("due in time");
        }
    }
}

fn drain(model: &mut Model) -> Vec<Claim> {
    let mut claims = Vec::new();
    while let Some(claim) = model.claim() {
        model.acknowledge(claim.lease);
        claims.push(claim);
    }
    claims
}
