//! PREMIS events: what happened to an object or a file, and how it ended.
//!
//! Idempotent: one identifier, one event.

use muniment_model::InstitutionId;
use muniment_model::registry::{EventType, PremisEvent};

use super::children::{EventRow, event, insert_events};
use super::columns::{Columns, micros, record};
use super::query::{Direction, Identifier, Resource, Value, View, filters, one, sorts};
use super::{Connection, Made, Row, Store, StoreError};
use crate::rules::{RuleError, checks};
use crate::views::EventView;

pub(crate) const EVENTS: Resource = Resource {
    columns: "e.*, f.identifier AS generic_file_identifier, i.name AS institution_name, \
              o.identifier AS intellectual_object_identifier",
    from: "premis_events e JOIN institutions i ON i.id = e.institution_id \
           JOIN intellectual_objects o ON o.id = e.intellectual_object_id \
           LEFT JOIN generic_files f ON f.id = e.generic_file_id",
    id: "e.id",
    identifier: Identifier::Uuid("e.identifier"),
    institution: "e.institution_id",
    filters: filters! {
        "" Is Text: e.event_type, f.identifier as generic_file_identifier, e.identifier,
            o.identifier as intellectual_object_identifier, e.outcome;
        "" Is Number: e.generic_file_id, e.institution_id, e.intellectual_object_id;
        "__gteq" AtLeast Time: e.date_time;
        "__lteq" AtMost Time: e.date_time;
        "__is_null" Absent Flag: e.generic_file_id;
    },
    off_unless_asked: None,
    sorts: sorts! { e.id, e.date_time },
    default_sort: ("e.date_time", Direction::Descending),
};

impl Store {
    /// The time of a fixity check is also kept on its file, unless a later one is there.
    pub(crate) async fn create_event(
        &self,
        wanted: &PremisEvent,
    ) -> Result<Made<PremisEvent>, StoreError> {
        checks::event(wanted)?;
        let mut transaction = self.write().await?;
        match stored(&mut transaction, wanted).await {
            Ok(event) if says_the_same(&event, wanted) => return Ok(Made::Existing(event)),
            Ok(_) => return Err(RuleError::taken("identifier").into()),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
        refuse_foreign(&mut transaction, wanted).await?;
        let row = EventRow::alone(wanted, self.now());
        insert_events(&mut transaction, &[row]).await?;
        if wanted.event_type == EventType::FixityCheck {
            sqlx::query(
                "UPDATE generic_files SET last_fixity_check = $1, updated_at = $2 \
                 WHERE id = $3 AND last_fixity_check < $1",
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
        return Err(RuleError::Mismatch.into());
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
    let view: EventView = one(connection, "e.identifier", value).await?;
    Ok(view.event)
}

impl View for EventView {
    const RESOURCE: &'static Resource = &EVENTS;

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(record!(row => Self {
            generic_file_identifier, institution_name, intellectual_object_identifier;
            event: event(row)?
        }))
    }

    fn institution(&self) -> InstitutionId {
        self.event.institution_id
    }
}
