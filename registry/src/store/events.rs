//! PREMIS events: what happened to an object or a file, and how it ended.
//!
//! Safe to repeat: one identifier, one event.

use muniment_model::registry::PremisEvent;

use super::children::{EventRow, event, insert_events};
use super::columns::{Columns, micros};
use super::query::{Direction, Filter, Kind, Op, Page, Query, Resource, Value, filter, one_in};
use super::{Connection, Row, Store, StoreError};
use crate::rules::{Refusal, checks};
use crate::views::EventView;

pub(crate) const EVENTS: Resource = Resource {
    columns: "e.*, f.identifier AS generic_file_identifier, i.name AS institution_name, \
              o.identifier AS intellectual_object_identifier",
    from: "premis_events e JOIN institutions i ON i.id = e.institution_id \
           JOIN intellectual_objects o ON o.id = e.intellectual_object_id \
           LEFT JOIN generic_files f ON f.id = e.generic_file_id",
    id: "e.id",
    institution: "e.institution_id",
    filters: FILTERS,
    sorts: &[("id", "e.id"), ("date_time", "e.date_time")],
    default_sort: ("e.date_time", Direction::Descending),
};

const FILTERS: &[Filter] = &[
    filter("date_time__gteq", "e.date_time", Op::AtLeast, Kind::Time),
    filter("date_time__lteq", "e.date_time", Op::AtMost, Kind::Time),
    filter("event_type", "e.event_type", Op::Is, Kind::Text),
    filter("generic_file_id", "e.generic_file_id", Op::Is, Kind::Number),
    filter(
        "generic_file_id__is_null",
        "e.generic_file_id",
        Op::Absent,
        Kind::Flag,
    ),
    filter(
        "generic_file_identifier",
        "f.identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("identifier", "e.identifier", Op::Is, Kind::Text),
    filter("institution_id", "e.institution_id", Op::Is, Kind::Number),
    filter(
        "intellectual_object_id",
        "e.intellectual_object_id",
        Op::Is,
        Kind::Number,
    ),
    filter(
        "intellectual_object_identifier",
        "o.identifier",
        Op::Is,
        Kind::Text,
    ),
    filter("outcome", "e.outcome", Op::Is, Kind::Text),
];

/// The type whose time is also kept on the file.
const FIXITY_CHECK: &str = "fixity check";

/// What became of a create.
pub(crate) enum Made {
    New(PremisEvent),
    Existing(PremisEvent),
}

impl Store {
    pub(crate) async fn events(&self, query: &Query) -> Result<Page<EventView>, StoreError> {
        self.page(&EVENTS, query, view).await
    }

    pub(crate) async fn event(&self, id: i64) -> Result<EventView, StoreError> {
        self.one(&EVENTS, "e.id", Value::Number(id), view).await
    }

    pub(crate) async fn event_by_identifier(
        &self,
        identifier: &str,
    ) -> Result<EventView, StoreError> {
        let value = Value::Text(identifier.to_ascii_lowercase());
        self.one(&EVENTS, "e.identifier", value, view).await
    }

    pub(crate) async fn create_event(&self, wanted: &PremisEvent) -> Result<Made, StoreError> {
        checks::event(wanted)?;
        let mut transaction = self.write().await?;
        match stored(&mut transaction, wanted).await {
            Ok(event) if says_the_same(&event, wanted) => return Ok(Made::Existing(event)),
            Ok(_) => {
                let what = "identifier".to_owned();
                return Err(Refusal::Taken { what }.into());
            }
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
        refuse_foreign(&mut transaction, wanted).await?;
        let row = EventRow {
            event: wanted,
            institution: wanted.institution_id,
            object: wanted.intellectual_object_id,
            file: wanted.generic_file_id,
            place: None,
            now: self.now(),
        };
        insert_events(&mut transaction, &[row]).await?;
        if wanted.event_type == FIXITY_CHECK {
            sqlx::query(
                "UPDATE generic_files SET last_fixity_check = $1, updated_at = $2 WHERE id = $3",
            )
            .bind(micros(wanted.date_time))
            .bind(self.now().timestamp_micros())
            .bind(wanted.generic_file_id)
            .execute(&mut *transaction)
            .await?;
        }
        let made = stored(&mut transaction, wanted).await?;
        transaction.commit().await?;
        Ok(Made::New(made))
    }
}

/// The object, and the file if any, must be the institution's and belong together.
async fn refuse_foreign(
    connection: &mut Connection,
    event: &PremisEvent,
) -> Result<(), StoreError> {
    let fits: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM intellectual_objects o \
         LEFT JOIN generic_files f ON f.id = $1 \
         WHERE o.id = $2 AND o.institution_id = $3 \
         AND ($1 = 0 OR f.intellectual_object_id = o.id)",
    )
    .bind(event.generic_file_id)
    .bind(event.intellectual_object_id)
    .bind(event.institution_id.0)
    .fetch_one(connection)
    .await?;
    if fits == 0 {
        return Err(Refusal::Mismatch.into());
    }
    Ok(())
}

/// Times are left out: a repeated step takes the time anew.
fn says_the_same(stored: &PremisEvent, wanted: &PremisEvent) -> bool {
    stored.event_type == wanted.event_type
        && stored.generic_file_id == wanted.generic_file_id
        && stored.intellectual_object_id == wanted.intellectual_object_id
        && stored.institution_id == wanted.institution_id
        && stored.outcome == wanted.outcome
        && stored.outcome_detail == wanted.outcome_detail
}

async fn stored(
    connection: &mut Connection,
    wanted: &PremisEvent,
) -> Result<PremisEvent, StoreError> {
    let value = Value::Text(wanted.identifier.to_string());
    Ok(one_in(connection, &EVENTS, "e.identifier", value, view)
        .await?
        .event)
}

fn view(row: &Row) -> Result<EventView, StoreError> {
    Ok(EventView {
        event: event(row)?,
        generic_file_identifier: row.text("generic_file_identifier")?,
        institution_name: row.text("institution_name")?,
        intellectual_object_identifier: row.text("intellectual_object_identifier")?,
    })
}
