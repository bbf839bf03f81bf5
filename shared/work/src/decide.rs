//! The queue's logic, whole: what a command changes in one queue, and what is answered.
//!
//! Pure: no I/O, no clock, no chance. Every back end loads a [`State`], calls [`decide`] and
//! writes the changes in one transaction; tests run it on a state in memory as their oracle.
//!
//! Idempotent: publishing what is there changes nothing, and everything a holder says needs the
//! token of a live lease, so a late or second word changes nothing.
//!
//! **A holder that vanished is not a failed attempt.** Deployments, spot interruptions and kills
//! happen to innocent work, so an expired or revoked lease gives its attempt back and its message
//! is due again after a growing delay. How often that happened is part of the next claim; the run
//! loop then lets the work run alone, and only vanishing while alone speaks against it.
//!
//! A state need not hold the whole queue, only what the command can touch:
//!
//! ```text
//! publish                  the entry of that identity, when its institution is served next
//! with a lease             the entry of that identity
//! claim                    the oldest overdue entries (PROMOTE_MAX due, PROMOTE_MAX leased), the
//!                          next small and the next big ready entry, when their institutions are
//!                          served next
//! revoke                   every leased entry
//! ```
//!
//! So a claim reads a handful of rows however long the queue is. That a partial state decides as
//! the whole one does is a property test.
//!
//! It cannot lose a message: the only removal is that of a message its holder acknowledges.

mod fairness;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muniment_model::InstitutionId;

use crate::{Claim, Identity, LEASE_FOR, Lease, Message, Release, Token};

pub(crate) use fairness::next_ready;

/// How many due and how many expired entries one claim makes ready: it stays quick after an
/// outage has made thousands due at once, and the next claim takes the rest.
pub(crate) const PROMOTE_MAX: u16 = 200;

/// Without a heartbeat for longer than this, holders may have been unable to renew: the store
/// was away, or its clock jumped. Longer than the 20 s between two renewals.
const GAP_MIN: Duration = Duration::from_secs(30);

/// How old the heartbeat may grow before it is written again: idle claims shall not write.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// The longest a message can be put off, so that no wrong number buries an item.
pub(crate) const DELAY_MAX: Duration = Duration::from_hours(24);

/// How soon work is claimed again whose holder has vanished once; doubled each time.
const VANISHED_DELAY_FIRST: Duration = Duration::from_secs(1);
const VANISHED_DELAY_MAX: Duration = Duration::from_mins(5);
/// More doublings than reach the longest delay.
const VANISHED_DOUBLINGS_MAX: u32 = 9;

/// Whether a message waits, is worked on, or is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Ready,
    Leased {
        token: Token,
        deadline: DateTime<Utc>,
        /// It was published while leased: once acknowledged, it becomes ready anew.
        again: bool,
        /// Nothing else runs in the holder's process.
        alone: bool,
    },
    Due {
        at: DateTime<Utc>,
    },
}

/// A message and what the queue knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// Claims that count.
    pub(crate) attempts: u32,
    pub(crate) vanished: u32,
    pub(crate) vanished_alone: u32,
    /// Its rank among the messages of its institution, kept until it is done: work that was begun
    /// comes before work that was not.
    pub(crate) seq: u64,
    pub(crate) phase: Phase,
}

/// What a queue keeps besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last heartbeat: a claim or a renewal.
    pub(crate) heartbeat: Option<DateTime<Utc>>,
    /// The virtual time at which the last claim was served.
    pub(crate) virtual_time: u64,
    /// The rank of the next new message.
    pub(crate) next_seq: u64,
}

/// How many entries are leased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) all: u64,
    pub(crate) big: u64,
}

/// One queue, or the part of it that a command can touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) head: Head,
    /// When each institution is served next, in virtual time.
    pub(crate) served_next: BTreeMap<InstitutionId, u64>,
    /// Of the whole queue.
    pub(crate) leased: Leased,
    pub(crate) entries: BTreeMap<Identity, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Publish(Message),
    /// Carries the token of the lease to be, since chance is not for a pure function.
    Claim(Token),
    Renew(Lease),
    RunAlone(Lease),
    Progress(Lease),
    Acknowledge(Lease),
    Release(Lease, Release),
    /// All leases of the queue are given up: their holders are known to be dead.
    Revoke,
}

/// One write. They are applied in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Moves the deadline of every lease of the queue, loaded or not.
    ShiftLeases(TimeDelta),
    /// Inserts the entry, or replaces the one of its identity.
    Put(Entry),
    Remove(Identity),
    ServedNext(InstitutionId, u64),
    Head(Head),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Claimed(Claim),
    NothingReady,
    LeaseLost,
    Revoked(u64),
}

/// Decides from the state alone. Reads nothing, writes nothing.
pub(crate) fn decide(state: &State, command: &Command, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    match command {
        Command::Publish(message) => (publish(state, message), Reply::Done),
        Command::Claim(token) => claim(state, *token, now),
        Command::Renew(lease) => renew(state, lease, now),
        Command::RunAlone(lease) => held(state, lease, |entry| Entry {
            phase: entry.phase.alone(),
            ..entry.clone()
        }),
        Command::Progress(lease) => held(state, lease, |entry| Entry {
            attempts: 0,
            vanished: 0,
            vanished_alone: 0,
            ..entry.clone()
        }),
        Command::Acknowledge(lease) => acknowledge(state, lease),
        Command::Release(lease, release) => {
            held(state, lease, |entry| entry.released(*release, now))
        }
        Command::Revoke => revoke(state, now),
    }
}

fn publish(state: &State, message: &Message) -> Vec<Change> {
    let Some(known) = state.entries.get(&message.identity()) else {
        return appended(state, message);
    };
    match known.phase {
        Phase::Leased { again: false, .. } => vec![Change::Put(Entry {
            phase: known.phase.again(),
            ..known.clone()
        })],
        Phase::Leased { again: true, .. } | Phase::Ready | Phase::Due { .. } => Vec::new(),
    }
}

/// A new message, behind all others of its institution.
fn appended(state: &State, message: &Message) -> Vec<Change> {
    let mut changes = vec![
        Change::Put(Entry {
            message: message.clone(),
            attempts: 0,
            vanished: 0,
            vanished_alone: 0,
            seq: state.head.next_seq,
            phase: Phase::Ready,
        }),
        Change::Head(Head {
            next_seq: state.head.next_seq + 1,
            ..state.head
        }),
    ];
    if !state.served_next.contains_key(&message.institution) {
        changes.push(Change::ServedNext(message.institution, 0));
    }
    changes
}

fn claim(state: &State, token: Token, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    let (shift, heartbeat) = heartbeat(state, now);
    let mut changes: Vec<Change> = shift.map(Change::ShiftLeases).into_iter().collect();
    let promoted = overdue(state, shift.unwrap_or_default(), now);
    let leased = promoted.iter().fold(state.leased, |left, entry| Leased {
        all: left.all - u64::from(entry.is_leased()),
        big: left.big - u64::from(entry.is_leased() && entry.message.is_big()),
    });
    let promoted: Vec<Entry> = promoted
        .into_iter()
        .map(|entry| entry.promoted(now))
        .collect();

    let ready = state.entries.values().filter(|entry| entry.is_ready());
    let chosen = next_ready(
        state,
        ready.chain(promoted.iter().filter(|entry| entry.is_ready())),
        leased,
    )
    .cloned();
    let chosen_identity = chosen.as_ref().map(|entry| entry.message.identity());
    changes.extend(
        promoted
            .into_iter()
            .filter(|entry| Some(entry.message.identity()) != chosen_identity)
            .map(Change::Put),
    );

    let Some(entry) = chosen else {
        if heartbeat != state.head.heartbeat {
            changes.push(Change::Head(Head {
                heartbeat,
                ..state.head
            }));
        }
        return (changes, Reply::NothingReady);
    };
    let virtual_time = state.next_service_of(entry.message.institution);
    let deadline = now + LEASE_FOR;
    let claimed = Entry {
        attempts: entry.attempts.saturating_add(1),
        phase: Phase::Leased {
            token,
            deadline,
            again: false,
            alone: false,
        },
        ..entry
    };
    changes.push(Change::Put(claimed.clone()));
    changes.push(Change::ServedNext(
        claimed.message.institution,
        virtual_time + 1,
    ));
    changes.push(Change::Head(Head {
        heartbeat,
        virtual_time,
        ..state.head
    }));
    (changes, Reply::Claimed(claimed.into_claim(token, deadline)))
}

/// The entries that are due or whose lease has run out, the longest overdue first, a bounded number of each kind.
fn overdue(state: &State, shift: TimeDelta, now: DateTime<Utc>) -> Vec<&Entry> {
    let mut due = Vec::new();
    let mut expired = Vec::new();
    for entry in state.entries.values() {
        match entry.phase {
            Phase::Due { at } if at <= now => due.push((at, entry)),
            // Also by the deadline as it is, so that leases which only a clock set back
            // would end are left to the next claim, loaded or not.
            Phase::Leased { deadline, .. } if deadline <= now && deadline + shift <= now => {
                expired.push((deadline, entry));
            }
            Phase::Ready | Phase::Due { .. } | Phase::Leased { .. } => {}
        }
    }
    [due, expired]
        .into_iter()
        .flat_map(|mut kind| {
            kind.sort_by_key(|(at, entry)| (*at, entry.seq));
            kind.truncate(usize::from(PROMOTE_MAX));
            kind
        })
        .map(|(_at, entry)| entry)
        .collect()
}

/// By how much all leases move because nobody could renew, and the heartbeat to write.
///
/// Renewals count as well as claims: workers that are all busy do not claim, and a crashed
/// neighbour's lease shall still run out.
fn heartbeat(state: &State, now: DateTime<Utc>) -> (Option<TimeDelta>, Option<DateTime<Utc>>) {
    let Some(last) = state.head.heartbeat else {
        return (None, Some(now));
    };
    let gap = now - last;
    // Also backwards: a clock set back would make leases of the dead last that much longer.
    let shift = (gap.abs() > delta(GAP_MIN)).then_some(gap);
    let heartbeat = if gap.abs() >= delta(HEARTBEAT_EVERY) {
        now
    } else {
        last
    };
    (shift, Some(heartbeat))
}

fn renew(state: &State, lease: &Lease, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    let Some(entry) = state.held(lease) else {
        return (Vec::new(), Reply::LeaseLost);
    };
    let (shift, heartbeat) = heartbeat(state, now);
    let mut changes: Vec<Change> = shift.map(Change::ShiftLeases).into_iter().collect();
    changes.push(Change::Put(Entry {
        phase: entry.phase.until(now + LEASE_FOR),
        ..entry.clone()
    }));
    if heartbeat != state.head.heartbeat {
        changes.push(Change::Head(Head {
            heartbeat,
            ..state.head
        }));
    }
    (changes, Reply::Done)
}

fn acknowledge(state: &State, lease: &Lease) -> (Vec<Change>, Reply) {
    if let Some(entry) = state.held(lease) {
        return match entry.phase {
            Phase::Leased { again: true, .. } => (appended(state, &entry.message), Reply::Done),
            Phase::Leased { again: false, .. } | Phase::Ready | Phase::Due { .. } => {
                (vec![Change::Remove(lease.identity)], Reply::Done)
            }
        };
    }
    // Acknowledged before and the answer lost on its way, or the item was dropped.
    if state.entries.contains_key(&lease.identity) {
        (Vec::new(), Reply::LeaseLost)
    } else {
        (Vec::new(), Reply::Done)
    }
}

/// What a holder changes of its own entry.
fn held(
    state: &State,
    lease: &Lease,
    change: impl FnOnce(&Entry) -> Entry,
) -> (Vec<Change>, Reply) {
    let Some(entry) = state.held(lease) else {
        return (Vec::new(), Reply::LeaseLost);
    };
    let changed = change(entry);
    if changed == *entry {
        return (Vec::new(), Reply::Done);
    }
    (vec![Change::Put(changed)], Reply::Done)
}

fn revoke(state: &State, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    let revoked: Vec<Change> = state
        .entries
        .values()
        .filter(|entry| entry.is_leased())
        .map(|entry| Change::Put(entry.promoted(now)))
        .collect();
    let count = revoked.len() as u64;
    (revoked, Reply::Revoked(count))
}

impl State {
    /// The entry that the lease is on, if it is still on it.
    ///
    /// A lease that has run out holds for as long as nobody has noticed: only a promotion takes
    /// it away, and that is where the race with another holder would begin.
    fn held(&self, lease: &Lease) -> Option<&Entry> {
        let entry = self.entries.get(&lease.identity)?;
        match entry.phase {
            Phase::Leased { token, .. } if token == lease.token => Some(entry),
            Phase::Leased { .. } | Phase::Ready | Phase::Due { .. } => None,
        }
    }
}

impl Phase {
    /// Each of these leaves alone what is not leased.
    fn until(mut self, until: DateTime<Utc>) -> Self {
        if let Self::Leased { deadline, .. } = &mut self {
            *deadline = until;
        }
        self
    }

    fn again(mut self) -> Self {
        if let Self::Leased { again, .. } = &mut self {
            *again = true;
        }
        self
    }

    fn alone(mut self) -> Self {
        if let Self::Leased { alone, .. } = &mut self {
            *alone = true;
        }
        self
    }
}

impl Entry {
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(crate) fn is_leased(&self) -> bool {
        matches!(self.phase, Phase::Leased { .. })
    }

    /// What is due becomes ready; a lease whose holder has vanished becomes due.
    fn promoted(&self, now: DateTime<Utc>) -> Self {
        let Phase::Leased { alone, .. } = self.phase else {
            return Self {
                phase: Phase::Ready,
                ..self.clone()
            };
        };
        let doublings = self.vanished.min(VANISHED_DOUBLINGS_MAX);
        let delay = VANISHED_DELAY_FIRST * 2_u32.pow(doublings);
        Self {
            attempts: self.attempts.saturating_sub(1),
            vanished: self.vanished.saturating_add(1),
            vanished_alone: self.vanished_alone.saturating_add(u32::from(alone)),
            phase: Phase::Due {
                at: now + delay.min(VANISHED_DELAY_MAX),
            },
            ..self.clone()
        }
    }

    fn released(&self, release: Release, now: DateTime<Utc>) -> Self {
        let due = |delay: Duration| Phase::Due {
            at: now + delay.min(DELAY_MAX),
        };
        let not_counted = self.attempts.saturating_sub(1);
        // The mark of a publish is needed only where the message would vanish: a release leads to
        // a claim, and that looks at everything there is.
        let (phase, attempts) = match release {
            Release::Retry(delay) => (due(delay), self.attempts),
            Release::Later(delay) => (due(delay), not_counted),
            Release::Now => (Phase::Ready, not_counted),
        };
        Self {
            attempts,
            phase,
            ..self.clone()
        }
    }

    fn into_claim(self, token: Token, deadline: DateTime<Utc>) -> Claim {
        Claim {
            lease: Lease {
                identity: self.message.identity(),
                token,
            },
            attempt: self.attempts,
            vanished: self.vanished,
            vanished_alone: self.vanished_alone,
            deadline,
            message: self.message,
        }
    }
}

/// Saturates, though no duration in here comes near the limit.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
