//! The queue's logic, whole: what a command changes in one queue, and what is answered.
//!
//! Pure: no I/O, no clock, no chance. Every back end loads a [`State`], calls [`decide`] and
//! writes the changes in one transaction; tests run it on a state in memory as their oracle.
//!
//! Safe to repeat: publishing is idempotent, and renew, settle and progress need the token of a
//! live lease, so a late or second one changes nothing.
//!
//! A state need not hold the whole queue, only what the command can touch:
//!
//! ```text
//! publish                  the entry of that identity, the institution's turn
//! renew, settle, progress  the entry of that identity
//! claim                    the oldest overdue entries (PROMOTE_MAX due, PROMOTE_MAX leased), the
//!                          next small and the next big ready entry, their institutions' turns
//! void                     every leased entry
//! ```
//!
//! So a claim reads a handful of rows however long the queue is. That a partial state decides as
//! the whole one does is a property test.
//!
//! It cannot lose a message: the only removal is that of a message settled as done by its holder.

mod turns;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muniment_model::InstitutionId;

use crate::{Claim, Identity, LEASE_FOR, Lease, Message, Settlement, Token};

pub(crate) use turns::next_ready;

/// How many due and how many expired entries one claim makes ready: it stays quick after an
/// outage has made thousands due at once, and the next claim takes the rest.
pub(crate) const PROMOTE_MAX: u16 = 200;

/// Without a sign of life for longer than this, holders may have been unable to renew: the store
/// was away, or its clock jumped. Longer than the 20 s between two renewals.
const GAP_MIN: Duration = Duration::from_secs(30);

/// How old the sign of life may grow before it is written again: idle claims shall not write.
const PULSE_EVERY: Duration = Duration::from_secs(5);

/// The longest a message can be put off, so that no wrong number buries an item.
pub(crate) const DELAY_MAX: Duration = Duration::from_hours(24);

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Ready,
    Leased {
        token: Token,
        deadline: DateTime<Utc>,
        /// It was published while leased: once done, it becomes ready anew.
        again: bool,
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
    /// Its place among the messages of its institution, kept until it is done: work that was
    /// begun comes before work that was not.
    pub(crate) seq: u64,
    pub(crate) phase: Phase,
}

/// What a queue keeps besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last sign of life: a claim or a renewal.
    pub(crate) pulse: Option<DateTime<Utc>>,
    /// The virtual time: the turn of whatever was claimed last.
    pub(crate) turn: u64,
    /// The place of the next new message.
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
    /// When each institution's turn comes, in virtual time.
    pub(crate) turns: BTreeMap<InstitutionId, u64>,
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
    Settle(Lease, Settlement),
    Progress(Lease),
    /// All leases of the queue are given up: their holders are known to be dead.
    Void,
}

/// One write. They are applied in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Moves the deadline of every lease of the queue, loaded or not.
    ShiftLeases(TimeDelta),
    /// Inserts the entry, or replaces the one of its identity.
    Put(Entry),
    Remove(Identity),
    Turn(InstitutionId, u64),
    Head(Head),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Claimed(Claim),
    NothingReady,
    LeaseLost,
    Voided(u64),
}

/// Decides from the state alone. Reads nothing, writes nothing.
pub(crate) fn decide(state: &State, command: &Command, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    match command {
        Command::Publish(message) => (publish(state, message), Reply::Done),
        Command::Claim(token) => claim(state, *token, now),
        Command::Renew(lease) => renew(state, lease, now),
        Command::Settle(lease, settlement) => settle(state, lease, *settlement, now),
        Command::Progress(lease) => progress(state, lease),
        Command::Void => void(state),
    }
}

fn publish(state: &State, message: &Message) -> Vec<Change> {
    let Some(known) = state.entries.get(&message.identity()) else {
        return appended(state, message);
    };
    match known.phase {
        Phase::Leased {
            token,
            deadline,
            again: false,
        } => {
            let phase = Phase::Leased {
                token,
                deadline,
                again: true,
            };
            vec![Change::Put(Entry {
                phase,
                ..known.clone()
            })]
        }
        Phase::Leased { again: true, .. } | Phase::Ready | Phase::Due { .. } => Vec::new(),
    }
}

/// A new message, behind all others of its institution.
fn appended(state: &State, message: &Message) -> Vec<Change> {
    let mut changes = vec![
        Change::Put(Entry {
            message: message.clone(),
            attempts: 0,
            seq: state.head.next_seq,
            phase: Phase::Ready,
        }),
        Change::Head(Head {
            next_seq: state.head.next_seq + 1,
            ..state.head
        }),
    ];
    if !state.turns.contains_key(&message.institution) {
        changes.push(Change::Turn(message.institution, 0));
    }
    changes
}

fn claim(state: &State, token: Token, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    let (shift, pulse) = sign_of_life(state, now);
    let mut changes: Vec<Change> = shift.map(Change::ShiftLeases).into_iter().collect();
    let promoted = overdue(state, shift.unwrap_or_default(), now);
    let leased = promoted.iter().fold(state.leased, |left, entry| Leased {
        all: left.all - u64::from(entry.is_leased()),
        big: left.big - u64::from(entry.is_leased() && entry.message.is_big()),
    });
    let promoted: Vec<Entry> = promoted.into_iter().map(Entry::made_ready).collect();

    let ready = state.entries.values().filter(|entry| entry.is_ready());
    let chosen = next_ready(state, ready.chain(&promoted), leased).cloned();
    let chosen_identity = chosen.as_ref().map(|entry| entry.message.identity());
    changes.extend(
        promoted
            .into_iter()
            .filter(|entry| Some(entry.message.identity()) != chosen_identity)
            .map(Change::Put),
    );

    let Some(entry) = chosen else {
        if pulse != state.head.pulse {
            changes.push(Change::Head(Head {
                pulse,
                ..state.head
            }));
        }
        return (changes, Reply::NothingReady);
    };
    let turn = state.turn_of(entry.message.institution);
    let deadline = now + LEASE_FOR;
    let claimed = Entry {
        attempts: entry.attempts.saturating_add(1),
        phase: Phase::Leased {
            token,
            deadline,
            again: false,
        },
        ..entry
    };
    changes.push(Change::Put(claimed.clone()));
    changes.push(Change::Turn(claimed.message.institution, turn + 1));
    changes.push(Change::Head(Head {
        pulse,
        turn,
        ..state.head
    }));
    (changes, Reply::Claimed(claimed.into_claim(token, deadline)))
}

/// The entries that become ready now, the longest overdue first, a bounded number of each kind.
fn overdue(state: &State, shift: TimeDelta, now: DateTime<Utc>) -> Vec<&Entry> {
    let mut due = Vec::new();
    let mut expired = Vec::new();
    for entry in state.entries.values() {
        match entry.phase {
            Phase::Due { at } if at <= now => due.push((at, entry)),
            // Also by the deadline as it stands, so that leases which only a clock set back
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

/// By how much all leases move because nobody could renew, and the sign of life to write.
///
/// Renewals count as well as claims: workers that are all busy do not claim, and a crashed
/// neighbour's lease shall still run out.
fn sign_of_life(state: &State, now: DateTime<Utc>) -> (Option<TimeDelta>, Option<DateTime<Utc>>) {
    let Some(last) = state.head.pulse else {
        return (None, Some(now));
    };
    let gap = now - last;
    // Also backwards: a clock set back would make leases of the dead last that much longer.
    let shift = (gap.abs() > delta(GAP_MIN)).then_some(gap);
    let pulse = if gap.abs() >= delta(PULSE_EVERY) {
        now
    } else {
        last
    };
    (shift, Some(pulse))
}

fn renew(state: &State, lease: &Lease, now: DateTime<Utc>) -> (Vec<Change>, Reply) {
    let Some((entry, again)) = state.held(lease) else {
        return (Vec::new(), Reply::LeaseLost);
    };
    let (shift, pulse) = sign_of_life(state, now);
    let mut changes: Vec<Change> = shift.map(Change::ShiftLeases).into_iter().collect();
    let phase = Phase::Leased {
        token: lease.token,
        deadline: now + LEASE_FOR,
        again,
    };
    changes.push(Change::Put(Entry {
        phase,
        ..entry.clone()
    }));
    if pulse != state.head.pulse {
        changes.push(Change::Head(Head {
            pulse,
            ..state.head
        }));
    }
    (changes, Reply::Done)
}

fn settle(
    state: &State,
    lease: &Lease,
    settlement: Settlement,
    now: DateTime<Utc>,
) -> (Vec<Change>, Reply) {
    let Some((entry, again)) = state.held(lease) else {
        // Settled before and the answer lost on its way, or the item was dropped.
        let gone = !state.entries.contains_key(&lease.identity());
        return match settlement {
            Settlement::Done if gone => (Vec::new(), Reply::Done),
            Settlement::Done
            | Settlement::RetryAfter(_)
            | Settlement::Wait(_)
            | Settlement::HandBack => (Vec::new(), Reply::LeaseLost),
        };
    };
    let due = |delay: Duration| Phase::Due {
        at: now + delay.min(DELAY_MAX),
    };
    // The mark of a publish is needed only where the message would vanish: any other settlement
    // leads to a claim, and that looks at everything there is.
    let (phase, attempts) = match settlement {
        Settlement::Done if again => return (appended(state, &entry.message), Reply::Done),
        Settlement::Done => return (vec![Change::Remove(lease.identity())], Reply::Done),
        Settlement::RetryAfter(delay) => (due(delay), entry.attempts),
        Settlement::Wait(delay) => (due(delay), entry.attempts.saturating_sub(1)),
        Settlement::HandBack => (Phase::Ready, entry.attempts.saturating_sub(1)),
    };
    let settled = Entry {
        attempts,
        phase,
        ..entry.clone()
    };
    (vec![Change::Put(settled)], Reply::Done)
}

fn progress(state: &State, lease: &Lease) -> (Vec<Change>, Reply) {
    let Some((entry, _again)) = state.held(lease) else {
        return (Vec::new(), Reply::LeaseLost);
    };
    if entry.attempts == 0 {
        return (Vec::new(), Reply::Done);
    }
    let reset = Entry {
        attempts: 0,
        ..entry.clone()
    };
    (vec![Change::Put(reset)], Reply::Done)
}

/// The attempts of the dead count, so that a job which kills its process is bounded.
fn void(state: &State) -> (Vec<Change>, Reply) {
    let voided: Vec<Change> = state
        .entries
        .values()
        .filter(|entry| entry.is_leased())
        .map(|entry| Change::Put(entry.made_ready()))
        .collect();
    let count = voided.len() as u64;
    (voided, Reply::Voided(count))
}

impl State {
    /// The entry that the lease is on, if it is still on it, and whether it was published again.
    ///
    /// A lease that has run out holds for as long as nobody has noticed: only a promotion takes
    /// it away, and that is where the race with another holder would begin.
    fn held(&self, lease: &Lease) -> Option<(&Entry, bool)> {
        let entry = self.entries.get(&lease.identity())?;
        match entry.phase {
            Phase::Leased { token, again, .. } if token == lease.token => Some((entry, again)),
            Phase::Leased { .. } | Phase::Ready | Phase::Due { .. } => None,
        }
    }
}

impl Entry {
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(crate) fn is_leased(&self) -> bool {
        matches!(self.phase, Phase::Leased { .. })
    }

    fn made_ready(&self) -> Self {
        Self {
            phase: Phase::Ready,
            ..self.clone()
        }
    }

    fn into_claim(self, token: Token, deadline: DateTime<Utc>) -> Claim {
        let Identity { item, queue, batch } = self.message.identity();
        Claim {
            lease: Lease {
                item,
                queue,
                batch,
                token,
            },
            attempt: self.attempts,
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
