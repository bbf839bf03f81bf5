//! Copies, as they are listed, and added one by one.
//!
//! Idempotent: one file has one record per address.

use muniment_model::InstitutionId;
use muniment_model::registry::StorageRecord;

use super::children::{StorageRow, insert_storage_records};
use super::columns::{Columns, record};
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Row, Store, StoreError};
use crate::rules::RuleError;

pub(crate) const STORAGE_RECORDS: Resource = Resource {
    columns: "s.*",
    from: "storage_records s JOIN generic_files f ON f.id = s.generic_file_id",
    id: "s.id",
    identifier: Identifier::None,
    institution: "f.institution_id",
    filters: filters! { "" Is Number: s.generic_file_id; },
    sorts: sorts! { s.id, s.generic_file_id },
    default_sort: ("s.id", Direction::Descending),
};

impl Store {
    /// Adds the copy to a file of this institution, or finds the one with the same address.
    pub(crate) async fn create_storage_record(
        &self,
        institution: InstitutionId,
        record: &StorageRecord,
    ) -> Result<StorageRecord, StoreError> {
        let mut transaction = self.write().await?;
        let owner: Option<i64> =
            sqlx::query_scalar("SELECT institution_id FROM generic_files WHERE id = $1")
                .bind(record.generic_file_id)
                .fetch_optional(&mut *transaction)
                .await?;
        if owner.ok_or(StoreError::Dangling)? != institution.0 {
            return Err(RuleError::Mismatch.into());
        }
        let row = StorageRow {
            url: &record.url,
            file: record.generic_file_id,
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

impl View for StorageRecord {
    const RESOURCE: &'static Resource = &STORAGE_RECORDS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self { id, generic_file_id, url, superseded_at }))
    }

    /// Only administrators see where copies are.
    fn institution(&self) -> InstitutionId {
        InstitutionId(0)
    }
}
