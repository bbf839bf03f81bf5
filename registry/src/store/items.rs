//! Work items.
//!
//! Idempotent: an ingest is created once per upload, and an update that names its version is
//! carried out once. The lock of an object is taken in `locks.rs` and released here, by the update that
//! ends the item; an update that lets an ended item go on takes it again, or is refused.

use muniment_model::registry::{Recorded, WorkItem};
use muniment_model::{Action, InstitutionId, ObjectIdentifier, Status, WorkItemId, bag_name_of};

use super::columns::{Columns, key, micros, record, signed, text_if_any};
use super::locks::take_again;
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Connection, Made, Row, Statement, Store, StoreError};
use crate::rules::{RuleError, changes};
use crate::views::ItemView;

pub(crate) const ITEMS: Resource = Resource {
    columns: "w.*, i.name AS institution_name, i.identifier AS institution_identifier, \
              o.identifier AS object_identifier, o.alt_identifier, o.bag_group_identifier, \
              o.storage_option, o.bagit_profile_identifier, o.source_organization, \
              o.internal_sender_identifier, f.identifier AS generic_file_identifier",
    from: "work_items w JOIN institutions i ON i.id = w.institution_id \
           LEFT JOIN intellectual_objects o ON o.id = w.intellectual_object_id \
           LEFT JOIN generic_files f ON f.id = w.generic_file_id",
    id: "w.id",
    identifier: Identifier::None,
    institution: "w.institution_id",
    filters: filters! {
        // Ours, for reading all of a list that changes meanwhile.
        "__gt" MoreThan Number: w.id;
        "" Is Text: w.action, o.alt_identifier, o.bag_group_identifier, o.bagit_profile_identifier,
            w.bucket, w.etag, f.identifier as generic_file_identifier, w.name,
            o.identifier as object_identifier, w.stage, w.status, o.storage_option,
            w.user_email as user;
        "" Is Number: w.generic_file_id, w.institution_id, w.intellectual_object_id;
        "" Is Flag: w.needs_admin_review, w.retry;
        "__in" OneOf Text: w.action, w.stage, w.status;
        "__gteq" AtLeast Number: w.size;
        "__lteq" AtMost Number: w.size;
        "__gteq" AtLeast Time: w.bag_date, w.date_processed;
        "__lteq" AtMost Time: w.bag_date, w.date_processed;
        "__is_null" Absent Flag: w.generic_file_id, w.intellectual_object_id, w.node, w.queued_at;
        "__not_null" Present Flag: w.node, w.queued_at;
    },
    off_unless_asked: None,
    sorts: sorts! {
        w.id, w.created_at, w.updated_at, w.date_processed, w.bag_date, w.queued_at, w.name,
        w.size, w.stage, w.status, w.action, w.institution_id
    },
    default_sort: ("w.updated_at", Direction::Descending),
};

impl Store {
    /// Creates the item, or finds the one that the same upload has, of any institution: a bucket
    /// that changed hands is scanned for its new owner and still holds the uploads of the former one.
    pub(crate) async fn create_item(&self, item: &WorkItem) -> Result<Made<WorkItem>, StoreError> {
        let mut transaction = self.write().await?;
        if let Some(id) = of_upload(&mut transaction, item).await? {
            return Ok(Made::Existing(stored(&mut transaction, id).await?));
        }
        let now = self.now();
        let subject = subject(&mut transaction, item).await?;
        let insert = sqlx::query(
            "INSERT INTO work_items (user_email, note, stage, status, outcome, retry, node, pid, \
             needs_admin_review, queued_at, size, stage_started_at, aptrust_approver, \
             inst_approver, deletion_request_id, intended_status, intellectual_object_id, \
             generic_file_id, updated_at, date_processed, created_at, name, etag, \
             institution_id, bucket, action, bag_date, subject, reason, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, 1) RETURNING id",
        );
        let row = bind_values(insert, item)
            .bind(now.timestamp_micros())
            .bind(item.date_processed.unwrap_or(now).timestamp_micros())
            .bind(item.created_at.unwrap_or(now).timestamp_micros())
            .bind(&item.name)
            .bind(&item.etag)
            .bind(item.institution_id.0)
            .bind(&item.bucket)
            .bind(item.action.as_str())
            .bind(micros(item.bag_date))
            .bind(subject)
            .bind(&item.reason)
            .fetch_one(&mut *transaction)
            .await?;
        let id = WorkItemId(row.value("id")?);
        let made = stored(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(Made::New(made))
    }

    /// Replaces the item's values. With `expected`, only if that is its version.
    pub(crate) async fn update_item(
        &self,
        wanted: &WorkItem,
        expected: Option<i64>,
    ) -> Result<WorkItem, StoreError> {
        self.change_item(wanted.id, |before| {
            changes::version(before.version, expected)?;
            changes::item(before, wanted)?;
            Ok(wanted.clone())
        })
        .await
    }

    /// Replaces the item's values by what a rule makes of them.
    pub(crate) async fn change_item(
        &self,
        id: WorkItemId,
        change: impl FnOnce(&WorkItem) -> Result<WorkItem, RuleError>,
    ) -> Result<WorkItem, StoreError> {
        let mut transaction = self.write().await?;
        let before = stored(&mut transaction, id).await?;
        let wanted = change(&before)?;
        let now = self.now();
        let update = sqlx::query(
            "UPDATE work_items SET user_email = $1, note = $2, stage = $3, status = $4, \
             outcome = $5, retry = $6, node = $7, pid = $8, needs_admin_review = $9, \
             queued_at = $10, size = $11, stage_started_at = $12, aptrust_approver = $13, \
             inst_approver = $14, deletion_request_id = $15, intended_status = $16, \
             intellectual_object_id = $17, generic_file_id = $18, updated_at = $19, \
             date_processed = $20, version = version + 1, \
             holds = CASE WHEN $21 THEN NULL ELSE holds END, reason = $22 \
             WHERE id = $23 AND version = $24",
        );
        let done = bind_values(update, &wanted)
            .bind(now.timestamp_micros())
            .bind(micros(wanted.date_processed.or(before.date_processed)))
            .bind(wanted.status.is_ended())
            .bind(&wanted.reason)
            .bind(id.0)
            .bind(before.version)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            // Another server's transaction came between; ours saw the state before it.
            return Err(RuleError::VersionDiffers {
                sent: before.version,
                stored: before.version + 1,
            }
            .into());
        }
        if before.status.is_ended() && !wanted.status.is_ended() {
            take_again(&mut transaction, id).await?;
        }
        let after = stored(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(after)
    }

    /// What one item has recorded: counts of active files and of their current copies.
    pub(crate) async fn recorded(&self, id: WorkItemId) -> Result<Recorded, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let row = sqlx::query(
            "SELECT (SELECT min(id) FROM intellectual_objects WHERE work_item_id = w.id) \
             AS intellectual_object_id, \
             (SELECT count(*) FROM generic_files WHERE work_item_id = w.id AND state = 'A') \
             AS files, \
             (SELECT count(*) FROM generic_files f \
             JOIN storage_records s ON s.generic_file_id = f.id AND s.superseded_at IS NULL \
             WHERE f.work_item_id = w.id AND f.state = 'A') AS storage_records \
             FROM work_items w WHERE w.id = $1",
        )
        .bind(id.0)
        .fetch_one(&mut *connection)
        .await?;
        Ok(record!(row => Recorded { intellectual_object_id, files, storage_records }))
    }
}

/// Binds what a create and an update both write, as `$1` to `$18`.
fn bind_values(statement: Statement, item: &WorkItem) -> Statement {
    statement
        .bind(&item.user)
        .bind(&item.note)
        .bind(item.stage.as_str())
        .bind(item.status.as_str())
        .bind(&item.outcome)
        .bind(item.retry)
        .bind(text_if_any(&item.node))
        .bind(item.pid)
        .bind(item.needs_admin_review)
        .bind(micros(item.queued_at))
        .bind(signed(item.size))
        .bind(micros(item.stage_started_at))
        .bind(&item.aptrust_approver)
        .bind(&item.inst_approver)
        .bind(key(item.deletion_request_id))
        .bind(item.intended_status.map(Status::as_str))
        .bind(key(item.intellectual_object_id))
        .bind(key(item.generic_file_id))
}

/// The item that this very upload has.
async fn of_upload(
    connection: &mut Connection,
    item: &WorkItem,
) -> Result<Option<WorkItemId>, StoreError> {
    if item.action != Action::Ingest {
        return Ok(None);
    }
    let id: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM work_items \
         WHERE action = 'Ingest' AND bucket = $1 AND name = $2 AND etag = $3 AND bag_date = $4",
    )
    .bind(&item.bucket)
    .bind(&item.name)
    .bind(&item.etag)
    .bind(micros(item.bag_date))
    .fetch_optional(connection)
    .await?;
    Ok(id.map(WorkItemId))
}

/// The object that an item is about, as far as its key or its reference tells.
async fn subject(
    connection: &mut Connection,
    item: &WorkItem,
) -> Result<Option<String>, StoreError> {
    if item.intellectual_object_id != 0 {
        let identifier = sqlx::query_scalar(
            "SELECT identifier FROM intellectual_objects WHERE id = $1 AND institution_id = $2",
        )
        .bind(item.intellectual_object_id)
        .bind(item.institution_id.0)
        .fetch_optional(connection)
        .await?;
        return identifier.map(Some).ok_or(StoreError::Dangling);
    }
    let institution: Option<String> =
        sqlx::query_scalar("SELECT identifier FROM institutions WHERE id = $1")
            .bind(item.institution_id.0)
            .fetch_optional(connection)
            .await?;
    let institution = institution.ok_or(StoreError::Dangling)?;
    let name = match item.action {
        Action::Ingest => bag_name_of(&item.name),
        Action::RestoreObject | Action::RestoreFile | Action::GlacierRestore | Action::Delete => {
            None
        }
    };
    Ok(name.map(|name| ObjectIdentifier::new(&institution, name).to_string()))
}

async fn stored(connection: &mut Connection, id: WorkItemId) -> Result<WorkItem, StoreError> {
    let view: ItemView = one(connection, "w.id", Value::Number(id.0)).await?;
    Ok(view.item)
}

impl View for ItemView {
    const RESOURCE: &'static Resource = &ITEMS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            institution_name, alt_identifier, bag_group_identifier, storage_option,
            bagit_profile_identifier, source_organization, internal_sender_identifier,
            generic_file_identifier;
            item: item(row)?
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.item.institution_id
    }

    fn version(&self) -> Option<i64> {
        Some(self.item.version)
    }
}

fn item(row: &Row) -> Result<WorkItem, StoreError> {
    Ok(record!(row => WorkItem {
        id, created_at, updated_at, name, etag, institution_id, intellectual_object_id,
        generic_file_id, bucket, note, action, stage, status, outcome, bag_date, date_processed,
        retry, node, pid, needs_admin_review, queued_at, size, stage_started_at, aptrust_approver,
        inst_approver, deletion_request_id, version, intended_status, reason,
        institution_identifier, object_identifier;
        user: row.value("user_email")?
    }))
}
