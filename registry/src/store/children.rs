//! What hangs on a file: checksums, copies and events. Written once, never changed; the one
//! exception is that a copy becomes superseded, or current again.
//!
//! Safe to repeat: a child that is there already, by the unique key of its kind, is left alone. An
//! event whose identifier another event has is refused.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use muniment_model::InstitutionId;
use muniment_model::registry::{Checksum, GenericFile, PremisEvent, StorageRecord};
use sqlx::query_builder::Separated;

use super::columns::{Columns, key, micros};
use super::multi_row::{self, Insert};
use super::{Connection, Db, Row, StoreError};
use crate::rules::Refusal;

/// A checksum and the file it belongs to.
pub(super) struct ChecksumRow<'a> {
    pub(super) checksum: &'a Checksum,
    pub(super) file: i64,
    pub(super) now: DateTime<Utc>,
}

const CHECKSUMS: Insert = Insert {
    head: "INSERT INTO checksums \
           (created_at, updated_at, algorithm, datetime, digest, generic_file_id) ",
    tail: " ON CONFLICT (generic_file_id, algorithm, digest) DO NOTHING",
};

pub(super) async fn insert_checksums(
    connection: &mut Connection,
    rows: &[ChecksumRow<'_>],
) -> Result<(), StoreError> {
    multi_row::insert(connection, &CHECKSUMS, rows, push_checksum).await?;
    Ok(())
}

fn push_checksum(columns: &mut Separated<'_, Db, &'static str>, row: &ChecksumRow<'_>) {
    columns
        .push_bind(row.now.timestamp_micros())
        .push_bind(row.now.timestamp_micros())
        .push_bind(row.checksum.algorithm.name())
        .push_bind(micros(row.checksum.datetime))
        .push_bind(row.checksum.digest.to_ascii_lowercase())
        .push_bind(row.file);
}

/// A copy and the file it belongs to.
#[derive(Clone, Copy)]
pub(super) struct StorageRow<'a> {
    pub(super) url: &'a str,
    pub(super) file: i64,
}

const STORAGE_RECORDS: Insert = Insert {
    head: "INSERT INTO storage_records (generic_file_id, url) ",
    tail: " ON CONFLICT (generic_file_id, url) DO NOTHING",
};

const CURRENT_COPIES: Insert = Insert {
    head: "INSERT INTO storage_records (generic_file_id, url) ",
    tail: " ON CONFLICT (generic_file_id, url) DO UPDATE SET superseded_at = NULL \
           WHERE storage_records.superseded_at IS NOT NULL",
};

/// Leaves a superseded copy superseded: who sends a copy alone does not say of which bytes it is.
pub(super) async fn insert_storage_records(
    connection: &mut Connection,
    rows: &[StorageRow<'_>],
) -> Result<(), StoreError> {
    multi_row::insert(connection, &STORAGE_RECORDS, rows, push_storage_record).await?;
    Ok(())
}

/// Copies of the bytes that their files have now. A superseded one is current again: the file has
/// gone back to former bytes, and without this their copies would be deleted after the undo time.
pub(super) async fn insert_current_copies(
    connection: &mut Connection,
    rows: &[StorageRow<'_>],
) -> Result<(), StoreError> {
    // PostgreSQL updates no row twice in one statement.
    let mut seen = HashSet::new();
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| seen.insert((row.file, row.url)))
        .copied()
        .collect();
    multi_row::insert(connection, &CURRENT_COPIES, &rows, push_storage_record).await?;
    Ok(())
}

fn push_storage_record(columns: &mut Separated<'_, Db, &'static str>, row: &StorageRow<'_>) {
    columns.push_bind(row.file).push_bind(row.url.to_owned());
}

/// An event and what it is about.
pub(super) struct EventRow<'a> {
    pub(super) event: &'a PremisEvent,
    pub(super) institution: InstitutionId,
    pub(super) object: i64,
    /// 0 for an event about the object as a whole.
    pub(super) file: i64,
    /// In a batch: the index and identifier of the file, for a refusal.
    pub(super) place: Option<(usize, &'a str)>,
    pub(super) now: DateTime<Utc>,
}

impl EventRow<'_> {
    /// The rest may differ: a repeated step takes the time anew and may word its outcome anew.
    fn is_repetition_of(&self, stored: &PremisEvent) -> bool {
        stored.event_type == self.event.event_type
            && stored.intellectual_object_id == self.object
            && stored.generic_file_id == self.file
    }

    fn refusal(&self) -> Refusal {
        let taken = Refusal::Taken {
            what: format!("event identifier {}", self.event.identifier),
        };
        match self.place {
            Some((index, identifier)) => taken.at(index, identifier),
            None => taken,
        }
    }
}

const EVENTS: Insert = Insert {
    head: "INSERT INTO premis_events (created_at, updated_at, agent, date_time, detail, \
           event_type, generic_file_id, identifier, institution_id, intellectual_object_id, \
           object, old_uuid, outcome, outcome_detail, outcome_information) ",
    tail: " ON CONFLICT (identifier) DO NOTHING RETURNING identifier",
};

/// Adds the events that are not there yet. An identifier that an event of something else has is
/// refused: passed over, the event would be missing and nobody would know.
pub(super) async fn insert_events(
    connection: &mut Connection,
    rows: &[EventRow<'_>],
) -> Result<(), StoreError> {
    let mut new = HashSet::new();
    for row in multi_row::insert(connection, &EVENTS, rows, push_event).await? {
        new.insert(row.text("identifier")?);
    }
    let mut passed_over = Vec::new();
    let mut identifiers = Vec::new();
    for row in rows {
        let identifier = row.event.identifier.to_string();
        // Taken out, so that a second event with it in the same list counts as passed over.
        if !new.remove(&identifier) {
            passed_over.push(row);
            identifiers.push(identifier);
        }
    }
    let mut stored = HashMap::new();
    let head = "SELECT * FROM premis_events WHERE identifier IN";
    for row in multi_row::select_in(connection, head, &identifiers).await? {
        let event = event(&row)?;
        stored.insert(event.identifier, event);
    }
    for row in passed_over {
        let repeated = stored
            .get(&row.event.identifier)
            .is_some_and(|event| row.is_repetition_of(event));
        if !repeated {
            return Err(row.refusal().into());
        }
    }
    Ok(())
}

fn push_event(columns: &mut Separated<'_, Db, &'static str>, row: &EventRow<'_>) {
    let event = row.event;
    columns
        .push_bind(row.now.timestamp_micros())
        .push_bind(row.now.timestamp_micros())
        .push_bind(event.agent.clone())
        .push_bind(micros(event.date_time))
        .push_bind(event.detail.clone())
        .push_bind(event.event_type.clone())
        .push_bind(key(row.file))
        .push_bind(event.identifier.to_string())
        .push_bind(row.institution.0)
        .push_bind(row.object)
        .push_bind(event.object.clone())
        .push_bind(event.old_uuid.clone())
        .push_bind(event.outcome.clone())
        .push_bind(event.outcome_detail.clone())
        .push_bind(event.outcome_information.clone());
}

/// Fills in the checksums (newest first) and copies of files that have none yet.
pub(super) async fn attach_records(
    connection: &mut Connection,
    files: &mut [GenericFile],
) -> Result<(), StoreError> {
    let (ids, places) = places(files);
    let checksums = "SELECT * FROM checksums WHERE generic_file_id IN";
    for row in multi_row::select_in(connection, checksums, &ids).await? {
        let child = checksum(&row)?;
        if let Some(file) = parent(files, &places, child.generic_file_id) {
            file.checksums.push(child);
        }
    }
    let copies = "SELECT * FROM storage_records WHERE generic_file_id IN";
    for row in multi_row::select_in(connection, copies, &ids).await? {
        let child = storage_record(&row)?;
        if let Some(file) = parent(files, &places, child.generic_file_id) {
            file.storage_records.push(child);
        }
    }
    for file in files {
        file.checksums
            .sort_by_key(|child| std::cmp::Reverse((child.created_at, child.id)));
        file.storage_records.sort_by_key(|child| child.id);
    }
    Ok(())
}

/// Fills in all events, newest first.
pub(super) async fn attach_events(
    connection: &mut Connection,
    files: &mut [GenericFile],
) -> Result<(), StoreError> {
    let (ids, _) = places(files);
    let head = "SELECT * FROM premis_events WHERE generic_file_id IN";
    let rows = multi_row::select_in(connection, head, &ids).await?;
    push_events(files, &rows)
}

/// Fills in those events whose identifiers are named, newest first: the reply to a save does not
/// grow with a file's history.
pub(super) async fn attach_events_named(
    connection: &mut Connection,
    files: &mut [GenericFile],
    identifiers: &[String],
) -> Result<(), StoreError> {
    let head = "SELECT * FROM premis_events WHERE identifier IN";
    let rows = multi_row::select_in(connection, head, identifiers).await?;
    push_events(files, &rows)
}

fn push_events(files: &mut [GenericFile], rows: &[Row]) -> Result<(), StoreError> {
    let (_, places) = places(files);
    for row in rows {
        let child = event(row)?;
        if let Some(file) = parent(files, &places, child.generic_file_id) {
            file.premis_events.push(child);
        }
    }
    for file in files {
        file.premis_events
            .sort_by_key(|child| std::cmp::Reverse((child.date_time, child.id)));
    }
    Ok(())
}

/// The files' ids, and where in the list each stands.
fn places(files: &[GenericFile]) -> (Vec<i64>, HashMap<i64, usize>) {
    let ids: Vec<_> = files.iter().map(|file| file.id).collect();
    let places = ids
        .iter()
        .enumerate()
        .map(|(place, id)| (*id, place))
        .collect();
    (ids, places)
}

fn parent<'f>(
    files: &'f mut [GenericFile],
    places: &HashMap<i64, usize>,
    id: i64,
) -> Option<&'f mut GenericFile> {
    files.get_mut(*places.get(&id)?)
}

pub(super) fn checksum(row: &Row) -> Result<Checksum, StoreError> {
    Ok(Checksum {
        id: row.number("id")?,
        algorithm: row.word("algorithm")?,
        datetime: row.time("datetime")?,
        digest: row.text("digest")?,
        generic_file_id: row.number("generic_file_id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(super) fn storage_record(row: &Row) -> Result<StorageRecord, StoreError> {
    Ok(StorageRecord {
        id: row.number("id")?,
        generic_file_id: row.number("generic_file_id")?,
        url: row.text("url")?,
        superseded_at: row.time("superseded_at")?,
    })
}

pub(super) fn event(row: &Row) -> Result<PremisEvent, StoreError> {
    Ok(PremisEvent {
        id: row.number("id")?,
        agent: row.text("agent")?,
        date_time: row.time("date_time")?,
        detail: row.text("detail")?,
        event_type: row.text("event_type")?,
        generic_file_id: row.number("generic_file_id")?,
        identifier: row.uuid("identifier")?,
        institution_id: InstitutionId(row.number("institution_id")?),
        intellectual_object_id: row.number("intellectual_object_id")?,
        object: row.text("object")?,
        old_uuid: row.text("old_uuid")?,
        outcome: row.text("outcome")?,
        outcome_detail: row.text("outcome_detail")?,
        outcome_information: row.text("outcome_information")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
