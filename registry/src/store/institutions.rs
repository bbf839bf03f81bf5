//! Institutions: listed, shown, and made by set-up only.

use muniment_model::InstitutionId;
use muniment_model::registry::Institution;

use super::columns::{Columns, record};
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Row, Store, StoreError};
use crate::views::InstitutionView;

pub(crate) const INSTITUTIONS: Resource = Resource {
    columns: "i.*, p.name AS parent_name, p.identifier AS parent_identifier, \
              p.state AS parent_state, p.deactivated_at AS parent_deactivated_at",
    from: "institutions i LEFT JOIN institutions p ON p.id = i.parent_id",
    id: "i.id",
    identifier: Identifier::Text("i.identifier"),
    institution: "i.id",
    filters: filters! {
        "" Is Text: i.kind as type;
        "__contains" Contains Text: i.name;
    },
    off_unless_asked: None,
    sorts: sorts! { i.id, i.name, i.identifier },
    default_sort: ("i.name", Direction::Ascending),
};

impl Store {
    /// Makes the institution, or sets name, kind and buckets of the one with the same identifier.
    pub(crate) async fn ensure_institution(
        &self,
        new: &Institution,
    ) -> Result<Institution, StoreError> {
        let now = self.now().timestamp_micros();
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO institutions (created_at, updated_at, name, identifier, state, kind, \
             receiving_bucket, restore_bucket) VALUES ($1, $1, $2, $3, 'A', $4, $5, $6) \
             ON CONFLICT (identifier) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
             receiving_bucket = excluded.receiving_bucket, \
             restore_bucket = excluded.restore_bucket, updated_at = excluded.updated_at",
        )
        .bind(now)
        .bind(&new.name)
        .bind(&new.identifier)
        .bind(new.kind.as_str())
        .bind(&new.receiving_bucket)
        .bind(&new.restore_bucket)
        .execute(&mut *transaction)
        .await?;
        let value = Value::Text(new.identifier.clone());
        let stored: InstitutionView = one(&mut transaction, "i.identifier", value).await?;
        transaction.commit().await?;
        Ok(stored.institution)
    }
}

impl View for InstitutionView {
    const RESOURCE: &'static Resource = &INSTITUTIONS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        let institution = record!(row => Institution {
            id, name, identifier, state, kind, receiving_bucket, restore_bucket, created_at,
            updated_at
        });
        Ok(record!(row => Self {
            deactivated_at, parent_id, parent_name, parent_identifier, parent_state,
            parent_deactivated_at;
            institution: institution, otp_enabled: false, spot_restore_frequency: 0,
            last_spot_restore_work_item_id: 0
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.institution.id
    }
}
