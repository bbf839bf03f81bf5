//! What belongs to a file: checksums, copies and events. Written once, never changed; the one
//! exception is that a checksum or copy becomes superseded, or current again.
//!
//! A checksum or copy is of one version of its file, and current while the file has that version:
//! `superseded_at` is set and cleared in the transaction that changes the file. Dates decide nothing,
//! since former bytes may come back.
//!
//! Idempotent: a child that is there already, by the unique key of its kind, is left alone. An
//! event whose identifier another event has is refused.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use muniment_model::InstitutionId;
use muniment_model::registry::{Checksum, GenericFile, PremisEvent};
use sqlx::query_builder::Separated;
use uuid::Uuid;

use super::columns::{Columns, key, micros, record};
use super::multi_row::{self, Insert};
use super::storage_records::storage_record;
use super::{Connection, Db, Row, StoreError};
use crate::rules::RuleError;

/// A checksum and the file and version it belongs to.
#[derive(Clone, Copy)]
pub(super) struct ChecksumRow<'a> {
    pub(super) checksum: &'a Checksum,
    pub(super) file: i64,
    pub(super) version: Uuid,
    pub(super) now: DateTime<Utc>,
}

const CHECKSUMS: Insert = Insert {
    head: "INSERT INTO checksums \
           (created_at, updated_at, algorithm, datetime, digest, generic_file_id, version) ",
    tail: " ON CONFLICT (generic_file_id, version, algorithm, digest) \
           DO UPDATE SET superseded_at = NULL WHERE checksums.superseded_at IS NOT NULL",
};

/// Adds digests of the bytes that their files have now. Those of former bytes that have come back are
/// current again.
pub(super) async fn insert_checksums(
    connection: &mut Connection,
    rows: &[ChecksumRow<'_>],
) -> Result<(), StoreError> {
    // PostgreSQL updates no row twice in one statement.
    let mut seen = HashSet::new();
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| seen.insert((row.file, row.checksum.algorithm, &row.checksum.digest)))
        .copied()
        .collect();
    multi_row::insert(connection, &CHECKSUMS, &rows, push_checksum).await?;
    Ok(())
}

/// Marks as superseded what is current of the file: it takes another version now.
pub(super) async fn supersede_version(
    connection: &mut Connection,
    file: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let copies = "UPDATE storage_records SET superseded_at = $1 \
                  WHERE generic_file_id = $2 AND superseded_at IS NULL";
    sqlx::query(copies)
        .bind(now.timestamp_micros())
        .bind(file)
        .execute(&mut *connection)
        .await?;
    supersede_checksums(connection, file, now).await
}

/// Marks as superseded the digests of bytes that were overwritten under the same uuid, as workers of the
/// original do. A file whose new digests agree with what is recorded is left as it is.
pub(super) async fn supersede_contradicted_checksums(
    connection: &mut Connection,
    files: &[(i64, &[Checksum])],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ids: Vec<_> = files.iter().map(|(id, _)| *id).collect();
    let mut current = HashMap::new();
    for stored in checksums_of(connection, &ids).await? {
        if stored.superseded_at.is_none() {
            current.insert((stored.generic_file_id, stored.algorithm), stored.digest);
        }
    }
    for (id, checksums) in files {
        let mut new = checksums.iter().filter(|child| child.id == 0);
        let is_contradicted = new.any(|sent| {
            let stored = current.get(&(*id, sent.algorithm));
            stored.is_some_and(|stored| !stored.eq_ignore_ascii_case(&sent.digest))
        });
        if is_contradicted {
            supersede_checksums(connection, *id, now).await?;
        }
    }
    Ok(())
}

async fn supersede_checksums(
    connection: &mut Connection,
    file: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let digests = "UPDATE checksums SET superseded_at = $1 \
                   WHERE generic_file_id = $2 AND superseded_at IS NULL";
    sqlx::query(digests)
        .bind(now.timestamp_micros())
        .bind(file)
        .execute(connection)
        .await?;
    Ok(())
}

fn push_checksum(columns: &mut Separated<'_, Db, &'static str>, row: &ChecksumRow<'_>) {
    columns
        .push_bind(row.now.timestamp_micros())
        .push_bind(row.now.timestamp_micros())
        .push_bind(row.checksum.algorithm.name())
        .push_bind(micros(row.checksum.datetime))
        .push_bind(row.checksum.digest.to_ascii_lowercase())
        .push_bind(row.file)
        .push_bind(row.version.to_string());
}

/// A copy and the file and version it belongs to.
#[derive(Clone, Copy)]
pub(super) struct StorageRow<'a> {
    pub(super) url: &'a str,
    pub(super) file: i64,
    pub(super) version: Uuid,
    /// Set when the file has another version by now.
    pub(super) superseded_at: Option<DateTime<Utc>>,
}

const STORAGE_RECORDS: Insert = Insert {
    head: "INSERT INTO storage_records (generic_file_id, url, version, superseded_at) ",
    tail: " ON CONFLICT (generic_file_id, url) DO NOTHING",
};

const CURRENT_COPIES: Insert = Insert {
    head: "INSERT INTO storage_records (generic_file_id, url, version, superseded_at) ",
    tail: " ON CONFLICT (generic_file_id, url) \
           DO UPDATE SET superseded_at = NULL, version = excluded.version \
           WHERE storage_records.superseded_at IS NOT NULL",
};

/// Leaves a superseded copy superseded: a copy that is sent alone makes no version current.
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
    columns
        .push_bind(row.file)
        .push_bind(row.url.to_owned())
        .push_bind(row.version.to_string())
        .push_bind(micros(row.superseded_at));
}

/// An event and what it is about.
pub(super) struct EventRow<'a> {
    pub(super) event: &'a PremisEvent,
    pub(super) institution: InstitutionId,
    pub(super) object: i64,
    /// 0 for an event about the object as a whole.
    pub(super) file: i64,
    /// In a batch: the index and identifier of the file, for an error.
    pub(super) place: Option<(usize, &'a str)>,
    pub(super) now: DateTime<Utc>,
}

impl<'a> EventRow<'a> {
    /// Of an event that says itself what it is about.
    pub(super) fn alone(event: &'a PremisEvent, now: DateTime<Utc>) -> Self {
        Self {
            event,
            institution: event.institution_id,
            object: event.intellectual_object_id,
            file: event.generic_file_id,
            place: None,
            now,
        }
    }

    /// The rest may differ: a repeated step takes the time anew and may word its outcome anew.
    fn is_repetition_of(&self, stored: &PremisEvent) -> bool {
        stored.event_type == self.event.event_type
            && stored.intellectual_object_id == self.object
            && stored.generic_file_id == self.file
    }

    fn taken(&self) -> RuleError {
        let taken = RuleError::taken(format!("event identifier {}", self.event.identifier));
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
/// refused: if it were passed over, the event would be missing without a trace.
pub(super) async fn insert_events(
    connection: &mut Connection,
    rows: &[EventRow<'_>],
) -> Result<(), StoreError> {
    let mut new: HashSet<String> = HashSet::new();
    for row in multi_row::insert(connection, &EVENTS, rows, push_event).await? {
        new.insert(row.value("identifier")?);
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
    for event in multi_row::select_in(connection, head, &identifiers, event).await? {
        stored.insert(event.identifier, event);
    }
    for row in passed_over {
        let repeated = stored
            .get(&row.event.identifier)
            .is_some_and(|event| row.is_repetition_of(event));
        if !repeated {
            return Err(row.taken().into());
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
        .push_bind(event.event_type.as_str())
        .push_bind(key(row.file))
        .push_bind(event.identifier.to_string())
        .push_bind(row.institution.0)
        .push_bind(row.object)
        .push_bind(event.object.clone())
        .push_bind(event.old_uuid.clone())
        .push_bind(event.outcome.as_str())
        .push_bind(event.outcome_detail.clone())
        .push_bind(event.outcome_information.clone());
}

/// Fills in the checksums and copies of the version that each file has.
pub(super) async fn attach_current(
    connection: &mut Connection,
    files: &mut [GenericFile],
) -> Result<(), StoreError> {
    attach_records(connection, files).await?;
    for file in files {
        file.checksums.retain(|child| child.superseded_at.is_none());
        file.storage_records
            .retain(|child| child.superseded_at.is_none());
    }
    Ok(())
}

/// Fills in the checksums (newest first) and copies of all versions.
pub(super) async fn attach_records(
    connection: &mut Connection,
    files: &mut [GenericFile],
) -> Result<(), StoreError> {
    let ids = ids(files);
    let checksums = checksums_of(connection, &ids).await?;
    let head = "SELECT * FROM storage_records WHERE generic_file_id IN";
    let mut copies = multi_row::select_in(connection, head, &ids, storage_record).await?;
    copies.sort_by_key(|child| child.id);
    let mut checksums = by_file(checksums, |child| child.generic_file_id);
    let mut copies = by_file(copies, |child| child.generic_file_id);
    for file in files {
        file.checksums = checksums.remove(&file.id).unwrap_or_default();
        file.storage_records = copies.remove(&file.id).unwrap_or_default();
    }
    Ok(())
}

/// The checksums of these files and all their versions, newest first.
pub(super) async fn checksums_of(
    connection: &mut Connection,
    files: &[i64],
) -> Result<Vec<Checksum>, StoreError> {
    let head = "SELECT * FROM checksums WHERE generic_file_id IN";
    let mut found = multi_row::select_in(connection, head, files, checksum).await?;
    found.sort_by_key(|checksum| Reverse((checksum.created_at, checksum.id)));
    Ok(found)
}

/// Fills in all events, newest first.
pub(super) async fn attach_events(
    connection: &mut Connection,
    files: &mut [GenericFile],
) -> Result<(), StoreError> {
    let head = "SELECT * FROM premis_events WHERE generic_file_id IN";
    let events = multi_row::select_in(connection, head, &ids(files), event).await?;
    attach(files, events);
    Ok(())
}

/// Fills in those events whose identifiers are named, newest first: the reply to a save does not
/// grow with a file's history.
pub(super) async fn attach_events_named(
    connection: &mut Connection,
    files: &mut [GenericFile],
    identifiers: &[String],
) -> Result<(), StoreError> {
    let head = "SELECT * FROM premis_events WHERE identifier IN";
    let events = multi_row::select_in(connection, head, identifiers, event).await?;
    attach(files, events);
    Ok(())
}

fn attach(files: &mut [GenericFile], mut events: Vec<PremisEvent>) {
    events.sort_by_key(|event| Reverse((event.date_time, event.id)));
    let mut events = by_file(events, |event| event.generic_file_id);
    for file in files {
        file.premis_events = events.remove(&file.id).unwrap_or_default();
    }
}

fn ids(files: &[GenericFile]) -> Vec<i64> {
    files.iter().map(|file| file.id).collect()
}

/// Children by the id of their file, in the order they came.
fn by_file<T>(children: Vec<T>, file: fn(&T) -> i64) -> HashMap<i64, Vec<T>> {
    let mut found = HashMap::<_, Vec<_>>::new();
    for child in children {
        found.entry(file(&child)).or_default().push(child);
    }
    found
}

pub(super) fn checksum(row: &Row) -> Result<Checksum, StoreError> {
    Ok(record!(row => Checksum {
        id, algorithm, datetime, digest, generic_file_id, created_at, updated_at, version,
        superseded_at
    }))
}

pub(super) fn event(row: &Row) -> Result<PremisEvent, StoreError> {
    Ok(record!(row => PremisEvent {
        id, agent, date_time, detail, event_type, generic_file_id, identifier, institution_id,
        intellectual_object_id, object, old_uuid, outcome, outcome_detail, outcome_information,
        created_at, updated_at
    }))
}
