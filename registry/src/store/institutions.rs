//! Institutions: listed, shown, and made by set-up only.

use muniment_model::InstitutionId;
use muniment_model::registry::Institution;

use super::columns::Columns;
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::{Row, Store, StoreError};
use crate::views::InstitutionView;

pub(crate) const INSTITUTIONS: Resource = Resource {
    columns: "i.*, p.name AS parent_name, p.identifier AS parent_identifier, \
              p.state AS parent_state, p.deactivated_at AS parent_deactivated_at",
    from: "institutions i LEFT JOIN institutions p ON p.id = i.parent_id",
    id: "i.id",
    institution: "i.id",
    filters: FILTERS,
    sorts: &[
        ("id", "i.id"),
        ("name", "i.name"),
        ("identifier", "i.identifier"),
    ],
    default_sort: ("i.name", Direction::Ascending),
};

const FILTERS: &[Filter] = &[
    filter("name__contains", "i.name", Op::Contains, Kind::Text),
    filter("type", "i.kind", Op::Is, Kind::Text),
];

impl Store {
    pub(crate) async fn institutions(
        &self,
        query: &Query,
    ) -> Result<Page<InstitutionView>, StoreError> {
        self.page(&INSTITUTIONS, query, view).await
    }

    pub(crate) async fn institution(
        &self,
        id: InstitutionId,
    ) -> Result<InstitutionView, StoreError> {
        self.one(&INSTITUTIONS, "i.id", Value::Number(id.0), view)
            .await
    }

    pub(crate) async fn institution_by_identifier(
        &self,
        identifier: &str,
    ) -> Result<InstitutionView, StoreError> {
        let value = Value::Text(identifier.to_owned());
        self.one(&INSTITUTIONS, "i.identifier", value, view).await
    }

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
        .bind(&new.kind)
        .bind(&new.receiving_bucket)
        .bind(&new.restore_bucket)
        .execute(&mut *transaction)
        .await?;
        let value = Value::Text(new.identifier.clone());
        let stored = one_in(&mut transaction, &INSTITUTIONS, "i.identifier", value, view).await?;
        transaction.commit().await?;
        Ok(stored.institution)
    }
}

fn view(row: &Row) -> Result<InstitutionView, StoreError> {
    Ok(InstitutionView {
        institution: Institution {
            id: InstitutionId(row.number("id")?),
            name: row.text("name")?,
            identifier: row.text("identifier")?,
            state: row.text("state")?,
            kind: row.text("kind")?,
            receiving_bucket: row.text("receiving_bucket")?,
            restore_bucket: row.text("restore_bucket")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        },
        deactivated_at: row.time("deactivated_at")?,
        otp_enabled: false,
        spot_restore_frequency: 0,
        last_spot_restore_work_item_id: 0,
        parent_id: row.number("parent_id")?,
        parent_name: row.text("parent_name")?,
        parent_identifier: row.text("parent_identifier")?,
        parent_state: row.text("parent_state")?,
        parent_deactivated_at: row.time("parent_deactivated_at")?,
    })
}
