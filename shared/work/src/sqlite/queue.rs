//! Loads the part of a queue that a command can touch, and writes what `decide` changes.
//!
//! Everything here runs inside the caller's transaction. It decides nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muniment_model::{BatchNumber, InstitutionId, QueueName};
use sqlx::SqliteConnection;
use tracing::warn;

use crate::decide::{
    Change, Command, Entry, Head, Leased, PROMOTE_MAX, Phase, Reply, State, decide,
};
use crate::{Backlog, Identity, Message, Subject, Token, WorkError};

/// How the planner's message, which has no batch, is written in a key.
const PLANNER: i64 = -1;

pub(super) fn batch_column(batch: Option<BatchNumber>) -> i64 {
    batch.map_or(PLANNER, |batch| i64::from(batch.0))
}

/// Runs one command; answers also how many messages became ready.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    queue: QueueName,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<(usize, Reply), WorkError> {
    let state = load(connection, queue, command, now).await?;
    let (changes, reply) = decide(&state, command, now);
    let mut woken = 0;
    for change in &changes {
        woken += usize::from(matches!(change, Change::Put(entry) if entry.is_ready()));
        if let Change::ShiftLeases(by) = change {
            warn!(%queue, gap_seconds = by.num_seconds(), "nobody could renew, leases move");
        }
        apply(connection, queue, change).await?;
    }
    Ok((woken, reply))
}

/// A message as its row has it, and when its institution is served next.
macro_rules! entry_columns {
    () => {
        "m.subject, m.batch, m.institution, m.size_bytes, m.files, m.attempts, m.vanished, \
         m.vanished_alone, m.seq, m.phase, m.at, m.token, m.again, m.alone, (SELECT s.at FROM served_next s WHERE \
         s.queue = m.queue AND s.institution = m.institution) AS served_next"
    };
}

pub(super) use entry_columns;

/// The next ready message of one size: first the institution, by virtual time (at most one look
/// into the index for each), then its oldest message.
macro_rules! next_ready {
    ($big:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            entry_columns!(),
            " FROM message m WHERE m.queue = ?1 AND m.phase = 'ready' AND m.big = ",
            $big,
            " AND m.institution = (SELECT i.institution FROM served_next i WHERE i.queue = ?1 AND EXISTS \
             (SELECT 1 FROM message r WHERE r.queue = ?1 AND r.phase = 'ready' AND r.big = ",
            $big,
            " AND r.institution = i.institution) ORDER BY max(i.at, ?4), i.institution LIMIT 1) \
             ORDER BY m.seq LIMIT 1)"
        )
    };
}

macro_rules! overdue {
    ($phase:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            entry_columns!(),
            " FROM message m WHERE m.queue = ?1 AND m.phase = '",
            $phase,
            "' AND m.at <= ?2 ORDER BY m.at, m.seq LIMIT ?3)"
        )
    };
}

pub(super) const SELECT_CLAIMABLE: &str = concat!(
    overdue!("due"),
    " UNION ALL ",
    overdue!("leased"),
    " UNION ALL ",
    next_ready!("0"),
    " UNION ALL ",
    next_ready!("1")
);

const SELECT_ONE: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM message m WHERE m.queue = ?1 AND m.subject = ?2 AND m.batch = ?3"
);

const SELECT_LEASED: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM message m WHERE m.queue = ?1 AND m.phase = 'leased'"
);

async fn load(
    connection: &mut SqliteConnection,
    queue: QueueName,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<State, WorkError> {
    let head = load_head(connection, queue).await?;
    let mut state = State {
        head,
        ..State::default()
    };
    let rows = match command {
        Command::Claim(_) => {
            state.leased = load_leased(connection, queue).await?;
            load_claimable(connection, queue, head, now).await?
        }
        Command::Publish(message) => {
            let next = load_served_next(connection, queue, message.institution).await?;
            state.served_next.extend(next);
            load_one(connection, message.identity()).await?
        }
        Command::Renew(lease)
        | Command::RunAlone(lease)
        | Command::Progress(lease)
        | Command::Acknowledge(lease)
        | Command::Release(lease, _) => load_one(connection, lease.identity).await?,
        Command::Revoke => {
            sqlx::query_as(SELECT_LEASED)
                .bind(queue.as_str())
                .fetch_all(connection)
                .await?
        }
    };
    for row in rows {
        let institution = InstitutionId(row.institution);
        if let Some(at) = row.served_next {
            state.served_next.insert(institution, at.cast_unsigned());
        }
        let entry = row.into_entry(queue)?;
        state.entries.insert(entry.message.identity(), entry);
    }
    Ok(state)
}

async fn load_head(connection: &mut SqliteConnection, queue: QueueName) -> Result<Head, WorkError> {
    let row: Option<(Option<i64>, i64, i64)> =
        sqlx::query_as("SELECT heartbeat, virtual_time, next_seq FROM queue WHERE queue = ?1")
            .bind(queue.as_str())
            .fetch_optional(connection)
            .await?;
    let Some((heartbeat, virtual_time, next_seq)) = row else {
        return Ok(Head::default());
    };
    Ok(Head {
        heartbeat: heartbeat.map(time).transpose()?,
        virtual_time: virtual_time.cast_unsigned(),
        next_seq: next_seq.cast_unsigned(),
    })
}

async fn load_leased(
    connection: &mut SqliteConnection,
    queue: QueueName,
) -> Result<Leased, WorkError> {
    let (all, big): (i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(big), 0) FROM message WHERE queue = ?1 AND phase = 'leased'",
    )
    .bind(queue.as_str())
    .fetch_one(connection)
    .await?;
    Ok(Leased {
        all: all.cast_unsigned(),
        big: big.cast_unsigned(),
    })
}

async fn load_claimable(
    connection: &mut SqliteConnection,
    queue: QueueName,
    head: Head,
    now: DateTime<Utc>,
) -> Result<Vec<EntryRow>, WorkError> {
    let rows = sqlx::query_as(SELECT_CLAIMABLE)
        .bind(queue.as_str())
        .bind(now.timestamp_micros())
        .bind(i64::from(PROMOTE_MAX))
        .bind(head.virtual_time.cast_signed())
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

pub(super) async fn load_one(
    connection: &mut SqliteConnection,
    identity: Identity,
) -> Result<Vec<EntryRow>, WorkError> {
    let rows = sqlx::query_as(SELECT_ONE)
        .bind(identity.queue.as_str())
        .bind(identity.subject.to_string())
        .bind(batch_column(identity.batch))
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

async fn load_served_next(
    connection: &mut SqliteConnection,
    queue: QueueName,
    institution: InstitutionId,
) -> Result<Option<(InstitutionId, u64)>, WorkError> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT at FROM served_next WHERE queue = ?1 AND institution = ?2")
            .bind(queue.as_str())
            .bind(institution.0)
            .fetch_optional(connection)
            .await?;
    Ok(at.map(|at| (institution, at.cast_unsigned())))
}

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    subject: String,
    batch: i64,
    institution: i64,
    size_bytes: i64,
    files: u32,
    attempts: u32,
    vanished: u32,
    vanished_alone: u32,
    seq: i64,
    phase: String,
    at: Option<i64>,
    token: Option<Vec<u8>>,
    again: bool,
    alone: bool,
    served_next: Option<i64>,
}

impl EntryRow {
    pub(super) fn into_entry(self, queue: QueueName) -> Result<Entry, WorkError> {
        let foreign = || WorkError::Foreign {
            what: format!(
                "a message {}/{queue}/{} in phase {:?}",
                self.subject, self.batch, self.phase
            ),
        };
        let token = self
            .token
            .as_deref()
            .and_then(|bytes| bytes.try_into().ok())
            .map(|bytes| Token(u128::from_be_bytes(bytes)));
        let phase = match (self.phase.as_str(), self.at, token) {
            ("ready", _, _) => Phase::Ready,
            ("due", Some(at), _) => Phase::Due { at: time(at)? },
            ("leased", Some(at), Some(token)) => Phase::Leased {
                token,
                deadline: time(at)?,
                again: self.again,
                alone: self.alone,
            },
            _ => return Err(foreign()),
        };
        let batch = match self.batch {
            PLANNER => None,
            batch => Some(BatchNumber(
                u32::try_from(batch).map_err(|_too_large| foreign())?,
            )),
        };
        Ok(Entry {
            message: Message {
                subject: self.subject.parse().map_err(|_unknown| foreign())?,
                queue,
                batch,
                institution: InstitutionId(self.institution),
                size_bytes: self.size_bytes.cast_unsigned(),
                files: self.files,
            },
            attempts: self.attempts,
            vanished: self.vanished,
            vanished_alone: self.vanished_alone,
            seq: self.seq.cast_unsigned(),
            phase,
        })
    }
}

fn time(micros: i64) -> Result<DateTime<Utc>, WorkError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| WorkError::Foreign {
        what: format!("the time {micros}"),
    })
}

async fn apply(
    connection: &mut SqliteConnection,
    queue: QueueName,
    change: &Change,
) -> Result<(), WorkError> {
    match change {
        Change::ShiftLeases(by) => shift_leases(connection, queue, *by).await,
        Change::Put(entry) => put(connection, entry).await,
        Change::Remove(identity) => remove(connection, *identity).await,
        Change::ServedNext(institution, at) => {
            put_served_next(connection, queue, *institution, *at).await
        }
        Change::Head(head) => put_head(connection, queue, *head).await,
    }
}

async fn shift_leases(
    connection: &mut SqliteConnection,
    queue: QueueName,
    by: TimeDelta,
) -> Result<(), WorkError> {
    sqlx::query("UPDATE message SET at = at + ?2 WHERE queue = ?1 AND phase = 'leased'")
        .bind(queue.as_str())
        .bind(by.num_microseconds().unwrap_or_default())
        .execute(connection)
        .await?;
    Ok(())
}

async fn put(connection: &mut SqliteConnection, entry: &Entry) -> Result<(), WorkError> {
    let (phase, at, token) = match entry.phase {
        Phase::Ready => ("ready", None, None),
        Phase::Due { at } => ("due", Some(at), None),
        Phase::Leased {
            token, deadline, ..
        } => ("leased", Some(deadline), Some(token)),
    };
    let (again, alone) = match entry.phase {
        Phase::Leased { again, alone, .. } => (again, alone),
        Phase::Ready | Phase::Due { .. } => (false, false),
    };
    let message = &entry.message;
    sqlx::query(
        "INSERT INTO message (subject, queue, batch, institution, size_bytes, big, attempts, \
         vanished, vanished_alone, seq, phase, at, token, again, alone, files) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
         ON CONFLICT (subject, queue, batch) DO UPDATE SET attempts = excluded.attempts, \
         vanished = excluded.vanished, vanished_alone = excluded.vanished_alone, \
         seq = excluded.seq, phase = excluded.phase, at = excluded.at, token = excluded.token, \
         again = excluded.again, alone = excluded.alone",
    )
    .bind(message.subject.to_string())
    .bind(message.queue.as_str())
    .bind(batch_column(message.batch))
    .bind(message.institution.0)
    // Kept as the same 64 bits; no bag comes near the sign.
    .bind(message.size_bytes.cast_signed())
    .bind(message.is_big())
    .bind(entry.attempts)
    .bind(entry.vanished)
    .bind(entry.vanished_alone)
    .bind(entry.seq.cast_signed())
    .bind(phase)
    .bind(at.map(|at| at.timestamp_micros()))
    .bind(token.map(|token| token.0.to_be_bytes().to_vec()))
    .bind(again)
    .bind(alone)
    .bind(message.files)
    .execute(connection)
    .await?;
    Ok(())
}

async fn remove(connection: &mut SqliteConnection, identity: Identity) -> Result<(), WorkError> {
    sqlx::query("DELETE FROM message WHERE subject = ?1 AND queue = ?2 AND batch = ?3")
        .bind(identity.subject.to_string())
        .bind(identity.queue.as_str())
        .bind(batch_column(identity.batch))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_served_next(
    connection: &mut SqliteConnection,
    queue: QueueName,
    institution: InstitutionId,
    at: u64,
) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO served_next (queue, institution, at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (queue, institution) DO UPDATE SET at = excluded.at",
    )
    .bind(queue.as_str())
    .bind(institution.0)
    .bind(at.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_head(
    connection: &mut SqliteConnection,
    queue: QueueName,
    head: Head,
) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO queue (queue, heartbeat, virtual_time, next_seq) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (queue) DO UPDATE SET heartbeat = excluded.heartbeat, \
         virtual_time = excluded.virtual_time, next_seq = excluded.next_seq",
    )
    .bind(queue.as_str())
    .bind(head.heartbeat.map(|at| at.timestamp_micros()))
    .bind(head.virtual_time.cast_signed())
    .bind(head.next_seq.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn backlog(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<QueueName, Backlog>, WorkError> {
    let rows: Vec<(String, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT queue, sum(phase = 'ready'), sum(phase = 'leased'), sum(phase = 'due'), \
         sum(size_bytes), sum(files) FROM message GROUP BY queue",
    )
    .fetch_all(connection)
    .await?;
    let mut backlog: BTreeMap<QueueName, Backlog> = QueueName::ALL
        .iter()
        .map(|queue| (*queue, Backlog::default()))
        .collect();
    for (name, ready, leased, due, size_bytes, files) in rows {
        let queue = name.parse().map_err(|_unknown| WorkError::Foreign {
            what: format!("a queue {name:?}"),
        })?;
        let counts = Backlog {
            ready: ready.cast_unsigned(),
            leased: leased.cast_unsigned(),
            due: due.cast_unsigned(),
            size_bytes: size_bytes.cast_unsigned(),
            files: files.cast_unsigned(),
        };
        backlog.insert(queue, counts);
    }
    Ok(backlog)
}

pub(super) async fn is_known(
    connection: &mut SqliteConnection,
    (subject, queue): (Subject, QueueName),
) -> Result<bool, WorkError> {
    let known = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM message WHERE subject = ?1 AND queue = ?2)",
    )
    .bind(subject.to_string())
    .bind(queue.as_str())
    .fetch_one(connection)
    .await?;
    Ok(known)
}

pub(super) async fn is_leased(
    connection: &mut SqliteConnection,
    subject: Subject,
    now: DateTime<Utc>,
) -> Result<bool, WorkError> {
    let leased = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM message \
         WHERE subject = ?1 AND phase = 'leased' AND at > ?2)",
    )
    .bind(subject.to_string())
    .bind(now.timestamp_micros())
    .fetch_one(connection)
    .await?;
    Ok(leased)
}

/// Removes every message of the subject but `kept`.
pub(super) async fn remove_all(
    connection: &mut SqliteConnection,
    subject: Subject,
    kept: Option<Identity>,
) -> Result<(), WorkError> {
    let kept = kept.map_or((String::new(), PLANNER), |kept| {
        (kept.queue.to_string(), batch_column(kept.batch))
    });
    sqlx::query("DELETE FROM message WHERE subject = ?1 AND NOT (queue = ?2 AND batch = ?3)")
        .bind(subject.to_string())
        .bind(kept.0)
        .bind(kept.1)
        .execute(connection)
        .await?;
    Ok(())
}
