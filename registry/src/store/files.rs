//! Files, as they are read. How they are written: `file_batches.rs`.

use std::collections::HashMap;

use muniment_model::registry::{BATCH_MAX, FileLookup, FileSize, GenericFile, RecordState};
use muniment_model::{Algorithm, InstitutionId};

use super::children::{attach_current, attach_events, attach_records, checksums_of};
use super::columns::{Columns, record};
use super::query::{Direction, Identifier, Resource, View, filters, sorts};
use super::{Connection, Row, Store, StoreError, multi_row};
use crate::views::FileView;

pub(crate) const FILES: Resource = Resource {
    columns: "f.*, o.identifier AS object_identifier, o.access, \
              i.name AS institution_name, i.identifier AS institution_identifier",
    from: "generic_files f JOIN intellectual_objects o ON o.id = f.intellectual_object_id \
           JOIN institutions i ON i.id = f.institution_id",
    id: "f.id",
    identifier: Identifier::Text("f.identifier"),
    institution: "f.institution_id",
    filters: filters! {
        // Ours, for reading all of a list that changes meanwhile.
        "__gt" MoreThan Number: f.id;
        // The identifier of the object is ours: the recovery of the original's recorder asks for it.
        "" Is Text: f.identifier, f.uuid, o.identifier as intellectual_object_identifier, f.state,
            f.storage_option;
        "" Is Number: f.intellectual_object_id, f.institution_id;
        "__in" OneOf Text: f.storage_option;
        "__gteq" AtLeast Number: f.size;
        "__lteq" AtMost Number: f.size;
        "__gteq" AtLeast Time: f.created_at, f.updated_at, f.last_fixity_check;
        "__lteq" AtMost Time: f.created_at, f.updated_at, f.last_fixity_check;
    },
    off_unless_asked: None,
    sorts: sorts! {
        f.id, f.identifier, f.size, f.created_at, f.updated_at, f.last_fixity_check
    },
    default_sort: ("f.updated_at", Direction::Descending),
};

impl Store {
    /// Those of the identifiers that are recorded in the object, in the order of the question, with
    /// the checksums and copies of all versions and without events. Superseded copies show that the row
    /// has replaced an older version.
    pub(crate) async fn lookup_files(
        &self,
        lookup: &FileLookup,
    ) -> Result<Vec<GenericFile>, StoreError> {
        let mut transaction = self.read().await?;
        let head = "SELECT f.* FROM generic_files f WHERE f.identifier IN";
        let identifiers = &lookup.identifiers;
        let mut found: HashMap<_, _> =
            multi_row::select_in(&mut transaction, head, identifiers, GenericFile::read)
                .await?
                .into_iter()
                .filter(|file| file.intellectual_object_id == lookup.intellectual_object_id)
                .map(|file| (file.identifier.clone(), file))
                .collect();
        let mut files: Vec<_> = identifiers
            .iter()
            .filter_map(|identifier| found.remove(identifier))
            .collect();
        attach_records(&mut transaction, &mut files).await?;
        Ok(files)
    }

    /// The active files of the object with ids above `after`, the first [`BATCH_MAX`] of them in the order
    /// of their ids. It counts nothing and joins nothing: an object may have a million.
    pub(crate) async fn file_sizes(
        &self,
        object: i64,
        after: i64,
    ) -> Result<Vec<FileSize>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let rows = sqlx::query(SIZES)
            .bind(object)
            .bind(RecordState::Active.as_str())
            .bind(after)
            .bind(i64::try_from(BATCH_MAX).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        rows.iter()
            .map(|row| Ok(record!(row => FileSize { id, identifier, size })))
            .collect()
    }
}

pub(super) const SIZES: &str = "SELECT id, identifier, size FROM generic_files \
                                WHERE intellectual_object_id = $1 AND state = $2 AND id > $3 \
                                ORDER BY id LIMIT $4";

/// With everything that belongs to it, as the admin API lists it and both APIs show it. Of former
/// versions it shows nothing but the events: clients of the contract take every checksum and copy that
/// they see for one of the present bytes.
impl View for GenericFile {
    const RESOURCE: &'static Resource = &FILES;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            id, created_at, updated_at, file_format, size, identifier, intellectual_object_id,
            state, last_fixity_check, institution_id, storage_option, uuid, mtime;
            premis_events: Vec::new(), checksums: Vec::new(), storage_records: Vec::new()
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.institution_id
    }

    async fn complete(connection: &mut Connection, files: &mut [Self]) -> Result<(), StoreError> {
        attach_current(connection, files).await?;
        attach_events(connection, files).await
    }
}

/// With the digests of its present bytes, as the member API lists it.
impl View for FileView {
    const RESOURCE: &'static Resource = &FILES;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            id, file_format, size, identifier, intellectual_object_id, object_identifier, access,
            state, last_fixity_check, institution_id, institution_name, institution_identifier,
            storage_option, uuid, mtime, created_at, updated_at;
            md5: String::new(), sha1: String::new(), sha256: String::new(), sha512: String::new()
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.institution_id
    }

    async fn complete(connection: &mut Connection, views: &mut [Self]) -> Result<(), StoreError> {
        let ids: Vec<_> = views.iter().map(|view| view.id).collect();
        let mut current = HashMap::new();
        for checksum in checksums_of(connection, &ids).await? {
            if checksum.superseded_at.is_none() {
                let key = (checksum.generic_file_id, checksum.algorithm);
                current.insert(key, checksum.digest);
            }
        }
        for view in views {
            let mut digest = |algorithm| current.remove(&(view.id, algorithm)).unwrap_or_default();
            view.md5 = digest(Algorithm::Md5);
            view.sha1 = digest(Algorithm::Sha1);
            view.sha256 = digest(Algorithm::Sha256);
            view.sha512 = digest(Algorithm::Sha512);
        }
        Ok(())
    }
}
