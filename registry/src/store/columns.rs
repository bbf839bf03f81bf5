//! From rows to the words of the domain, and back. NULL is "none": 0, empty, or no time. What is none of
//! our words, or no value of its column's kind, is corrupt: a fault of one row.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use muniment_model::registry::{Access, EventOutcome, EventType, InstitutionKind, RecordState};
use muniment_model::{Action, Algorithm, InstitutionId, Stage, Status, StorageOption, WorkItemId};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Db, Row, StoreError};
use crate::rules::access::Role;

/// Reads a record whose members are named like the columns of the row. Those that are not follow the
/// semicolon with their values.
macro_rules! record {
    ($row:ident => $record:ident { $($member:ident),+ $(; $($other:ident: $value:expr),+)? }) => {
        $record {
            $($member: $row.value(stringify!($member))?,)+
            $($($other: $value),+)?
        }
    };
}
pub(super) use record;

pub(super) trait Columns {
    /// A column's value as the domain has it.
    fn value<T: Cell>(&self, column: &'static str) -> Result<T, StoreError>;
}

impl Columns for Row {
    fn value<T: Cell>(&self, column: &'static str) -> Result<T, StoreError> {
        T::read(self, column)
    }
}

/// The column as the database has it.
fn raw<'r, T>(row: &'r Row, column: &'static str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Db> + sqlx::Type<Db>,
{
    row.try_get(column).map_err(|error| {
        if let sqlx::Error::ColumnDecode { source, .. } = &error {
            corrupt(column, source.to_string())
        } else {
            error.into()
        }
    })
}

/// What a column can be read as.
pub(super) trait Cell: Sized {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError>;
}

impl Cell for String {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        Ok(raw::<Option<Self>>(row, column)?.unwrap_or_default())
    }
}

impl Cell for i64 {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        Ok(raw::<Option<Self>>(row, column)?.unwrap_or_default())
    }
}

impl Cell for InstitutionId {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        row.value(column).map(Self)
    }
}

impl Cell for WorkItemId {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        row.value(column).map(Self)
    }
}

impl Cell for bool {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        raw(row, column)
    }
}

impl Cell for Option<DateTime<Utc>> {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        let Some(micros) = raw::<Option<i64>>(row, column)? else {
            return Ok(None);
        };
        let time = DateTime::from_timestamp_micros(micros);
        time.map(Some)
            .ok_or_else(|| corrupt(column, micros.to_string()))
    }
}

/// A byte count, never negative.
impl Cell for u64 {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        let number: i64 = row.value(column)?;
        Self::try_from(number).map_err(|_negative| corrupt(column, number.to_string()))
    }
}

impl Cell for Option<Status> {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        let text: Option<String> = raw(row, column)?;
        text.map(|text| word(column, text)).transpose()
    }
}

impl Cell for Option<Uuid> {
    fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        let text: Option<String> = raw(row, column)?;
        text.map(|text| word(column, text)).transpose()
    }
}

macro_rules! words {
    ($($word:ident),+) => {$(
        impl Cell for $word {
            fn read(row: &Row, column: &'static str) -> Result<Self, StoreError> {
                word(column, raw(row, column)?)
            }
        }
    )+};
}

words! {
    Access, Action, Algorithm, EventOutcome, EventType, InstitutionKind, RecordState, Role, Stage,
    Status, StorageOption, Uuid
}

fn word<T: FromStr>(column: &'static str, text: String) -> Result<T, StoreError> {
    text.parse().map_err(|_unknown| corrupt(column, text))
}

fn corrupt(column: &'static str, value: impl Into<String>) -> StoreError {
    let value = value.into();
    StoreError::Corrupt { column, value }
}

/// A time as a column holds it.
pub(super) fn micros(time: Option<DateTime<Utc>>) -> Option<i64> {
    time.map(|time| time.timestamp_micros())
}

/// A foreign key as a column holds it: the wire's 0 is "none".
pub(super) fn key(id: i64) -> Option<i64> {
    (id != 0).then_some(id)
}

/// A text whose absence must be NULL, because clients filter on it.
pub(super) fn text_if_any(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A byte count as a column holds it. The rules refuse more than fits before a row is written.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
