//! Saves files with everything that belongs to them, all in one transaction.
//!
//! Idempotent: `rules/file_plan.rs` decides per file whether it is new, there already, or to be
//! replaced; children that are there are left alone. A batch that was sent twice changes nothing
//! the second time, and one that failed in the middle has left nothing. A batch of a work item that
//! had the object's lock and lost it is refused (`rules/lock.rs`).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use muniment_model::registry::GenericFile;
use muniment_model::{InstitutionId, WorkItemId};
use sqlx::query_builder::Separated;

use super::children::{
    ChecksumRow, EventRow, StorageRow, attach_events_named, attach_records, insert_checksums,
    insert_current_copies, insert_events, supersede_contradicted_checksums, supersede_version,
};
use super::columns::{Columns, key, micros, record, signed};
use super::locks::recorder;
use super::multi_row::{self, Insert};
use super::objects::move_counters;
use super::query::View;
use super::{Connection, Db, Row, Store, StoreError};
use crate::rules::file_plan::{Counted, Plan, Stored, Tally, plan};
use crate::rules::lock::{self, Recorder};
use crate::rules::{RuleError, checks};

/// "Never checked", as the original writes it: 2000-01-01T00:00:00Z.
const NEVER_CHECKED: i64 = 946_684_800_000_000;

/// The object that files of a batch name.
struct Parent {
    identifier: String,
    institution: InstitutionId,
    work_item: i64,
    /// How its counters move.
    tally: Tally,
}

/// A batch on its way into the database.
struct Batch<'a> {
    connection: &'a mut Connection,
    files: &'a [GenericFile],
    now: DateTime<Utc>,
    /// The ingest that sends the batch, if it says so.
    recorder: Option<Recorder>,
    parents: HashMap<i64, Parent>,
    /// By identifier: what is recorded before the batch.
    stored: HashMap<String, Stored>,
    /// One per file.
    plans: Vec<Plan>,
    /// One per file, once it has a row.
    ids: Vec<i64>,
}

impl Store {
    /// Saves the files of one institution. `work_item` is the ingest that sends them, 0 when the client
    /// names none.
    pub(crate) async fn record_files(
        &self,
        institution: InstitutionId,
        work_item: WorkItemId,
        files: &[GenericFile],
    ) -> Result<(), StoreError> {
        checks::batch(files)?;
        let mut transaction = self.write().await?;
        let mut batch = self.batch(&mut transaction, work_item, files).await?;
        batch.save(institution).await?;
        Ok(transaction.commit().await?)
    }

    /// As [`Self::record_files`], and returns them in order, with their ids.
    pub(crate) async fn save_files(
        &self,
        institution: InstitutionId,
        work_item: WorkItemId,
        files: &[GenericFile],
    ) -> Result<Vec<GenericFile>, StoreError> {
        checks::batch(files)?;
        let mut transaction = self.write().await?;
        let mut batch = self.batch(&mut transaction, work_item, files).await?;
        batch.save(institution).await?;
        let saved = batch.read_back().await?;
        transaction.commit().await?;
        Ok(saved)
    }

    async fn batch<'a>(
        &self,
        connection: &'a mut Connection,
        work_item: WorkItemId,
        files: &'a [GenericFile],
    ) -> Result<Batch<'a>, StoreError> {
        let recorder = recorder(connection, work_item).await?;
        Ok(Batch {
            connection,
            files,
            now: self.now(),
            recorder,
            parents: HashMap::new(),
            stored: HashMap::new(),
            plans: Vec::with_capacity(files.len()),
            ids: Vec::with_capacity(files.len()),
        })
    }

    /// Whether there is a file with this id, and under which institution.
    pub(crate) async fn institution_of_file(&self, id: i64) -> Result<InstitutionId, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let institution =
            sqlx::query_scalar("SELECT institution_id FROM generic_files WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *connection)
                .await?;
        Ok(InstitutionId(institution))
    }
}

impl Batch<'_> {
    async fn save(&mut self, institution: InstitutionId) -> Result<(), StoreError> {
        self.load().await?;
        self.judge(institution)?;
        self.refuse_taken_uuids().await?;
        self.insert_files().await?;
        self.supersede_checksums().await?;
        self.replace_files().await?;
        self.insert_children().await?;
        self.move_counters().await
    }

    /// Reads the objects that the files name and the rows that have their identifiers.
    async fn load(&mut self) -> Result<(), StoreError> {
        let mut objects: Vec<_> = self
            .files
            .iter()
            .map(|file| file.intellectual_object_id)
            .collect();
        objects.sort_unstable();
        objects.dedup();
        let parents = "SELECT id, identifier, institution_id, work_item_id \
                       FROM intellectual_objects WHERE id IN";
        let parents = multi_row::select_in(self.connection, parents, &objects, parent).await?;
        self.parents.extend(parents);
        let identifiers: Vec<_> = self
            .files
            .iter()
            .map(|file| file.identifier.clone())
            .collect();
        let rows = "SELECT id, identifier, intellectual_object_id, uuid, size, state, \
                    storage_option FROM generic_files WHERE identifier IN";
        let rows = multi_row::select_in(self.connection, rows, &identifiers, stored).await?;
        let named = rows.into_iter().map(|row| (row.identifier.clone(), row));
        self.stored.extend(named);
        Ok(())
    }

    /// Checks every file and decides what saving it means. The first fault fails the batch, named
    /// by index and identifier.
    fn judge(&mut self, institution: InstitutionId) -> Result<(), StoreError> {
        for (index, file) in self.files.iter().enumerate() {
            let plan = self
                .judge_one(institution, file)
                .map_err(|error| error.at(index, &file.identifier))?;
            self.plans.push(plan);
            self.ids.push(match plan {
                Plan::Insert => 0,
                Plan::Keep { id } | Plan::Replace { id, .. } => id,
            });
        }
        Ok(())
    }

    fn judge_one(&self, institution: InstitutionId, file: &GenericFile) -> Result<Plan, RuleError> {
        if file.institution_id != institution {
            return Err(RuleError::Mismatch);
        }
        let parent = self
            .parents
            .get(&file.intellectual_object_id)
            .ok_or_else(|| {
                RuleError::Invalid("IntellectualObjectID: there is no such object".to_owned())
            })?;
        if parent.institution != institution {
            return Err(RuleError::Mismatch);
        }
        if let Some(recorder) = &self.recorder {
            let recorded_by = WorkItemId(parent.work_item);
            lock::may_record_files(recorder, &parent.identifier, recorded_by)?;
        }
        checks::file(file, &parent.identifier)?;
        plan(file, self.stored.get(&file.identifier))
    }

    /// A uuid names the copies in preservation storage: no two files may share one.
    async fn refuse_taken_uuids(&mut self) -> Result<(), StoreError> {
        let uuids: Vec<_> = self
            .files
            .iter()
            .map(|file| file.uuid.to_string())
            .collect();
        let head = "SELECT uuid, identifier FROM generic_files WHERE uuid IN";
        let read = |row: &Row| Ok((row.value("uuid")?, row.value("identifier")?));
        let owners = multi_row::select_in(self.connection, head, &uuids, read).await?;
        let mut owners: HashMap<String, String> = owners.into_iter().collect();
        for (index, (file, uuid)) in self.files.iter().zip(uuids).enumerate() {
            let owner = owners
                .entry(uuid)
                .or_insert_with(|| file.identifier.clone());
            if *owner != file.identifier {
                return Err(RuleError::taken("uuid").at(index, &file.identifier).into());
            }
        }
        Ok(())
    }

    async fn insert_files(&mut self) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for (file, plan) in self.files.iter().zip(&self.plans) {
            if *plan != Plan::Insert {
                continue;
            }
            let Some(parent) = self.parents.get_mut(&file.intellectual_object_id) else {
                return Err(StoreError::Dangling);
            };
            parent.tally.add(Counted {
                object_identifier: &parent.identifier,
                identifier: &file.identifier,
                state: file.state,
                size: file.size,
            });
            rows.push(FileRow {
                file,
                work_item: parent.work_item,
                now: self.now,
            });
        }
        let mut ids: HashMap<String, i64> = HashMap::new();
        for row in multi_row::insert(self.connection, &FILES, &rows, push_file).await? {
            ids.insert(row.value("identifier")?, row.value("id")?);
        }
        for (file, id) in self.files.iter().zip(&mut self.ids) {
            if let Some(new) = ids.get(&file.identifier) {
                *id = *new;
            }
        }
        Ok(())
    }

    /// Of files that keep their uuid: the bytes may be others all the same.
    async fn supersede_checksums(&mut self) -> Result<(), StoreError> {
        let mut kept = Vec::new();
        for (file, plan) in self.files.iter().zip(&self.plans) {
            if let Plan::Replace {
                id,
                is_new_version: false,
                ..
            } = plan
            {
                kept.push((*id, file.checksums.as_slice()));
            }
        }
        supersede_contradicted_checksums(self.connection, &kept, self.now).await
    }

    async fn replace_files(&mut self) -> Result<(), StoreError> {
        for (file, plan) in self.files.iter().zip(&self.plans) {
            let Plan::Replace {
                id,
                storage_option,
                is_new_version,
            } = *plan
            else {
                continue;
            };
            if is_new_version {
                supersede_version(self.connection, id, self.now).await?;
            }
            let (Some(parent), Some(before)) = (
                self.parents.get_mut(&file.intellectual_object_id),
                self.stored.get(&file.identifier),
            ) else {
                return Err(StoreError::Dangling);
            };
            let counted = |state, size| Counted {
                object_identifier: &parent.identifier,
                identifier: &file.identifier,
                state,
                size,
            };
            parent.tally.remove(counted(before.state, before.size));
            parent.tally.add(counted(file.state, file.size));
            // New bytes belong to the ingest that has the object's lock, and were checked when it says; a
            // change of anything else leaves the file to the one that recorded it, and its last check
            // where it is when it is later.
            sqlx::query(
                "UPDATE generic_files SET updated_at = $1, file_format = $2, size = $3, \
                 state = $4, last_fixity_check = CASE WHEN $5 IS NULL \
                 OR (uuid = $7 AND last_fixity_check > $5) THEN last_fixity_check ELSE $5 END, \
                 storage_option = $6, uuid = $7, mtime = $8, \
                 work_item_id = CASE WHEN uuid = $7 THEN work_item_id ELSE $9 END WHERE id = $10",
            )
            .bind(self.now.timestamp_micros())
            .bind(&file.file_format)
            .bind(signed(file.size))
            .bind(file.state.as_str())
            .bind(micros(file.last_fixity_check))
            .bind(storage_option.as_str())
            .bind(file.uuid.to_string())
            .bind(micros(file.mtime))
            .bind(key(parent.work_item))
            .bind(id)
            .execute(&mut *self.connection)
            .await?;
        }
        Ok(())
    }

    /// Adds the children without an id; those with one are only an echo of what is stored. By now
    /// every file has the uuid it was sent with, so what is sent with it is of that version.
    async fn insert_children(&mut self) -> Result<(), StoreError> {
        let mut checksums = Vec::new();
        let mut copies = Vec::new();
        let mut events = Vec::new();
        for (index, (file, id)) in self.files.iter().zip(&self.ids).enumerate() {
            let new_checksums = file.checksums.iter().filter(|child| child.id == 0);
            checksums.extend(new_checksums.map(|checksum| ChecksumRow {
                checksum,
                file: *id,
                version: file.uuid,
                now: self.now,
            }));
            let new_copies = file.storage_records.iter().filter(|child| child.id == 0);
            copies.extend(new_copies.map(|record| StorageRow {
                url: &record.url,
                file: *id,
                version: file.uuid,
                superseded_at: None,
            }));
            let new_events = file.premis_events.iter().filter(|child| child.id == 0);
            events.extend(new_events.map(|event| EventRow {
                event,
                institution: file.institution_id,
                object: file.intellectual_object_id,
                file: *id,
                place: Some((index, &file.identifier)),
                now: self.now,
            }));
        }
        insert_checksums(self.connection, &checksums).await?;
        insert_current_copies(self.connection, &copies).await?;
        insert_events(self.connection, &events).await
    }

    async fn move_counters(&mut self) -> Result<(), StoreError> {
        for (object, parent) in &self.parents {
            move_counters(self.connection, *object, parent.tally).await?;
        }
        Ok(())
    }

    /// The files as they are stored now, with the checksums and copies of all versions and the events
    /// that were sent.
    async fn read_back(&mut self) -> Result<Vec<GenericFile>, StoreError> {
        let head = "SELECT * FROM generic_files WHERE id IN";
        let rows =
            multi_row::select_in(self.connection, head, &self.ids, GenericFile::read).await?;
        let mut found: HashMap<_, _> = rows.into_iter().map(|file| (file.id, file)).collect();
        let mut files: Vec<_> = self.ids.iter().filter_map(|id| found.remove(id)).collect();
        attach_records(self.connection, &mut files).await?;
        let events: Vec<_> = self
            .files
            .iter()
            .flat_map(|file| &file.premis_events)
            .map(|event| event.identifier.to_string())
            .collect();
        attach_events_named(self.connection, &mut files, &events).await?;
        Ok(files)
    }
}

struct FileRow<'a> {
    file: &'a GenericFile,
    work_item: i64,
    now: DateTime<Utc>,
}

/// No conflict clause: a row that appears between the plan and here is a fault, not a repetition.
const FILES: Insert = Insert {
    head: "INSERT INTO generic_files (created_at, updated_at, file_format, size, identifier, \
           intellectual_object_id, state, last_fixity_check, institution_id, storage_option, \
           uuid, mtime, work_item_id) ",
    tail: " RETURNING id, identifier",
};

fn push_file(columns: &mut Separated<'_, Db, &'static str>, row: &FileRow<'_>) {
    let file = row.file;
    columns
        .push_bind(file.created_at.unwrap_or(row.now).timestamp_micros())
        .push_bind(row.now.timestamp_micros())
        .push_bind(file.file_format.clone())
        .push_bind(signed(file.size))
        .push_bind(file.identifier.clone())
        .push_bind(file.intellectual_object_id)
        .push_bind(file.state.as_str())
        .push_bind(micros(file.last_fixity_check).unwrap_or(NEVER_CHECKED))
        .push_bind(file.institution_id.0)
        .push_bind(file.storage_option.as_str())
        .push_bind(file.uuid.to_string())
        .push_bind(micros(file.mtime))
        .push_bind(key(row.work_item));
}

fn parent(row: &Row) -> Result<(i64, Parent), StoreError> {
    let parent = record!(row => Parent {
        identifier;
        institution: row.value("institution_id")?, work_item: row.value("work_item_id")?,
        tally: Tally::default()
    });
    Ok((row.value("id")?, parent))
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    Ok(record!(row => Stored {
        id, identifier, uuid, size, state, storage_option;
        object_id: row.value("intellectual_object_id")?
    }))
}
