//! Work items.
//!
//! Safe to repeat: an ingest is created once per upload, and an update that names its version is
//! carried out once. The turn of an object is in `turns.rs`; it ends here, with the item.

use muniment_model::registry::{Recorded, WorkItem};
use muniment_model::{Action, InstitutionId, ObjectIdentifier, WorkItemId, bag_name_of};

use super::columns::{Columns, key, micros, signed, text_if_any};
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::{Connection, Row, Store, StoreError};
use crate::rules::{Refusal, changes};
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
    institution: "w.institution_id",
    filters: FILTERS,
    sorts: &[
        ("id", "w.id"),
        ("created_at", "w.created_at"),
        ("updated_at", "w.updated_at"),
        ("date_processed", "w.date_processed"),
        ("bag_date", "w.bag_date"),
        ("queued_at", "w.queued_at"),
        ("name", "w.name"),
        ("size", "w.size"),
        ("stage", "w.stage"),
        ("status", "w.status"),
        ("action", "w.action"),
        ("institution_id", "w.institution_id"),
    ],
    default_sort: ("w.updated_at", Direction::Descending),
};

const FILTERS: &[Filter] = &[
    // Ours, for reading all of a list that changes meanwhile.
    filter("id__gt", "w.id", Op::MoreThan, Kind::Number),
    filter("action", "w.action", Op::Is, Kind::Text),
    filter("action__in", "w.action", Op::OneOf, Kind::Text),
    filter("alt_identifier", "o.alt_identifier", Op::Is, Kind::Text),
    filter("bag_date__gteq", "w.bag_date", Op::AtLeast, Kind::Time),
    filter("bag_date__lteq", "w.bag_date", Op::AtMost, Kind::Time),
    filter(
        "bag_group_identifier",
        "o.bag_group_identifier",
        Op::Is,
        Kind::Text,
    ),
    filter(
        "bagit_profile_identifier",
        "o.bagit_profile_identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("bucket", "w.bucket", Op::Is, Kind::Text),
    filter(
        "date_processed__gteq",
        "w.date_processed",
        Op::AtLeast,
        Kind::Time,
    ),
    filter(
        "date_processed__lteq",
        "w.date_processed",
        Op::AtMost,
        Kind::Time,
    ),
    filter("etag", "w.etag", Op::Is, Kind::Text),
    filter("generic_file_id", "w.generic_file_id", Op::Is, Kind::Number),
    filter(
        "generic_file_id__is_null",
        "w.generic_file_id",
        Op::Absent,
        Kind::Flag,
    ),
    filter(
        "generic_file_identifier",
        "f.identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("institution_id", "w.institution_id", Op::Is, Kind::Number),
    filter(
        "intellectual_object_id",
        "w.intellectual_object_id",
        Op::Is,
        Kind::Number,
    ),
    filter(
        "intellectual_object_id__is_null",
        "w.intellectual_object_id",
        Op::Absent,
        Kind::Flag,
    ),
    filter("name", "w.name", Op::Is, Kind::Text),
    filter(
        "needs_admin_review",
        "w.needs_admin_review",
        Op::Is,
        Kind::Flag,
    ),
    filter("node__is_null", "w.node", Op::Absent, Kind::Flag),
    filter("node__not_null", "w.node", Op::Present, Kind::Flag),
    filter("object_identifier", "o.identifier", Op::Is, Kind::Text),
    filter("queued_at__is_null", "w.queued_at", Op::Absent, Kind::Flag),
    filter(
        "queued_at__not_null",
        "w.queued_at",
        Op::Present,
        Kind::Flag,
    ),
    filter("retry", "w.retry", Op::Is, Kind::Flag),
    filter("size__gteq", "w.size", Op::AtLeast, Kind::Number),
    filter("size__lteq", "w.size", Op::AtMost, Kind::Number),
    filter("stage", "w.stage", Op::Is, Kind::Text),
    filter("stage__in", "w.stage", Op::OneOf, Kind::Text),
    filter("status", "w.status", Op::Is, Kind::Text),
    filter("status__in", "w.status", Op::OneOf, Kind::Text),
    filter("storage_option", "o.storage_option", Op::Is, Kind::Text),
    filter("user", "w.user_email", Op::Is, Kind::Text),
];

/// What became of a create.
pub(crate) enum Made {
    New(WorkItem),
    Existing(WorkItem),
}

impl Store {
    pub(crate) async fn items(&self, query: &Query) -> Result<Page<ItemView>, StoreError> {
        self.page(&ITEMS, query, view).await
    }

    pub(crate) async fn item(&self, id: WorkItemId) -> Result<ItemView, StoreError> {
        self.one(&ITEMS, "w.id", Value::Number(id.0), view).await
    }

    /// Creates the item, or finds the one that the same upload has, whosever it is: a bucket that
    /// changed hands is scanned for its new owner and still holds the uploads of the former one.
    pub(crate) async fn create_item(&self, item: &WorkItem) -> Result<Made, StoreError> {
        let mut transaction = self.write().await?;
        if let Some(id) = of_upload(&mut transaction, item).await? {
            return Ok(Made::Existing(stored(&mut transaction, id).await?));
        }
        let now = self.now();
        let subject = subject(&mut transaction, item).await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO work_items (created_at, updated_at, name, etag, institution_id, \
             intellectual_object_id, generic_file_id, bucket, user_email, note, action, stage, \
             status, outcome, bag_date, date_processed, retry, node, pid, needs_admin_review, \
             queued_at, size, stage_started_at, aptrust_approver, inst_approver, \
             deletion_request_id, version, intended_status, subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             $18, $19, $20, $21, $22, $23, $24, $25, $26, 1, $27, $28) RETURNING id",
        )
        .bind(item.created_at.unwrap_or(now).timestamp_micros())
        .bind(now.timestamp_micros())
        .bind(&item.name)
        .bind(&item.etag)
        .bind(item.institution_id.0)
        .bind(key(item.intellectual_object_id))
        .bind(key(item.generic_file_id))
        .bind(&item.bucket)
        .bind(&item.user)
        .bind(&item.note)
        .bind(item.action.as_str())
        .bind(item.stage.as_str())
        .bind(item.status.as_str())
        .bind(&item.outcome)
        .bind(micros(item.bag_date))
        .bind(item.date_processed.unwrap_or(now).timestamp_micros())
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
        .bind(item.intended_status.map(muniment_model::Status::as_str))
        .bind(subject)
        .fetch_one(&mut *transaction)
        .await?;
        let made = stored(&mut transaction, WorkItemId(id)).await?;
        transaction.commit().await?;
        Ok(Made::New(made))
    }

    /// Replaces the item's values. With `expected`, only if that is its version.
    pub(crate) async fn update_item(
        &self,
        wanted: &WorkItem,
        expected: Option<i64>,
    ) -> Result<WorkItem, StoreError> {
        let mut transaction = self.write().await?;
        let before = stored(&mut transaction, wanted.id).await?;
        changes::version(before.version, expected)?;
        changes::item(&before, wanted)?;
        let now = self.now();
        let done = sqlx::query(
            "UPDATE work_items SET updated_at = $1, intellectual_object_id = $2, \
             generic_file_id = $3, user_email = $4, note = $5, stage = $6, status = $7, \
             outcome = $8, date_processed = $9, retry = $10, node = $11, pid = $12, \
             needs_admin_review = $13, queued_at = $14, size = $15, stage_started_at = $16, \
             aptrust_approver = $17, inst_approver = $18, deletion_request_id = $19, \
             intended_status = $20, version = version + 1, \
             holds = CASE WHEN $21 THEN NULL ELSE holds END \
             WHERE id = $22 AND version = $23",
        )
        .bind(now.timestamp_micros())
        .bind(key(wanted.intellectual_object_id))
        .bind(key(wanted.generic_file_id))
        .bind(&wanted.user)
        .bind(&wanted.note)
        .bind(wanted.stage.as_str())
        .bind(wanted.status.as_str())
        .bind(&wanted.outcome)
        .bind(micros(wanted.date_processed.or(before.date_processed)))
        .bind(wanted.retry)
        .bind(text_if_any(&wanted.node))
        .bind(wanted.pid)
        .bind(wanted.needs_admin_review)
        .bind(micros(wanted.queued_at))
        .bind(signed(wanted.size))
        .bind(micros(wanted.stage_started_at))
        .bind(&wanted.aptrust_approver)
        .bind(&wanted.inst_approver)
        .bind(key(wanted.deletion_request_id))
        .bind(wanted.intended_status.map(muniment_model::Status::as_str))
        .bind(wanted.status.is_ended())
        .bind(wanted.id.0)
        .bind(before.version)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            // Another server's transaction came between; ours saw the state before it.
            return Err(Refusal::VersionDiffers {
                sent: before.version,
                stored: before.version + 1,
            }
            .into());
        }
        let after = stored(&mut transaction, wanted.id).await?;
        transaction.commit().await?;
        Ok(after)
    }

    /// What one item has recorded: counts of active files and of their current copies.
    pub(crate) async fn recorded(&self, id: WorkItemId) -> Result<Recorded, StoreError> {
        let mut transaction = self.read().await?;
        sqlx::query("SELECT id FROM work_items WHERE id = $1")
            .bind(id.0)
            .fetch_one(&mut *transaction)
            .await?;
        let object: Option<i64> =
            sqlx::query_scalar("SELECT min(id) FROM intellectual_objects WHERE work_item_id = $1")
                .bind(id.0)
                .fetch_one(&mut *transaction)
                .await?;
        let files: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM generic_files WHERE work_item_id = $1 AND state = 'A'",
        )
        .bind(id.0)
        .fetch_one(&mut *transaction)
        .await?;
        let storage_records: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM generic_files f \
             JOIN storage_records s ON s.generic_file_id = f.id AND s.superseded_at IS NULL \
             WHERE f.work_item_id = $1 AND f.state = 'A'",
        )
        .bind(id.0)
        .fetch_one(&mut *transaction)
        .await?;
        Ok(Recorded {
            intellectual_object_id: object.unwrap_or_default(),
            files,
            storage_records,
        })
    }
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
    let value = Value::Number(id.0);
    Ok(one_in(connection, &ITEMS, "w.id", value, view).await?.item)
}

fn view(row: &Row) -> Result<ItemView, StoreError> {
    Ok(ItemView {
        item: item(row)?,
        institution_name: row.text("institution_name")?,
        alt_identifier: row.text("alt_identifier")?,
        bag_group_identifier: row.text("bag_group_identifier")?,
        storage_option: row.text("storage_option")?,
        bagit_profile_identifier: row.text("bagit_profile_identifier")?,
        source_organization: row.text("source_organization")?,
        internal_sender_identifier: row.text("internal_sender_identifier")?,
        generic_file_identifier: row.text("generic_file_identifier")?,
    })
}

fn item(row: &Row) -> Result<WorkItem, StoreError> {
    Ok(WorkItem {
        id: WorkItemId(row.number("id")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        name: row.text("name")?,
        etag: row.text("etag")?,
        institution_id: InstitutionId(row.number("institution_id")?),
        intellectual_object_id: row.number("intellectual_object_id")?,
        generic_file_id: row.number("generic_file_id")?,
        bucket: row.text("bucket")?,
        user: row.text("user_email")?,
        note: row.text("note")?,
        action: row.word("action")?,
        stage: row.word("stage")?,
        status: row.word("status")?,
        outcome: row.text("outcome")?,
        bag_date: row.time("bag_date")?,
        date_processed: row.time("date_processed")?,
        retry: row.flag("retry")?,
        node: row.text("node")?,
        pid: row.number("pid")?,
        needs_admin_review: row.flag("needs_admin_review")?,
        queued_at: row.time("queued_at")?,
        size: row.bytes("size")?,
        stage_started_at: row.time("stage_started_at")?,
        aptrust_approver: row.text("aptrust_approver")?,
        inst_approver: row.text("inst_approver")?,
        deletion_request_id: row.number("deletion_request_id")?,
        version: row.number("version")?,
        intended_status: row.word_if_any("intended_status")?,
        institution_identifier: row.text("institution_identifier")?,
        object_identifier: row.text("object_identifier")?,
    })
}
