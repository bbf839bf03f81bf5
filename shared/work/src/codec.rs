//! Work records as JSON, and the refusal of versions that this program does not know.
//!
//! A record of another version is refused both ways: reading it could misunderstand it, and
//! writing it would leave something no reader takes.

use muniment_model::{Checkpoint, FileRecord, ObjectRecord, SCHEMA_VERSION};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::WorkError;

/// A record that says which version of the schema it follows.
pub(crate) trait Versioned: Serialize + DeserializeOwned {
    fn schema(&self) -> u16;
}

impl Versioned for ObjectRecord {
    fn schema(&self) -> u16 {
        self.schema
    }
}

impl Versioned for FileRecord {
    fn schema(&self) -> u16 {
        self.schema
    }
}

impl Versioned for Checkpoint {
    fn schema(&self) -> u16 {
        self.schema
    }
}

/// What every version of a record has.
#[derive(Deserialize)]
struct Version {
    schema: u16,
}

/// `what` names the record in errors: "the checkpoint of item 12".
pub(crate) fn encode<T: Versioned>(
    record: &T,
    what: impl Fn() -> String,
) -> Result<String, WorkError> {
    accept([record.schema()], &what)?;
    serde_json::to_string(record).map_err(|source| WorkError::Unwritable {
        what: what(),
        source,
    })
}

pub(crate) fn encode_all<T: Versioned>(
    records: &[T],
    what: impl Fn() -> String,
) -> Result<String, WorkError> {
    accept(records.iter().map(Versioned::schema), &what)?;
    serde_json::to_string(records).map_err(|source| WorkError::Unwritable {
        what: what(),
        source,
    })
}

pub(crate) fn decode<T: Versioned>(json: &str, what: impl Fn() -> String) -> Result<T, WorkError> {
    match serde_json::from_str::<T>(json) {
        Ok(record) => {
            accept([record.schema()], &what)?;
            Ok(record)
        }
        Err(source) => {
            // A record of another version need not have our members: say that first.
            if let Ok(version) = serde_json::from_str::<Version>(json) {
                accept([version.schema], &what)?;
            }
            Err(WorkError::Unreadable {
                what: what(),
                source,
            })
        }
    }
}

pub(crate) fn decode_all<T: Versioned>(
    json: &str,
    what: impl Fn() -> String,
) -> Result<Vec<T>, WorkError> {
    match serde_json::from_str::<Vec<T>>(json) {
        Ok(records) => {
            accept(records.iter().map(Versioned::schema), &what)?;
            Ok(records)
        }
        Err(source) => {
            if let Ok(versions) = serde_json::from_str::<Vec<Version>>(json) {
                accept(versions.iter().map(|version| version.schema), &what)?;
            }
            Err(WorkError::Unreadable {
                what: what(),
                source,
            })
        }
    }
}

fn accept(
    schemas: impl IntoIterator<Item = u16>,
    what: impl Fn() -> String,
) -> Result<(), WorkError> {
    match schemas.into_iter().find(|found| *found != SCHEMA_VERSION) {
        Some(found) => Err(WorkError::UnknownSchema {
            what: what(),
            found,
        }),
        None => Ok(()),
    }
}
