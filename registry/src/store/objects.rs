//! Intellectual objects, and the events about them as a whole.
//!
//! Safe to repeat: one identifier, one row. A create that comes again from the same work item finds
//! the row and adds the events that are missing. A work item that had the object's turn and has it no
//! more is refused.

use muniment_model::registry::{IntellectualObject, PremisEvent};
use muniment_model::{InstitutionId, WorkItemId};

use super::children::{EventRow, insert_events};
use super::columns::{Columns, key};
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::turns::recorder;
use super::{Connection, Row, Store, StoreError};
use crate::rules::file_plan::Tally;
use crate::rules::{Refusal, changes, checks, turn};
use crate::views::ObjectView;

pub(crate) const OBJECTS: Resource = Resource {
    columns: "o.*, i.name AS institution_name, i.identifier AS institution_identifier, \
              i.kind AS institution_type, i.parent_id AS institution_parent_id",
    from: "intellectual_objects o JOIN institutions i ON i.id = o.institution_id",
    id: "o.id",
    institution: "o.institution_id",
    filters: FILTERS,
    sorts: &[
        ("id", "o.id"),
        ("identifier", "o.identifier"),
        ("bag_name", "o.bag_name"),
        ("created_at", "o.created_at"),
        ("updated_at", "o.updated_at"),
        ("size", "o.size"),
        ("file_count", "o.file_count"),
    ],
    default_sort: ("o.updated_at", Direction::Descending),
};

const FILTERS: &[Filter] = &[
    filter("access", "o.access", Op::Is, Kind::Text),
    filter("alt_identifier", "o.alt_identifier", Op::Is, Kind::Text),
    filter(
        "alt_identifier__starts_with",
        "o.alt_identifier",
        Op::StartsWith,
        Kind::Text,
    ),
    filter(
        "bag_group_identifier",
        "o.bag_group_identifier",
        Op::Is,
        Kind::Text,
    ),
    filter(
        "bag_group_identifier__starts_with",
        "o.bag_group_identifier",
        Op::StartsWith,
        Kind::Text,
    ),
    filter("bag_name", "o.bag_name", Op::Is, Kind::Text),
    filter(
        "bagit_profile_identifier",
        "o.bagit_profile_identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("created_at__gteq", "o.created_at", Op::AtLeast, Kind::Time),
    filter("created_at__lteq", "o.created_at", Op::AtMost, Kind::Time),
    filter("etag", "o.etag", Op::Is, Kind::Text),
    filter(
        "file_count__gteq",
        "o.file_count",
        Op::AtLeast,
        Kind::Number,
    ),
    filter("file_count__lteq", "o.file_count", Op::AtMost, Kind::Number),
    filter("identifier", "o.identifier", Op::Is, Kind::Text),
    filter(
        "identifier__starts_with",
        "o.identifier",
        Op::StartsWith,
        Kind::Text,
    ),
    filter("institution_id", "o.institution_id", Op::Is, Kind::Number),
    filter("institution_parent_id", "i.parent_id", Op::Is, Kind::Number),
    filter(
        "internal_sender_description",
        "o.internal_sender_description",
        Op::Is,
        Kind::Text,
    ),
    filter(
        "internal_sender_identifier",
        "o.internal_sender_identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("size__gteq", "o.size", Op::AtLeast, Kind::Number),
    filter("size__lteq", "o.size", Op::AtMost, Kind::Number),
    filter(
        "source_organization",
        "o.source_organization",
        Op::Is,
        Kind::Text,
    ),
    filter("state", "o.state", Op::Is, Kind::Text),
    filter("storage_option", "o.storage_option", Op::Is, Kind::Text),
    filter("updated_at__gteq", "o.updated_at", Op::AtLeast, Kind::Time),
    filter("updated_at__lteq", "o.updated_at", Op::AtMost, Kind::Time),
];

/// The profile of a bag that names none (contract 2.4.2).
const DEFAULT_PROFILE: &str = "https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.2.json";

/// What became of a create.
pub(crate) enum Made {
    New(IntellectualObject),
    Existing(IntellectualObject),
}

impl Store {
    pub(crate) async fn objects(&self, query: &Query) -> Result<Page<ObjectView>, StoreError> {
        self.page(&OBJECTS, query, view).await
    }

    pub(crate) async fn object(&self, id: i64) -> Result<ObjectView, StoreError> {
        self.one(&OBJECTS, "o.id", Value::Number(id), view).await
    }

    pub(crate) async fn object_by_identifier(
        &self,
        identifier: &str,
    ) -> Result<ObjectView, StoreError> {
        let value = Value::Text(identifier.to_owned());
        self.one(&OBJECTS, "o.identifier", value, view).await
    }

    pub(crate) async fn create_object(
        &self,
        wanted: &IntellectualObject,
    ) -> Result<Made, StoreError> {
        let mut transaction = self.write().await?;
        refuse_out_of_turn(&mut transaction, wanted).await?;
        let value = Value::Text(wanted.identifier.clone());
        let found = one_in(&mut transaction, &OBJECTS, "o.identifier", value, view).await;
        let made = match found {
            Ok(ObjectView { object, .. }) => {
                // Without a work item there is no telling a repetition from a second bag.
                let repeated = wanted.work_item_id.0 != 0
                    && object.work_item_id == wanted.work_item_id
                    && object.institution_id == wanted.institution_id;
                if !repeated {
                    return Err(taken().into());
                }
                self.add_events(&mut transaction, &object, &wanted.premis_events)
                    .await?;
                Made::Existing(object)
            }
            Err(StoreError::NotFound) => {
                let id = self.insert_object(&mut transaction, wanted).await?;
                let object = stored(&mut transaction, id).await?;
                self.add_events(&mut transaction, &object, &wanted.premis_events)
                    .await?;
                Made::New(object)
            }
            Err(error) => return Err(error),
        };
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
        refuse_out_of_turn(&mut transaction, wanted).await?;
        sqlx::query(
            "UPDATE intellectual_objects SET updated_at = $1, title = $2, description = $3, \
             alt_identifier = $4, access = $5, bag_name = $6, state = $7, etag = $8, \
             bag_group_identifier = $9, storage_option = $10, bagit_profile_identifier = $11, \
             source_organization = $12, internal_sender_identifier = $13, \
             internal_sender_description = $14, work_item_id = $15 WHERE id = $16",
        )
        .bind(self.now().timestamp_micros())
        .bind(&next.title)
        .bind(&next.description)
        .bind(&next.alt_identifier)
        .bind(&next.access)
        .bind(&next.bag_name)
        .bind(&next.state)
        .bind(&next.etag)
        .bind(&next.bag_group_identifier)
        .bind(next.storage_option.as_str())
        .bind(profile(&next))
        .bind(&next.source_organization)
        .bind(&next.internal_sender_identifier)
        .bind(&next.internal_sender_description)
        .bind(key(next.work_item_id.0))
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
        let id = sqlx::query_scalar(
            "INSERT INTO intellectual_objects (created_at, updated_at, title, description, \
             identifier, alt_identifier, access, bag_name, institution_id, state, etag, \
             bag_group_identifier, storage_option, bagit_profile_identifier, \
             source_organization, internal_sender_identifier, internal_sender_description, \
             work_item_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
             $15, $16, $17, $18) RETURNING id",
        )
        .bind(object.created_at.unwrap_or(now).timestamp_micros())
        .bind(now.timestamp_micros())
        .bind(&object.title)
        .bind(&object.description)
        .bind(&object.identifier)
        .bind(&object.alt_identifier)
        .bind(&object.access)
        .bind(&object.bag_name)
        .bind(object.institution_id.0)
        .bind(&object.state)
        .bind(&object.etag)
        .bind(&object.bag_group_identifier)
        .bind(object.storage_option.as_str())
        .bind(profile(object))
        .bind(&object.source_organization)
        .bind(&object.internal_sender_identifier)
        .bind(&object.internal_sender_description)
        .bind(key(object.work_item_id.0))
        .fetch_one(connection)
        .await?;
        Ok(id)
    }

    /// Adds the object-level events that are not yet there.
    async fn add_events(
        &self,
        connection: &mut Connection,
        object: &IntellectualObject,
        events: &[PremisEvent],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(events.len());
        for event in events.iter().filter(|event| event.id == 0) {
            let mut event = event.clone();
            event.institution_id = object.institution_id;
            event.intellectual_object_id = object.id;
            event.generic_file_id = 0;
            checks::event(&event)?;
            rows.push(event);
        }
        let rows: Vec<_> = rows
            .iter()
            .map(|event| EventRow {
                event,
                institution: object.institution_id,
                object: object.id,
                file: 0,
                place: None,
                now: self.now(),
            })
            .collect();
        insert_events(connection, &rows).await
    }
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

/// Asked inside the write transaction, so no turn can end between the question and the commit.
async fn refuse_out_of_turn(
    connection: &mut Connection,
    wanted: &IntellectualObject,
) -> Result<(), StoreError> {
    if let Some(recorder) = recorder(connection, wanted.work_item_id).await? {
        turn::may_record(&recorder, &wanted.identifier)?;
    }
    Ok(())
}

fn taken() -> Refusal {
    Refusal::Taken {
        what: "identifier".to_owned(),
    }
}

fn profile(object: &IntellectualObject) -> &str {
    if object.bagit_profile_identifier.is_empty() {
        DEFAULT_PROFILE
    } else {
        &object.bagit_profile_identifier
    }
}

async fn stored(connection: &mut Connection, id: i64) -> Result<IntellectualObject, StoreError> {
    let value = Value::Number(id);
    Ok(one_in(connection, &OBJECTS, "o.id", value, view)
        .await?
        .object)
}

fn view(row: &Row) -> Result<ObjectView, StoreError> {
    Ok(ObjectView {
        object: object(row)?,
        institution_name: row.text("institution_name")?,
        institution_identifier: row.text("institution_identifier")?,
        institution_type: row.text("institution_type")?,
        institution_parent_id: row.number("institution_parent_id")?,
    })
}

fn object(row: &Row) -> Result<IntellectualObject, StoreError> {
    Ok(IntellectualObject {
        id: row.number("id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        title: row.text("title")?,
        description: row.text("description")?,
        identifier: row.text("identifier")?,
        alt_identifier: row.text("alt_identifier")?,
        access: row.text("access")?,
        bag_name: row.text("bag_name")?,
        institution_id: InstitutionId(row.number("institution_id")?),
        state: row.text("state")?,
        etag: row.text("etag")?,
        bag_group_identifier: row.text("bag_group_identifier")?,
        storage_option: row.word("storage_option")?,
        bagit_profile_identifier: row.text("bagit_profile_identifier")?,
        source_organization: row.text("source_organization")?,
        internal_sender_identifier: row.text("internal_sender_identifier")?,
        internal_sender_description: row.text("internal_sender_description")?,
        file_count: row.number("file_count")?,
        size: row.number("size")?,
        payload_file_count: row.number("payload_file_count")?,
        payload_size: row.number("payload_size")?,
        work_item_id: WorkItemId(row.number("work_item_id")?),
        premis_events: Vec::new(),
    })
}
