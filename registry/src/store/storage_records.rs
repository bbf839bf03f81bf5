//! Copies, as they are listed, and added one by one. Superseded ones are listed only when they are asked
//! for: a client of the contract takes every copy that it sees for one of the present bytes.
//!
//! Idempotent: one file has one record per address.

use muniment_model::InstitutionId;
use muniment_model::registry::StorageRecord;
use uuid::Uuid;

use super::children::{StorageRow, insert_storage_records};
use super::columns::{Columns, record};
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Row, Store, StoreError};
use crate::rules::RuleError;
use crate::views::CopyView;

pub(crate) const STORAGE_RECORDS: Resource = Resource {
    columns: "s.*",
    from: "storage_records s JOIN generic_files f ON f.id = s.generic_file_id",
    id: "s.id",
    identifier: Identifier::None,
    institution: "f.institution_id",
    filters: filters! {
        "" Is Number: s.generic_file_id;
        "__not_null" Present Flag: s.superseded_at;
        // Which copies are past their undo time, or will be soon.
        "__lteq" AtMost Time: s.superseded_at;
    },
    off_unless_asked: Some("superseded_at__not_null"),
    sorts: sorts! { s.id, s.generic_file_id },
    default_sort: ("s.id", Direction::Descending),
};

impl Store {
    /// Adds the copy to a file of this institution, or finds the one with the same address.
    pub(crate) async fn create_storage_record(
        &self,
        institution: InstitutionId,
        record: &StorageRecord,
    ) -> Result<CopyView, StoreError> {
        let mut transaction = self.write().await?;
        let file = sqlx::query("SELECT institution_id, uuid FROM generic_files WHERE id = $1")
            .bind(record.generic_file_id)
            .fetch_optional(&mut *transaction)
            .await?;
        let file = file.ok_or(StoreError::Dangling)?;
        if file.value::<InstitutionId>("institution_id")? != institution {
            return Err(RuleError::Mismatch.into());
        }
        let present = file.value("uuid")?;
        let version = version_of(&record.url).unwrap_or(present);
        let row = StorageRow {
            url: &record.url,
            file: record.generic_file_id,
            version,
            superseded_at: (version != present).then(|| self.now()),
        };
        insert_storage_records(&mut transaction, &[row]).await?;
        let id: i64 = sqlx::query_scalar(
            "SELECT id FROM storage_records WHERE generic_file_id = $1 AND url = $2",
        )
        .bind(record.generic_file_id)
        .bind(&record.url)
        .fetch_one(&mut *transaction)
        .await?;
        let stored = one(&mut transaction, "s.id", Value::Number(id)).await?;
        transaction.commit().await?;
        Ok(stored)
    }
}

/// The version that a copy is of, as its key says.
fn version_of(url: &str) -> Option<Uuid> {
    let (_, key) = url.rsplit_once('/')?;
    Uuid::try_parse(key).ok()
}

pub(super) fn storage_record(row: &Row) -> Result<StorageRecord, StoreError> {
    Ok(record!(row => StorageRecord {
        id, generic_file_id, url, superseded_at, version
    }))
}

impl View for CopyView {
    const RESOURCE: &'static Resource = &STORAGE_RECORDS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        let copy = storage_record(row)?;
        Ok(Self {
            kept_until: copy.kept_until(),
            copy,
        })
    }

    /// Only administrators see where copies are.
    fn institution(&self) -> InstitutionId {
        InstitutionId(0)
    }
}
