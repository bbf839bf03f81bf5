//! Intellectual objects, and the events about them as a whole.
//!
//! Idempotent: one identifier, one row. A create that comes again from the same work item finds
//! the row and adds the events that are missing. A work item that had the object's lock and lost it is
//! refused.

use muniment_model::InstitutionId;
use muniment_model::registry::{IntellectualObject, PremisEvent};

use super::children::{EventRow, insert_events};
use super::columns::{Columns, key, record};
use super::locks::recorder;
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Connection, Made, Row, Statement, Store, StoreError};
use crate::rules::file_plan::Tally;
use crate::rules::{RuleError, changes, checks, lock};
use crate::views::ObjectView;

pub(crate) const OBJECTS: Resource = Resource {
    columns: "o.*, i.name AS institution_name, i.identifier AS institution_identifier, \
              i.kind AS institution_type, i.parent_id AS institution_parent_id",
    from: "intellectual_objects o JOIN institutions i ON i.id = o.institution_id",
    id: "o.id",
    identifier: Identifier::Text("o.identifier"),
    institution: "o.institution_id",
    filters: filters! {
        "" Is Text: o.access, o.alt_identifier, o.bag_group_identifier, o.bag_name,
            o.bagit_profile_identifier, o.etag, o.identifier, o.internal_sender_description,
            o.internal_sender_identifier, o.source_organization, o.state, o.storage_option;
        "" Is Number: o.institution_id, i.parent_id as institution_parent_id;
        "__starts_with" StartsWith Text: o.alt_identifier, o.bag_group_identifier, o.identifier;
        "__gteq" AtLeast Number: o.file_count, o.size;
        "__lteq" AtMost Number: o.file_count, o.size;
        "__gteq" AtLeast Time: o.created_at, o.updated_at;
        "__lteq" AtMost Time: o.created_at, o.updated_at;
    },
    off_unless_asked: None,
    sorts: sorts! {
        o.id, o.identifier, o.bag_name, o.created_at, o.updated_at, o.size, o.file_count
    },
    default_sort: ("o.updated_at", Direction::Descending),
};

/// The profile of a bag that names none (contract 2.4.2).
const DEFAULT_PROFILE: &str = "https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.2.json";

impl Store {
    pub(crate) async fn create_object(
        &self,
        wanted: &IntellectualObject,
    ) -> Result<Made<IntellectualObject>, StoreError> {
        let mut transaction = self.write().await?;
        refuse_without_lock(&mut transaction, wanted).await?;
        let value = Value::Text(wanted.identifier.clone());
        let made = match one(&mut transaction, "o.identifier", value).await {
            // Without a work item there is no telling a repetition from a second bag.
            Ok(ObjectView { object, .. })
                if wanted.work_item_id.0 != 0
                    && object.work_item_id == wanted.work_item_id
                    && object.institution_id == wanted.institution_id =>
            {
                Made::Existing(object)
            }
            Ok(_) => return Err(RuleError::taken("identifier").into()),
            Err(StoreError::NotFound) => {
                let id = self.insert_object(&mut transaction, wanted).await?;
                Made::New(stored(&mut transaction, id).await?)
            }
            Err(error) => return Err(error),
        };
        let (Made::New(object) | Made::Existing(object)) = &made;
        self.add_events(&mut transaction, object, &wanted.premis_events)
            .await?;
        transaction.commit().await?;
        Ok(made)
    }

    pub(crate) async fn update_object(
        &self,
        wanted: &IntellectualObject,
    ) -> Result<IntellectualObject, StoreError> {
        let mut transaction = self.write().await?;
        let before = stored(&mut transaction, wanted.id).await?;
        let next = changes::object(&before, wanted)?;
        refuse_without_lock(&mut transaction, wanted).await?;
        let update = sqlx::query(
            "UPDATE intellectual_objects SET title = $1, description = $2, alt_identifier = $3, \
             access = $4, bag_name = $5, state = $6, etag = $7, bag_group_identifier = $8, \
             storage_option = $9, bagit_profile_identifier = $10, source_organization = $11, \
             internal_sender_identifier = $12, internal_sender_description = $13, \
             work_item_id = $14, updated_at = $15 WHERE id = $16",
        );
        bind_values(update, &next)
            .bind(self.now().timestamp_micros())
            .bind(next.id)
            .execute(&mut *transaction)
            .await?;
        let after = stored(&mut transaction, next.id).await?;
        self.add_events(&mut transaction, &after, &wanted.premis_events)
            .await?;
        transaction.commit().await?;
        Ok(after)
    }

    async fn insert_object(
        &self,
        connection: &mut Connection,
        object: &IntellectualObject,
    ) -> Result<i64, StoreError> {
        let now = self.now();
        let insert = sqlx::query(
            "INSERT INTO intellectual_objects (title, description, alt_identifier, access, \
             bag_name, state, etag, bag_group_identifier, storage_option, \
             bagit_profile_identifier, source_organization, internal_sender_identifier, \
             internal_sender_description, work_item_id, updated_at, created_at, identifier, \
             institution_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
             $15, $16, $17, $18) RETURNING id",
        );
        let row = bind_values(insert, object)
            .bind(now.timestamp_micros())
            .bind(object.created_at.unwrap_or(now).timestamp_micros())
            .bind(&object.identifier)
            .bind(object.institution_id.0)
            .fetch_one(connection)
            .await?;
        row.value("id")
    }

    /// Adds the object-level events that are not yet there.
    async fn add_events(
        &self,
        connection: &mut Connection,
        object: &IntellectualObject,
        events: &[PremisEvent],
    ) -> Result<(), StoreError> {
        let events: Vec<_> = events
            .iter()
            .filter(|event| event.id == 0)
            .map(|event| PremisEvent {
                institution_id: object.institution_id,
                intellectual_object_id: object.id,
                generic_file_id: 0,
                ..event.clone()
            })
            .collect();
        events.iter().try_for_each(checks::event)?;
        let now = self.now();
        let rows: Vec<_> = events
            .iter()
            .map(|event| EventRow::alone(event, now))
            .collect();
        insert_events(connection, &rows).await
    }
}

/// Binds what a create and an update both write, as `$1` to `$14`.
fn bind_values(statement: Statement, object: &IntellectualObject) -> Statement {
    statement
        .bind(&object.title)
        .bind(&object.description)
        .bind(&object.alt_identifier)
        .bind(object.access.as_str())
        .bind(&object.bag_name)
        .bind(object.state.as_str())
        .bind(&object.etag)
        .bind(&object.bag_group_identifier)
        .bind(object.storage_option.as_str())
        .bind(profile(object))
        .bind(&object.source_organization)
        .bind(&object.internal_sender_identifier)
        .bind(&object.internal_sender_description)
        .bind(key(object.work_item_id.0))
}

/// Moves the counters of active files by what one transaction changed.
pub(super) async fn move_counters(
    connection: &mut Connection,
    object: i64,
    by: Tally,
) -> Result<(), StoreError> {
    if by == Tally::default() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE intellectual_objects SET file_count = file_count + $1, size = size + $2, \
         payload_file_count = payload_file_count + $3, payload_size = payload_size + $4 \
         WHERE id = $5",
    )
    .bind(by.files)
    .bind(by.bytes)
    .bind(by.payload_files)
    .bind(by.payload_bytes)
    .bind(object)
    .execute(connection)
    .await?;
    Ok(())
}

/// Asked inside the write transaction, so that no lock is released before the commit.
async fn refuse_without_lock(
    connection: &mut Connection,
    wanted: &IntellectualObject,
) -> Result<(), StoreError> {
    if let Some(recorder) = recorder(connection, wanted.work_item_id).await? {
        lock::may_record(&recorder, &wanted.identifier)?;
    }
    Ok(())
}

fn profile(object: &IntellectualObject) -> &str {
    if object.bagit_profile_identifier.is_empty() {
        DEFAULT_PROFILE
    } else {
        &object.bagit_profile_identifier
    }
}

async fn stored(connection: &mut Connection, id: i64) -> Result<IntellectualObject, StoreError> {
    let view: ObjectView = one(connection, "o.id", Value::Number(id)).await?;
    Ok(view.object)
}

impl View for ObjectView {
    const RESOURCE: &'static Resource = &OBJECTS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            institution_name, institution_identifier, institution_type, institution_parent_id;
            object: object(row)?
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.object.institution_id
    }
}

fn object(row: &Row) -> Result<IntellectualObject, StoreError> {
    Ok(record!(row => IntellectualObject {
        id, created_at, updated_at, title, description, identifier, alt_identifier, access,
        bag_name, institution_id, state, etag, bag_group_identifier, storage_option,
        bagit_profile_identifier, source_organization, internal_sender_identifier,
        internal_sender_description, file_count, size, payload_file_count, payload_size,
        work_item_id;
        premis_events: Vec::new()
    }))
}
