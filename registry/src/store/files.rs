//! Files, as they are read. How they are written: `file_batches.rs`.

use muniment_model::InstitutionId;
use muniment_model::registry::{Checksum, FileLookup, GenericFile};

use super::children::{attach_events, attach_records};
use super::columns::Columns;
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::{Row, Store, StoreError, multi_row};
use crate::views::{FileView, JoinedFile};

pub(crate) const FILES: Resource = Resource {
    columns: "f.*, o.identifier AS object_identifier, o.access, \
              i.name AS institution_name, i.identifier AS institution_identifier",
    from: "generic_files f JOIN intellectual_objects o ON o.id = f.intellectual_object_id \
           JOIN institutions i ON i.id = f.institution_id",
    id: "f.id",
    institution: "f.institution_id",
    filters: FILTERS,
    sorts: &[
        ("id", "f.id"),
        ("identifier", "f.identifier"),
        ("size", "f.size"),
        ("created_at", "f.created_at"),
        ("updated_at", "f.updated_at"),
        ("last_fixity_check", "f.last_fixity_check"),
    ],
    default_sort: ("f.updated_at", Direction::Descending),
};

const FILTERS: &[Filter] = &[
    // Ours, for reading all of a list that changes meanwhile.
    filter("id__gt", "f.id", Op::MoreThan, Kind::Number),
    filter("identifier", "f.identifier", Op::Is, Kind::Text),
    filter("uuid", "f.uuid", Op::Is, Kind::Text),
    filter(
        "intellectual_object_id",
        "f.intellectual_object_id",
        Op::Is,
        Kind::Number,
    ),
    // Ours: the recovery of the original's recorder asks for it.
    filter(
        "intellectual_object_identifier",
        "o.identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("institution_id", "f.institution_id", Op::Is, Kind::Number),
    filter("state", "f.state", Op::Is, Kind::Text),
    filter("storage_option", "f.storage_option", Op::Is, Kind::Text),
    filter(
        "storage_option__in",
        "f.storage_option",
        Op::OneOf,
        Kind::Text,
    ),
    filter("size__gteq", "f.size", Op::AtLeast, Kind::Number),
    filter("size__lteq", "f.size", Op::AtMost, Kind::Number),
    filter("created_at__gteq", "f.created_at", Op::AtLeast, Kind::Time),
    filter("created_at__lteq", "f.created_at", Op::AtMost, Kind::Time),
    filter("updated_at__gteq", "f.updated_at", Op::AtLeast, Kind::Time),
    filter("updated_at__lteq", "f.updated_at", Op::AtMost, Kind::Time),
    filter(
        "last_fixity_check__gteq",
        "f.last_fixity_check",
        Op::AtLeast,
        Kind::Time,
    ),
    filter(
        "last_fixity_check__lteq",
        "f.last_fixity_check",
        Op::AtMost,
        Kind::Time,
    ),
];

impl Store {
    /// As the admin API lists them: with everything that hangs on them.
    pub(crate) async fn files(&self, query: &Query) -> Result<Page<GenericFile>, StoreError> {
        let page = self.page(&FILES, query, file).await?;
        let mut files = page.rows;
        let mut transaction = self.read().await?;
        attach_records(&mut transaction, &mut files).await?;
        attach_events(&mut transaction, &mut files).await?;
        Ok(Page {
            count: page.count,
            rows: files,
        })
    }

    /// As the member API lists them: with the newest digest of each algorithm.
    pub(crate) async fn file_views(&self, query: &Query) -> Result<Page<FileView>, StoreError> {
        let page = self.page(&FILES, query, joined).await?;
        let mut files: Vec<_> = page.rows.iter().map(|row| row.file.clone()).collect();
        let mut transaction = self.read().await?;
        attach_records(&mut transaction, &mut files).await?;
        let rows = page
            .rows
            .into_iter()
            .zip(files)
            .map(|(joined, with_checksums)| view(joined, &with_checksums.checksums))
            .collect();
        Ok(Page {
            count: page.count,
            rows,
        })
    }

    /// The file with everything that hangs on it.
    pub(crate) async fn file(&self, id: i64) -> Result<GenericFile, StoreError> {
        self.whole_file("f.id", Value::Number(id)).await
    }

    pub(crate) async fn file_by_identifier(
        &self,
        identifier: &str,
    ) -> Result<GenericFile, StoreError> {
        let value = Value::Text(identifier.to_owned());
        self.whole_file("f.identifier", value).await
    }

    async fn whole_file(
        &self,
        column: &'static str,
        value: Value,
    ) -> Result<GenericFile, StoreError> {
        let mut transaction = self.read().await?;
        let mut found = [one_in(&mut transaction, &FILES, column, value, file).await?];
        attach_records(&mut transaction, &mut found).await?;
        attach_events(&mut transaction, &mut found).await?;
        let [whole] = found;
        Ok(whole)
    }

    /// Those of the identifiers that are recorded in the object, in the order of the question, with
    /// checksums and copies and without events. Superseded copies are among them: they show who asks
    /// that the row has replaced an older version.
    pub(crate) async fn lookup_files(
        &self,
        lookup: &FileLookup,
    ) -> Result<Vec<GenericFile>, StoreError> {
        let mut transaction = self.read().await?;
        let head = "SELECT f.* FROM generic_files f WHERE f.identifier IN";
        let mut found = std::collections::HashMap::new();
        for row in multi_row::select_in(&mut transaction, head, &lookup.identifiers).await? {
            let file = file(&row)?;
            if file.intellectual_object_id == lookup.intellectual_object_id {
                found.insert(file.identifier.clone(), file);
            }
        }
        let mut files: Vec<_> = lookup
            .identifiers
            .iter()
            .filter_map(|identifier| found.remove(identifier))
            .collect();
        attach_records(&mut transaction, &mut files).await?;
        Ok(files)
    }
}

/// The file without its children.
pub(super) fn file(row: &Row) -> Result<GenericFile, StoreError> {
    Ok(GenericFile {
        id: row.number("id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        file_format: row.text("file_format")?,
        size: row.bytes("size")?,
        identifier: row.text("identifier")?,
        intellectual_object_id: row.number("intellectual_object_id")?,
        state: row.text("state")?,
        last_fixity_check: row.time("last_fixity_check")?,
        institution_id: InstitutionId(row.number("institution_id")?),
        storage_option: row.word("storage_option")?,
        uuid: row.uuid("uuid")?,
        mtime: row.time("mtime")?,
        premis_events: Vec::new(),
        checksums: Vec::new(),
        storage_records: Vec::new(),
    })
}

fn joined(row: &Row) -> Result<JoinedFile, StoreError> {
    Ok(JoinedFile {
        file: file(row)?,
        object_identifier: row.text("object_identifier")?,
        access: row.text("access")?,
        institution_name: row.text("institution_name")?,
        institution_identifier: row.text("institution_identifier")?,
    })
}

/// `checksums` stand newest first.
fn view(joined: JoinedFile, checksums: &[Checksum]) -> FileView {
    let newest = |algorithm| {
        checksums
            .iter()
            .find(|checksum| checksum.algorithm == algorithm)
            .map(|checksum| checksum.digest.clone())
            .unwrap_or_default()
    };
    let file = joined.file;
    FileView {
        id: file.id,
        file_format: file.file_format,
        size: file.size,
        identifier: file.identifier,
        intellectual_object_id: file.intellectual_object_id,
        object_identifier: joined.object_identifier,
        access: joined.access,
        state: file.state,
        last_fixity_check: file.last_fixity_check,
        institution_id: file.institution_id,
        institution_name: joined.institution_name,
        institution_identifier: joined.institution_identifier,
        storage_option: file.storage_option.to_string(),
        uuid: file.uuid.to_string(),
        mtime: file.mtime,
        md5: newest(muniment_model::Algorithm::Md5),
        sha1: newest(muniment_model::Algorithm::Sha1),
        sha256: newest(muniment_model::Algorithm::Sha256),
        sha512: newest(muniment_model::Algorithm::Sha512),
        created_at: file.created_at,
        updated_at: file.updated_at,
    }
}
