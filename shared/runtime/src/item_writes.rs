//! What each ending writes into the work item: the table of architecture section 7, as functions
//! from an item to an item. Every one is written with the item's version (`If-Match`), so a
//! repeated write is refused rather than applied to something newer.

use chrono::{DateTime, SecondsFormat, Utc};
use muniment_model::registry::WorkItem;
use muniment_model::{Stage, Status};

use crate::job::Final;

/// The contract's outcomes (worker contract, 1.4).
pub(crate) const OUTCOME_FAILED: &str = "Ingest failed due to fatal error.";
pub(crate) const OUTCOME_CANCELLED: &str = "Ingest cancelled";

/// The registry refuses notes of more than 64 KiB; findings are cut at their own, smaller limit.
const NOTE_CHARS_MAX: usize = 16_000;

/// Who is working on an item.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) node: String,
    pub(crate) pid: i64,
}

impl Holder {
    pub(crate) fn holds(&self, item: &WorkItem) -> bool {
        item.status == Status::Started && item.node == self.node && item.pid == self.pid
    }
}

pub(crate) fn started(item: &WorkItem, holder: &Holder, now: DateTime<Utc>) -> WorkItem {
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

pub(crate) fn advanced(
    item: &WorkItem,
    to: Stage,
    intended: Option<Status>,
    note: &str,
    now: DateTime<Utc>,
) -> WorkItem {
    WorkItem {
        stage: to,
        intended_status: intended.or(item.intended_status),
        note: clipped(note),
        retry: true,
        needs_admin_review: false,
        ..pending(item, now)
    }
}

/// The intended ending, written before anything is cleaned.
pub(crate) fn ending_in(
    item: &WorkItem,
    intended: Status,
    note: &str,
    now: DateTime<Utc>,
) -> WorkItem {
    let outcome = match intended {
        Status::Cancelled => OUTCOME_CANCELLED,
        Status::Failed
        | Status::Success
        | Status::Pending
        | Status::Started
        | Status::Suspended => OUTCOME_FAILED,
    };
    WorkItem {
        stage: Stage::Cleanup,
        note: clipped(note),
        outcome: outcome.to_owned(),
        intended_status: Some(intended),
        retry: true,
        needs_admin_review: false,
        ..pending(item, now)
    }
}

pub(crate) fn ended(item: &WorkItem, end: &Final, now: DateTime<Utc>) -> WorkItem {
    WorkItem {
        status: end.status,
        outcome: end.outcome.clone(),
        note: end
            .note
            .clone()
            .or_else(|| reason_of(item).map(str::to_owned))
            .unwrap_or_else(|| item.note.clone()),
        intellectual_object_id: end.object_id,
        retry: false,
        needs_admin_review: false,
        ..pending(item, now)
    }
}

pub(crate) fn suspended(item: &WorkItem, note: &str, now: DateTime<Utc>) -> WorkItem {
    WorkItem {
        status: Status::Suspended,
        note: clipped(&after_reason(item, note)),
        retry: false,
        needs_admin_review: true,
        ..pending(item, now)
    }
}

pub(crate) fn retrying(
    item: &WorkItem,
    note: &str,
    attempt: (u32, u32),
    due: DateTime<Utc>,
    now: DateTime<Utc>,
) -> WorkItem {
    let (attempt, attempts_max) = attempt;
    let due = due.to_rfc3339_opts(SecondsFormat::Secs, true);
    let note = format!("{note} (attempt {attempt} of {attempts_max}, next try at {due})");
    WorkItem {
        note: clipped(&after_reason(item, &note)),
        retry: true,
        ..pending(item, now)
    }
}

pub(crate) fn waiting(item: &WorkItem, note: &str, now: DateTime<Utc>) -> WorkItem {
    WorkItem {
        note: clipped(&after_reason(item, note)),
        ..pending(item, now)
    }
}

/// Held by nobody, as it stands.
pub(crate) fn pending(item: &WorkItem, now: DateTime<Utc>) -> WorkItem {
    WorkItem {
        status: Status::Pending,
        node: String::new(),
        pid: 0,
        date_processed: Some(now),
        ..item.clone()
    }
}

/// Why an item is to fail or be cancelled: its first note after that was decided. It stays to the
/// end, because nothing else holds the findings by then.
fn reason_of(item: &WorkItem) -> Option<&str> {
    match item.intended_status {
        Some(Status::Failed | Status::Cancelled) => {
            let (reason, _) = item.note.split_once(LATER).unwrap_or((&item.note, ""));
            Some(reason)
        }
        Some(Status::Success | Status::Pending | Status::Started | Status::Suspended) | None => {
            None
        }
    }
}

/// Stands between the reason and what happened since.
const LATER: &str = " — ";

fn after_reason(item: &WorkItem, note: &str) -> String {
    match reason_of(item) {
        Some(reason) => format!("{reason}{LATER}{note}"),
        None => note.to_owned(),
    }
}

fn clipped(note: &str) -> String {
    note.chars().take(NOTE_CHARS_MAX).collect()
}

#[cfg(test)]
pub(crate) mod tests;
