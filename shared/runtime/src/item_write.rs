//! What each ending writes into the work item: the table of architecture section 7, as a function
//! from an item to an item. Every one is written with the item's version (`If-Match`), so a
//! repeated write is refused rather than applied to something newer.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use muniment_model::registry::WorkItem;
use muniment_model::{Stage, Status};

use crate::job::Final;

/// The registry refuses notes of more than 64 KiB; findings are cut at their own, smaller limit.
const NOTE_CHARS_MAX: usize = 16_000;

/// A change of a work item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemWrite {
    /// A worker has begun.
    Started {
        holder: Holder,
    },
    /// To another stage, which its worker will claim.
    Moved {
        to: Stage,
        note: String,
        intended: Option<Status>,
    },
    /// The intended ending, written before anything is cleaned.
    Intended {
        at: Stage,
        status: Status,
        reason: String,
    },
    Ended(Final),
    /// An operator is asked.
    Suspended {
        note: String,
    },
    /// The same stage again, later.
    Waiting {
        note: String,
        attempt: Option<Attempt>,
    },
    /// The same stage again, at once.
    Freed,
}

/// For the depositor: which try failed, and when the next one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) number: u32,
    pub(crate) max: u32,
    pub(crate) next_in: Duration,
}

/// Who is working on an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub(crate) node: String,
    pub(crate) pid: i64,
}

impl Holder {
    pub(crate) fn holds(&self, item: &WorkItem) -> bool {
        item.status == Status::Started && item.node == self.node && item.pid == self.pid
    }
}

impl ItemWrite {
    /// The item as it will be.
    pub(crate) fn apply(&self, item: &WorkItem, now: DateTime<Utc>) -> WorkItem {
        let pending = WorkItem {
            status: Status::Pending,
            node: String::new(),
            pid: 0,
            date_processed: Some(now),
            ..item.clone()
        };
        let going_on = WorkItem {
            retry: true,
            needs_admin_review: false,
            ..pending.clone()
        };
        match self {
            Self::Started { holder } => started(item, holder, now),
            Self::Moved { to, note, intended } => WorkItem {
                stage: *to,
                intended_status: intended.or(item.intended_status),
                note: clipped(note),
                ..going_on
            },
            Self::Intended { at, status, reason } => WorkItem {
                stage: *at,
                note: clipped(reason),
                reason: clipped(reason),
                outcome: item.pipeline().outcome_of(*status).to_owned(),
                intended_status: Some(*status),
                ..going_on
            },
            Self::Ended(end) => ended(item, end, pending),
            Self::Suspended { note } => WorkItem {
                status: Status::Suspended,
                note: clipped(&after_reason(item, note)),
                retry: false,
                needs_admin_review: true,
                ..pending
            },
            Self::Waiting { note, attempt } => WorkItem {
                note: clipped(&after_reason(item, &with_attempt(note, *attempt, now))),
                retry: true,
                ..pending
            },
            Self::Freed => pending,
        }
    }
}

fn started(item: &WorkItem, holder: &Holder, now: DateTime<Utc>) -> WorkItem {
    let note = reason_of(item).map_or_else(
        || format!("Item has started stage {}", item.stage),
        str::to_owned,
    );
    WorkItem {
        status: Status::Started,
        node: holder.node.clone(),
        pid: holder.pid,
        stage_started_at: Some(now),
        note,
        ..item.clone()
    }
}

fn ended(item: &WorkItem, end: &Final, pending: WorkItem) -> WorkItem {
    let note = end.note.as_deref().or_else(|| reason_of(item));
    WorkItem {
        stage: item.pipeline().last_stage,
        status: end.status,
        outcome: end.outcome.clone(),
        note: clipped(note.unwrap_or(&item.note)),
        intellectual_object_id: match end.object_id {
            0 => item.intellectual_object_id,
            named => named,
        },
        retry: false,
        needs_admin_review: false,
        ..pending
    }
}

fn with_attempt(note: &str, attempt: Option<Attempt>, now: DateTime<Utc>) -> String {
    let Some(Attempt {
        number,
        max,
        next_in,
    }) = attempt
    else {
        return note.to_owned();
    };
    let next = (now + next_in).to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{note} (attempt {number} of {max}, next try at {next})")
}

/// Why an item is to fail or be cancelled, once that is decided. It stays in the note to the end. It has
/// a member of its own because findings may hold any text, dashes included: nothing is ever read back
/// out of a note.
fn reason_of(item: &WorkItem) -> Option<&str> {
    match item.intended_status {
        Some(Status::Failed | Status::Cancelled) => {
            Some(item.reason.as_str()).filter(|reason| !reason.is_empty())
        }
        Some(Status::Success | Status::Pending | Status::Started | Status::Suspended) | None => {
            None
        }
    }
}

/// For people: the reason, then what happened since.
fn after_reason(item: &WorkItem, note: &str) -> String {
    match reason_of(item) {
        Some(reason) => format!("{reason} — {note}"),
        None => note.to_owned(),
    }
}

fn clipped(note: &str) -> String {
    note.chars().take(NOTE_CHARS_MAX).collect()
}

#[cfg(test)]
pub(crate) mod tests;
