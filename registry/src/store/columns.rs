//! From rows to the words of the domain, and back. NULL is "none": 0, empty, or no time.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Row, StoreError};

/// A column's value as the domain has it.
pub(super) trait Columns {
    fn text(&self, column: &'static str) -> Result<String, StoreError>;
    /// NULL is 0.
    fn number(&self, column: &'static str) -> Result<i64, StoreError>;
    fn flag(&self, column: &'static str) -> Result<bool, StoreError>;
    fn time(&self, column: &'static str) -> Result<Option<DateTime<Utc>>, StoreError>;
    /// A byte count, never negative.
    fn bytes(&self, column: &'static str) -> Result<u64, StoreError>;
    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError>;
    /// A word that may be absent.
    fn word_if_any<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError>;

    fn uuid(&self, column: &'static str) -> Result<Uuid, StoreError> {
        self.word(column)
    }
}

impl Columns for Row {
    fn text(&self, column: &'static str) -> Result<String, StoreError> {
        Ok(self
            .try_get::<Option<String>, _>(column)?
            .unwrap_or_default())
    }

    fn number(&self, column: &'static str) -> Result<i64, StoreError> {
        Ok(self.try_get::<Option<i64>, _>(column)?.unwrap_or_default())
    }

    fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.try_get::<bool, _>(column)?)
    }

    fn time(&self, column: &'static str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Some(micros) = self.try_get::<Option<i64>, _>(column)? else {
            return Ok(None);
        };
        match DateTime::from_timestamp_micros(micros) {
            Some(time) => Ok(Some(time)),
            None => Err(StoreError::Corrupt {
                column,
                value: micros.to_string(),
            }),
        }
    }

    fn bytes(&self, column: &'static str) -> Result<u64, StoreError> {
        let number = self.number(column)?;
        u64::try_from(number).map_err(|_negative| StoreError::Corrupt {
            column,
            value: number.to_string(),
        })
    }

    fn word<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let value: String = self.try_get(column)?;
        value
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { column, value })
    }

    fn word_if_any<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let Some(value) = self.try_get::<Option<String>, _>(column)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(word) => Ok(Some(word)),
            Err(_unknown) => Err(StoreError::Corrupt { column, value }),
        }
    }
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
