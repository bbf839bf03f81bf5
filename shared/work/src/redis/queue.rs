//! What the scripts of the queue are asked, and what they answer.

use std::collections::BTreeMap;
use std::num::ParseIntError;
use std::time::Duration;

use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, InstitutionId, QueueName, WorkItemId};
use redis::aio::ConnectionManager;

use super::scripts;
use crate::decide::{DELAY_MAX, Entry, Phase};
use crate::{Backlog, Claim, Identity, Lease, Message, Release, Subject, Token, WorkError};

/// How the planner's message, which has no batch, is written.
const PLANNER: &str = "-1";

pub(super) fn batch_text(batch: Option<BatchNumber>) -> String {
    batch.map_or_else(|| PLANNER.to_owned(), |batch| batch.to_string())
}

/// As a field has it.
fn is_big(message: &Message) -> &'static str {
    if message.is_big() { "1" } else { "0" }
}

/// What is known of a lease that was claimed, or of none.
pub(super) enum Claimed {
    /// With the number of the claim: a later one of the same work has a higher.
    Some(Claim, String),
    /// And in which time something falls due at the earliest.
    Nothing(Option<Duration>),
}

/// Where the queues of an installation are, and what time it is there.
pub(super) struct Scripts<'a> {
    pub(super) connection: ConnectionManager,
    /// In braces: all keys of the queues begin with it.
    pub(super) tag: &'a str,
    /// Empty for the server's own time.
    pub(super) now: String,
}

/// What a holder does with its lease.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Look,
    Renew,
    RunAlone,
    Progress,
    Acknowledge,
    Release(Release),
}

impl Act {
    fn words(self) -> (&'static str, Duration) {
        match self {
            Self::Look => ("look", Duration::ZERO),
            Self::Renew => ("renew", Duration::ZERO),
            Self::RunAlone => ("run_alone", Duration::ZERO),
            Self::Progress => ("progress", Duration::ZERO),
            Self::Acknowledge => ("acknowledge", Duration::ZERO),
            Self::Release(Release::Retry(delay)) => ("retry", delay),
            Self::Release(Release::Later(delay)) => ("later", delay),
            Self::Release(Release::Now) => ("now", Duration::ZERO),
        }
    }
}

impl Scripts<'_> {
    pub(super) async fn publish(&mut self, messages: &[Message]) -> Result<(), WorkError> {
        let mut call = scripts::PUBLISH.key(self.tag);
        for message in messages {
            let item = match message.subject {
                Subject::Item(item) => item.to_string(),
                Subject::File(_) => String::new(),
            };
            call.arg(message.queue.as_str())
                .arg(message.subject.to_string())
                .arg(batch_text(message.batch))
                .arg(message.institution.0)
                .arg(message.size_bytes)
                .arg(is_big(message))
                .arg(message.files)
                .arg(item);
        }
        let _done: String = call.invoke_async(&mut self.connection).await?;
        Ok(())
    }

    pub(super) async fn claim(
        &mut self,
        queue: QueueName,
        token: Token,
    ) -> Result<Claimed, WorkError> {
        let mut call = scripts::CLAIM.key(self.tag);
        call.arg(queue.as_str())
            .arg(token.to_string())
            .arg(&self.now);
        let answer: Vec<String> = call.invoke_async(&mut self.connection).await?;
        match answer.as_slice() {
            [word, due_in] if word == "nothing" => Ok(Claimed::Nothing(
                due_in.parse().ok().map(Duration::from_micros),
            )),
            [word, row @ .., fence] if word == "claimed" => {
                let claim = read_claim(queue, token, row).ok_or_else(foreign)?;
                Ok(Claimed::Some(claim, fence.clone()))
            }
            _ => Err(foreign()),
        }
    }

    /// Answers the number of the claim; `None` where the lease is lost.
    pub(super) async fn held(
        &mut self,
        lease: &Lease,
        act: Act,
    ) -> Result<Option<String>, WorkError> {
        let identity = lease.identity;
        let (word, delay) = act.words();
        let mut call = scripts::HELD.key(self.tag);
        call.arg(word)
            .arg(identity.queue.as_str())
            .arg(identity.subject.to_string())
            .arg(batch_text(identity.batch))
            .arg(lease.token.to_string())
            .arg(&self.now)
            .arg(delay.min(DELAY_MAX).as_micros().to_string());
        let (ended, fence): (String, String) = call.invoke_async(&mut self.connection).await?;
        Ok((ended == "done").then_some(fence))
    }

    pub(super) async fn backlog(&mut self) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
        let mut call = scripts::LOOK.key(self.tag);
        call.arg("backlog").arg(&self.now);
        for queue in QueueName::ALL {
            call.arg(queue.as_str());
        }
        let counts: Vec<u64> = call.invoke_async(&mut self.connection).await?;
        let (rows, _rest) = counts.as_chunks::<5>();
        let backlogs = rows.iter().map(|row| {
            let [ready, leased, due, size_bytes, files] = *row;
            Backlog {
                ready,
                leased,
                due,
                size_bytes,
                files,
            }
        });
        Ok(QueueName::ALL.iter().copied().zip(backlogs).collect())
    }

    pub(super) async fn are_known(
        &mut self,
        asked: &[(Subject, QueueName)],
    ) -> Result<Vec<bool>, WorkError> {
        let mut call = scripts::LOOK.key(self.tag);
        call.arg("known").arg(&self.now);
        for (subject, queue) in asked {
            call.arg(queue.as_str()).arg(subject.to_string());
        }
        Ok(call.invoke_async(&mut self.connection).await?)
    }

    pub(super) async fn is_leased(&mut self, subject: Subject) -> Result<bool, WorkError> {
        let mut call = scripts::LOOK.key(self.tag);
        call.arg("leased").arg(&self.now).arg(subject.to_string());
        for queue in QueueName::ALL {
            call.arg(queue.as_str());
        }
        let (leased,): (bool,) = call.invoke_async(&mut self.connection).await?;
        Ok(leased)
    }

    /// What the queues hold of an item, in the order of the queues, the planner of each first.
    pub(super) async fn entries_of(&mut self, item: WorkItemId) -> Result<Vec<Entry>, WorkError> {
        let subject = Subject::Item(item);
        let mut call = scripts::VIEW.key(self.tag);
        call.arg(subject.to_string());
        for queue in QueueName::ALL {
            call.arg(queue.as_str());
        }
        let rows: Vec<Vec<String>> = call.invoke_async(&mut self.connection).await?;
        let entries = rows.iter().map(|row| read_entry(subject, row));
        let entries: Option<Vec<(usize, Entry)>> = entries.collect();
        let mut entries = entries.ok_or_else(foreign)?;
        entries.sort_by_key(|(queue, entry)| (*queue, entry.message.batch));
        Ok(entries.into_iter().map(|(_queue, entry)| entry).collect())
    }
}

/// Something else than these scripts answers.
pub(super) fn foreign() -> WorkError {
    WorkError::Foreign {
        what: "a message".to_owned(),
    }
}

fn read_batch(text: &str) -> Result<Option<BatchNumber>, ParseIntError> {
    if text == PLANNER {
        return Ok(None);
    }
    Ok(Some(BatchNumber(text.parse()?)))
}

fn read_time(micros: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros.parse().ok()?)
}

fn read_claim(queue: QueueName, token: Token, row: &[String]) -> Option<Claim> {
    let [
        subject,
        batch,
        institution,
        size_bytes,
        files,
        counts @ ..,
        deadline,
    ] = row
    else {
        return None;
    };
    let [attempt, vanished, vanished_alone] = counts else {
        return None;
    };
    let message = Message {
        subject: subject.parse().ok()?,
        queue,
        batch: read_batch(batch).ok()?,
        institution: InstitutionId(institution.parse().ok()?),
        size_bytes: size_bytes.parse().ok()?,
        files: files.parse().ok()?,
    };
    let identity: Identity = message.identity();
    Some(Claim {
        message,
        lease: Lease { identity, token },
        attempt: attempt.parse().ok()?,
        vanished: vanished.parse().ok()?,
        vanished_alone: vanished_alone.parse().ok()?,
        deadline: read_time(deadline)?,
    })
}

/// The fields of `lua/queue.lua`, after the number of the queue.
fn read_entry(subject: Subject, row: &[String]) -> Option<(usize, Entry)> {
    let [
        queue,
        _subject,
        batch,
        institution,
        size_bytes,
        _big,
        files,
        rest @ ..,
    ] = row
    else {
        return None;
    };
    let [attempts, vanished, vanished_alone, seq, rest @ ..] = rest else {
        return None;
    };
    let [phase, at, token, again, alone, _fence] = rest else {
        return None;
    };
    let number = queue.parse().ok()?;
    let phase = match phase.as_str() {
        "ready" => Phase::Ready,
        "due" => Phase::Due { at: read_time(at)? },
        "leased" => Phase::Leased {
            token: Token(u128::from_str_radix(token, 16).ok()?),
            deadline: read_time(at)?,
            again: again == "1",
            alone: alone == "1",
        },
        _ => return None,
    };
    let entry = Entry {
        message: Message {
            subject,
            queue: *QueueName::ALL.get(number)?,
            batch: read_batch(batch).ok()?,
            institution: InstitutionId(institution.parse().ok()?),
            size_bytes: size_bytes.parse().ok()?,
            files: files.parse().ok()?,
        },
        attempts: attempts.parse().ok()?,
        vanished: vanished.parse().ok()?,
        vanished_alone: vanished_alone.parse().ok()?,
        seq: seq.parse().ok()?,
        phase,
    };
    Some((number, entry))
}
