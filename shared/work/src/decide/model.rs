//! A queue in memory, for tests: the whole state, the part of it that a command may see, and
//! random commands.

use chrono::{DateTime, TimeDelta, Utc};
use muniment_model::{BatchNumber, InstitutionId, QueueName, WorkItemId};
use proptest::prelude::*;

use super::{Change, Command, Leased, PROMOTE_MAX, Phase, Reply, State, decide, next_ready};
use crate::{BATCH_BYTES_MAX, Claim, Lease, Message, Release, Subject, Token};

pub(crate) const QUEUE: QueueName = QueueName::IngestValidator;

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

/// Items of one institution share their last digit.
pub(crate) fn message(item: i64, batch: Option<u32>) -> Message {
    Message {
        subject: Subject::Item(WorkItemId(item)),
        queue: QUEUE,
        batch: batch.map(BatchNumber),
        institution: InstitutionId(item % 10),
        size_bytes: 1,
        files: 0,
    }
}

pub(crate) fn big_message(item: i64) -> Message {
    Message {
        size_bytes: BATCH_BYTES_MAX + 1,
        ..message(item, None)
    }
}

impl State {
    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            self.apply_one(change);
        }
        let leased = || self.entries.values().filter(|entry| entry.is_leased());
        self.leased = Leased {
            all: leased().count() as u64,
            big: leased().filter(|entry| entry.message.is_big()).count() as u64,
        };
    }

    fn apply_one(&mut self, change: &Change) {
        match change {
            Change::ShiftLeases(by) => {
                for entry in self.entries.values_mut() {
                    if let Phase::Leased { deadline, .. } = &mut entry.phase {
                        *deadline += *by;
                    }
                }
            }
            Change::Put(entry) => {
                self.entries.insert(entry.message.identity(), entry.clone());
            }
            Change::Remove(identity) => {
                self.entries.remove(identity);
            }
            Change::ServedNext(institution, at) => {
                self.served_next.insert(*institution, *at);
            }
            Change::Head(head) => self.head = *head,
        }
    }

    /// What a back end loads for the command: see the table in `decide`.
    pub(crate) fn seen_by(&self, command: &Command, now: DateTime<Utc>) -> Self {
        let keep: Vec<_> = match command {
            Command::Publish(message) => vec![message.identity()],
            Command::Renew(lease)
            | Command::RunAlone(lease)
            | Command::Progress(lease)
            | Command::Acknowledge(lease)
            | Command::Release(lease, _) => vec![lease.identity],
            Command::Revoke => self.identities(|phase| matches!(phase, Phase::Leased { .. })),
            Command::Claim(_) => {
                let due =
                    self.first_overdue(|phase| matches!(phase, Phase::Due { at } if *at <= now));
                let expired = self.first_overdue(
                    |phase| matches!(phase, Phase::Leased { deadline, .. } if *deadline <= now),
                );
                let heads = [true, false].into_iter().filter_map(|big| {
                    let ready = self
                        .entries
                        .values()
                        .filter(|entry| entry.is_ready() && entry.message.is_big() == big);
                    Some(
                        next_ready(self, ready, Leased::default())?
                            .message
                            .identity(),
                    )
                });
                due.into_iter().chain(expired).chain(heads).collect()
            }
        };
        Self {
            entries: self
                .entries
                .iter()
                .filter(|(identity, _entry)| keep.contains(identity))
                .map(|(identity, entry)| (*identity, entry.clone()))
                .collect(),
            ..self.clone()
        }
    }

    fn identities(&self, wanted: impl Fn(&Phase) -> bool) -> Vec<crate::Identity> {
        self.entries
            .iter()
            .filter(|(_identity, entry)| wanted(&entry.phase))
            .map(|(identity, _entry)| *identity)
            .collect()
    }

    fn first_overdue(&self, wanted: impl Fn(&Phase) -> bool) -> Vec<crate::Identity> {
        let mut overdue = self.identities(wanted);
        overdue.sort_by_key(|identity| {
            let entry = &self.entries[identity];
            let at = match entry.phase {
                Phase::Ready => None,
                Phase::Leased { deadline, .. } => Some(deadline),
                Phase::Due { at } => Some(at),
            };
            (at, entry.seq)
        });
        overdue.truncate(usize::from(PROMOTE_MAX));
        overdue
    }
}

/// A queue with its clock, as a test drives it.
pub(crate) struct Model {
    pub(crate) state: State,
    pub(crate) now: DateTime<Utc>,
    tokens: u128,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            state: State::default(),
            now: start(),
            tokens: 0,
        }
    }

    pub(crate) fn run(&mut self, command: &Command) -> Reply {
        let (changes, reply) = decide(&self.state, command, self.now);
        self.state.apply(&changes);
        reply
    }

    pub(crate) fn publish(&mut self, message: &Message) {
        self.run(&Command::Publish(message.clone()));
    }

    pub(crate) fn claim(&mut self) -> Option<Claim> {
        self.tokens += 1;
        match self.run(&Command::Claim(Token(self.tokens))) {
            Reply::Claimed(claim) => Some(claim),
            Reply::Done | Reply::NothingReady | Reply::LeaseLost | Reply::Revoked(_) => None,
        }
    }

    pub(crate) fn acknowledge(&mut self, lease: Lease) -> Reply {
        self.run(&Command::Acknowledge(lease))
    }

    pub(crate) fn release(&mut self, lease: Lease, release: Release) -> Reply {
        self.run(&Command::Release(lease, release))
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}

/// One step of a random run. A lease is one of those claimed so far, lost ones included.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Publish(Message),
    Claim,
    Renew(prop::sample::Index),
    RunAlone(prop::sample::Index),
    Progress(prop::sample::Index),
    Acknowledge(prop::sample::Index),
    Release(prop::sample::Index, Release),
    Revoke,
    Pass(i64),
}

impl Step {
    /// The command it means, if it means one: time may pass instead, or no lease exist.
    pub(crate) fn command(&self, leases: &[Lease], token: Token) -> Option<Command> {
        let lease = |index: &prop::sample::Index| (!leases.is_empty()).then(|| *index.get(leases));
        match self {
            Self::Publish(message) => Some(Command::Publish(message.clone())),
            Self::Claim => Some(Command::Claim(token)),
            Self::Renew(index) => lease(index).map(Command::Renew),
            Self::RunAlone(index) => lease(index).map(Command::RunAlone),
            Self::Progress(index) => lease(index).map(Command::Progress),
            Self::Acknowledge(index) => lease(index).map(Command::Acknowledge),
            Self::Release(index, release) => {
                lease(index).map(|lease| Command::Release(lease, *release))
            }
            Self::Revoke => Some(Command::Revoke),
            Self::Pass(_) => None,
        }
    }
}

pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    // Ten or so identities, so that steps meet; every third item is big.
    let published = (1_i64..12, prop::option::of(0_u32..2)).prop_map(|(item, batch)| {
        let size_bytes = if item % 3 == 0 {
            BATCH_BYTES_MAX + 1
        } else {
            1
        };
        Message {
            institution: InstitutionId(item % 4),
            size_bytes,
            ..message(item, batch)
        }
    });
    let delay = || (0_u64..100).prop_map(std::time::Duration::from_secs);
    let release = prop_oneof![
        1 => delay().prop_map(Release::Retry),
        1 => delay().prop_map(Release::Later),
        1 => Just(Release::Now),
    ];
    let lease = any::<prop::sample::Index>;
    let step = prop_oneof![
        6 => published.prop_map(Step::Publish),
        6 => Just(Step::Claim),
        3 => lease().prop_map(Step::Renew),
        1 => lease().prop_map(Step::RunAlone),
        1 => lease().prop_map(Step::Progress),
        3 => lease().prop_map(Step::Acknowledge),
        3 => (lease(), release).prop_map(|(at, how)| Step::Release(at, how)),
        1 => Just(Step::Revoke),
        4 => (0_i64..25).prop_map(Step::Pass),
        1 => (-100_i64..100).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..length)
}
