//! Loads the part of a queue that a command can touch, and writes what `decide` changes.
//!
//! Everything here runs inside the caller's transaction. It decides nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muniment_model::{BatchNumber, InstitutionId, Queue, WorkItemId};
use sqlx::SqliteConnection;
use tracing::warn;

use crate::decide::{
    Change, Command, Entry, Head, Leased, PROMOTE_MAX, Phase, Reply, State, decide,
};
use crate::{Identity, Message, Token, Waiting, WorkError};

/// How the planner's message, which has no batch, is written in a key.
const PLANNER: i64 = -1;

pub(super) fn batch_column(batch: Option<BatchNumber>) -> i64 {
    batch.map_or(PLANNER, |batch| i64::from(batch.0))
}

/// Runs one command; answers also how many messages became ready.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    queue: Queue,
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

/// A message as its row has it, with the turn of its institution.
macro_rules! entry_columns {
    () => {
        "m.item, m.batch, m.institution, m.size_bytes, m.attempts, m.seq, m.phase, m.at, m.token, \
         m.again, (SELECT t.turn FROM turn t WHERE t.queue = m.queue AND t.institution = \
         m.institution) AS turn"
    };
}

/// The next ready message of one size: first the institution, by virtual time (at most one look
/// into the index for each), then its oldest message.
macro_rules! next_ready {
    ($big:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            entry_columns!(),
            " FROM message m WHERE m.queue = ?1 AND m.phase = 'ready' AND m.big = ",
            $big,
            " AND m.institution = (SELECT i.institution FROM turn i WHERE i.queue = ?1 AND EXISTS \
             (SELECT 1 FROM message r WHERE r.queue = ?1 AND r.phase = 'ready' AND r.big = ",
            $big,
            " AND r.institution = i.institution) ORDER BY max(i.turn, ?4), i.institution LIMIT 1) \
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
    " FROM message m WHERE m.queue = ?1 AND m.item = ?2 AND m.batch = ?3"
);

const SELECT_LEASED: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM message m WHERE m.queue = ?1 AND m.phase = 'leased'"
);

async fn load(
    connection: &mut SqliteConnection,
    queue: Queue,
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
            let turn = load_turn(connection, queue, message.institution).await?;
            state.turns.extend(turn);
            load_one(connection, message.identity()).await?
        }
        Command::Renew(lease) | Command::Settle(lease, _) | Command::Progress(lease) => {
            load_one(connection, lease.identity()).await?
        }
        Command::Void => {
            sqlx::query_as(SELECT_LEASED)
                .bind(queue.as_str())
                .fetch_all(connection)
                .await?
        }
    };
    for row in rows {
        let institution = InstitutionId(row.institution);
        if let Some(turn) = row.turn {
            state.turns.insert(institution, turn.cast_unsigned());
        }
        let entry = row.into_entry(queue)?;
        state.entries.insert(entry.message.identity(), entry);
    }
    Ok(state)
}

async fn load_head(connection: &mut SqliteConnection, queue: Queue) -> Result<Head, WorkError> {
    let row: Option<(Option<i64>, i64, i64)> =
        sqlx::query_as("SELECT pulse, turn, next_seq FROM queue WHERE queue = ?1")
            .bind(queue.as_str())
            .fetch_optional(connection)
            .await?;
    let Some((pulse, turn, next_seq)) = row else {
        return Ok(Head::default());
    };
    Ok(Head {
        pulse: pulse.map(time).transpose()?,
        turn: turn.cast_unsigned(),
        next_seq: next_seq.cast_unsigned(),
    })
}

async fn load_leased(connection: &mut SqliteConnection, queue: Queue) -> Result<Leased, WorkError> {
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
    queue: Queue,
    head: Head,
    now: DateTime<Utc>,
) -> Result<Vec<EntryRow>, WorkError> {
    let rows = sqlx::query_as(SELECT_CLAIMABLE)
        .bind(queue.as_str())
        .bind(now.timestamp_micros())
        .bind(i64::from(PROMOTE_MAX))
        .bind(head.turn.cast_signed())
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

async fn load_one(
    connection: &mut SqliteConnection,
    identity: Identity,
) -> Result<Vec<EntryRow>, WorkError> {
    let rows = sqlx::query_as(SELECT_ONE)
        .bind(identity.queue.as_str())
        .bind(identity.item.0)
        .bind(batch_column(identity.batch))
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

async fn load_turn(
    connection: &mut SqliteConnection,
    queue: Queue,
    institution: InstitutionId,
) -> Result<Option<(InstitutionId, u64)>, WorkError> {
    let turn: Option<i64> =
        sqlx::query_scalar("SELECT turn FROM turn WHERE queue = ?1 AND institution = ?2")
            .bind(queue.as_str())
            .bind(institution.0)
            .fetch_optional(connection)
            .await?;
    Ok(turn.map(|turn| (institution, turn.cast_unsigned())))
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    item: i64,
    batch: i64,
    institution: i64,
    size_bytes: i64,
    attempts: i64,
    seq: i64,
    phase: String,
    at: Option<i64>,
    token: Option<Vec<u8>>,
    again: bool,
    turn: Option<i64>,
}

impl EntryRow {
    fn into_entry(self, queue: Queue) -> Result<Entry, WorkError> {
        let foreign = || WorkError::Foreign {
            what: format!(
                "a message {}/{queue}/{} in phase {:?}",
                self.item, self.batch, self.phase
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
                item: WorkItemId(self.item),
                queue,
                batch,
                institution: InstitutionId(self.institution),
                size_bytes: self.size_bytes.cast_unsigned(),
            },
            attempts: u32::try_from(self.attempts).map_err(|_too_large| foreign())?,
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
    queue: Queue,
    change: &Change,
) -> Result<(), WorkError> {
    match change {
        Change::ShiftLeases(by) => shift_leases(connection, queue, *by).await,
        Change::Put(entry) => put(connection, entry).await,
        Change::Remove(identity) => remove(connection, *identity).await,
        Change::Turn(institution, turn) => put_turn(connection, queue, *institution, *turn).await,
        Change::Head(head) => put_head(connection, queue, *head).await,
    }
}

async fn shift_leases(
    connection: &mut SqliteConnection,
    queue: Queue,
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
    let (phase, at, token, again) = match entry.phase {
        Phase::Ready => ("ready", None, None, false),
        Phase::Due { at } => ("due", Some(at), None, false),
        Phase::Leased {
            token,
            deadline,
            again,
        } => ("leased", Some(deadline), Some(token), again),
    };
    let message = &entry.message;
    sqlx::query(
        "INSERT INTO message (item, queue, batch, institution, size_bytes, big, attempts, seq, \
         phase, at, token, again) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (item, queue, batch) DO UPDATE SET attempts = excluded.attempts, \
         seq = excluded.seq, phase = excluded.phase, at = excluded.at, token = excluded.token, \
         again = excluded.again",
    )
    .bind(message.item.0)
    .bind(message.queue.as_str())
    .bind(batch_column(message.batch))
    .bind(message.institution.0)
    // Kept as the same 64 bits; no bag comes near the sign.
    .bind(message.size_bytes.cast_signed())
    .bind(message.is_big())
    .bind(i64::from(entry.attempts))
    .bind(entry.seq.cast_signed())
    .bind(phase)
    .bind(at.map(|at| at.timestamp_micros()))
    .bind(token.map(|token| token.0.to_be_bytes().to_vec()))
    .bind(again)
    .execute(connection)
    .await?;
    Ok(())
}

async fn remove(connection: &mut SqliteConnection, identity: Identity) -> Result<(), WorkError> {
    sqlx::query("DELETE FROM message WHERE item = ?1 AND queue = ?2 AND batch = ?3")
        .bind(identity.item.0)
        .bind(identity.queue.as_str())
        .bind(batch_column(identity.batch))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_turn(
    connection: &mut SqliteConnection,
    queue: Queue,
    institution: InstitutionId,
    turn: u64,
) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO turn (queue, institution, turn) VALUES (?1, ?2, ?3) \
         ON CONFLICT (queue, institution) DO UPDATE SET turn = excluded.turn",
    )
    .bind(queue.as_str())
    .bind(institution.0)
    .bind(turn.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_head(
    connection: &mut SqliteConnection,
    queue: Queue,
    head: Head,
) -> Result<(), WorkError> {
    sqlx::query(
        "INSERT INTO queue (queue, pulse, turn, next_seq) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (queue) DO UPDATE SET pulse = excluded.pulse, turn = excluded.turn, \
         next_seq = excluded.next_seq",
    )
    .bind(queue.as_str())
    .bind(head.pulse.map(|pulse| pulse.timestamp_micros()))
    .bind(head.turn.cast_signed())
    .bind(head.next_seq.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn waiting(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<Queue, Waiting>, WorkError> {
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT queue, sum(phase = 'ready'), sum(phase = 'leased'), sum(phase = 'due'), \
         sum(size_bytes) FROM message GROUP BY queue",
    )
    .fetch_all(connection)
    .await?;
    let mut waiting: BTreeMap<Queue, Waiting> = Queue::ALL
        .iter()
        .map(|queue| (*queue, Waiting::default()))
        .collect();
    for (name, ready, leased, due, size_bytes) in rows {
        let queue = name.parse().map_err(|_unknown| WorkError::Foreign {
            what: format!("a queue {name:?}"),
        })?;
        let counts = Waiting {
            ready: ready.cast_unsigned(),
            leased: leased.cast_unsigned(),
            due: due.cast_unsigned(),
            size_bytes: size_bytes.cast_unsigned(),
        };
        waiting.insert(queue, counts);
    }
    Ok(waiting)
}

pub(super) async fn is_known(
    connection: &mut SqliteConnection,
    item: WorkItemId,
) -> Result<bool, WorkError> {
    let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM message WHERE item = ?1)")
        .bind(item.0)
        .fetch_one(connection)
        .await?;
    Ok(known)
}
