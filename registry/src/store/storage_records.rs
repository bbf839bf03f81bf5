//! Copies, as they are listed, and added one by one.
//!
//! Safe to repeat: one file has one record per address.

use muniment_model::InstitutionId;
use muniment_model::registry::StorageRecord;

use super::children::{StorageRow, insert_storage_records, storage_record};
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::{Store, StoreError};
use crate::rules::Refusal;

pub(crate) const STORAGE_RECORDS: Resource = Resource {
    columns: "s.*",
    from: "storage_records s JOIN generic_files f ON f.id = s.generic_file_id",
    id: "s.id",
    institution: "f.institution_id",
    filters: FILTERS,
    sorts: &[("id", "s.id"), ("generic_file_id", "s.generic_file_id")],
    default_sort: ("s.id", Direction::Descending),
};

const FILTERS: &[Filter] = &[filter(
    "generic_file_id",
    "s.generic_file_id",
    Op::Is,
    Kind::Number,
)];

impl Store {
    pub(crate) async fn storage_records(
        &self,
        query: &Query,
    ) -> Result<Page<StorageRecord>, StoreError> {
        self.page(&STORAGE_RECORDS, query, storage_record).await
    }

    pub(crate) async fn storage_record(&self, id: i64) -> Result<StorageRecord, StoreError> {
        self.one(&STORAGE_RECORDS, "s.id", Value::Number(id), storage_record)
            .await
    }

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
            return Err(Refusal::Mismatch.into());
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
        let stored = one_in(
            &mut transaction,
            &STORAGE_RECORDS,
            "s.id",
            Value::Number(id),
            storage_record,
        )
        .await?;
        transaction.commit().await?;
        Ok(stored)
    }
}
