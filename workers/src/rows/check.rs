//! Holds the rows that Record will send to the registry's own rules, before anything is stored.
//!
//! A row is written as it will be sent, read as the registry reads it, and given to the checks that the
//! registry asks (`muniment_model::registry::checks`). What depends on the registry's state, such as a
//! lock or a row that is there already, only the registry can say.
//!
//! Three things are not known yet. Of the object's number any will do. The object and its files count as
//! new, and have the copies of Standard, the option with most of them, which gives the rows all events
//! that they can have at Record. The real URLs need settings that this step has not: of a URL only its
//! form is asked, and Reingest Check asks that of the real ones ([`require_urls`]), once for an item, as
//! the form does not depend on the file.

use chrono::{DateTime, Utc};
use muniment_model::registry::checks::{self, BatchFault, Faults};
use muniment_model::registry::{GenericFile, IntellectualObject, StorageRecord};
use muniment_model::{
    BagMetadata, FileRecord, FindingCode, Findings, Namespace, ObjectRecord, StorageOption,
    VerificationMethod,
};
use muniment_runtime::JobError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Rows, storage_record};
use crate::premis::{Events, Kept};

/// In the place of a number that the registry has yet to give.
const NUMBER: i64 = 1;

/// What a depositor has no part in, as a path in the bag and as a title.
const PLAIN: &str = "data/plain";

/// Why the registry would not take a row.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it cannot be read back: {0}")]
    Unreadable(serde_json::Error),
    #[error("{}", .0.lines().join("; "))]
    Faulty(Faults),
}

impl From<Faults> for Refused {
    fn from(faults: Faults) -> Self {
        Self::Faulty(faults)
    }
}

/// The check of one item's rows: what the depositor can mend is collected, what is our fault halts.
pub(crate) struct RowCheck<'a> {
    namespace: Namespace,
    object: &'a ObjectRecord,
    now: DateTime<Utc>,
    findings: Findings,
}

impl<'a> RowCheck<'a> {
    pub(crate) fn new(namespace: Namespace, object: &'a ObjectRecord, now: DateTime<Utc>) -> Self {
        Self {
            namespace,
            object,
            now,
            findings: Findings::default(),
        }
    }

    pub(crate) fn finish(self) -> Findings {
        self.findings
    }

    pub(crate) fn object(&mut self) -> Result<(), JobError> {
        let Err(refused) = accept_object(&self.object_row(self.object)?) else {
            return Ok(());
        };
        let metadata = BagMetadata {
            title: PLAIN.to_owned(),
            ..BagMetadata::default()
        };
        let plain = ObjectRecord {
            metadata: Some(metadata),
            ..self.object.clone()
        };
        accept_object(&self.object_row(&plain)?)
            .map_err(|still| ours(self.object.identifier.as_str(), &still))?;
        let message = format_args!("The object cannot be recorded: {refused}");
        self.findings.error(FindingCode::NotRecordable, "", message);
        Ok(())
    }

    /// One batch of files, as Record will send it.
    pub(crate) fn batch(&mut self, files: &[FileRecord]) -> Result<(), JobError> {
        let mut rows = Vec::new();
        for file in files.iter().filter(|file| file.needs_saving()) {
            let row = self.file_row(file)?;
            if let Err(refused) = self.accept_file(&row) {
                self.blame(file, &row.identifier, &refused)?;
            }
            rows.push(row);
        }
        checks::batch(&rows).map_err(|fault| match &fault {
            BatchFault::TooLong(_) => ours(self.object.identifier.as_str(), &fault),
            BatchFault::Twice { identifier, .. } => ours(identifier, &fault),
        })
    }

    /// The depositor is told when the same row, without what is theirs in it, would be taken.
    fn blame(
        &mut self,
        file: &FileRecord,
        identifier: &str,
        refused: &Refused,
    ) -> Result<(), JobError> {
        let plain = FileRecord {
            path: PLAIN.to_owned(),
            size: 0,
            modified_at: None,
            ..file.clone()
        };
        self.accept_file(&self.file_row(&plain)?)
            .map_err(|still| ours(identifier, &still))?;
        let message = format_args!("File {identifier} cannot be recorded: {refused}");
        self.findings
            .error(FindingCode::NotRecordable, &file.path, message);
        Ok(())
    }

    fn accept_file(&self, row: &GenericFile) -> Result<(), Refused> {
        Ok(checks::file(
            &as_read(row)?,
            self.object.identifier.as_str(),
        )?)
    }

    fn rows<'o>(&self, object: &'o ObjectRecord) -> Rows<'o> {
        Rows {
            events: Events {
                namespace: self.namespace,
                object,
                object_id: NUMBER,
                now: self.now,
            },
        }
    }

    fn object_row(&self, object: &ObjectRecord) -> Result<IntellectualObject, JobError> {
        let methods = VerificationMethod::Stored.as_str();
        self.rows(object).of_object(methods)
    }

    fn file_row(&self, file: &FileRecord) -> Result<GenericFile, JobError> {
        let uuid = file
            .uuid(self.namespace, self.object.item)
            .ok_or(JobError::RecordsLost)?;
        let targets = StorageOption::Standard.targets().iter();
        let urls = targets.map(|target| format!("https://s3.{}.example/{uuid}", target.region()));
        let kept = Kept {
            uuid,
            urls: urls.collect(),
        };
        self.rows(self.object).of_file(file, kept)
    }
}

/// Halts where the registry would not take the URL of a copy: the settings it is made of are ours.
pub(crate) fn require_urls(urls: Vec<String>) -> Result<(), JobError> {
    for url in urls {
        let row = StorageRecord {
            generic_file_id: NUMBER,
            ..storage_record(url)
        };
        checks::storage_record(&row).map_err(|faults| ours(&row.url, &Refused::from(faults)))?;
    }
    Ok(())
}

fn accept_object(row: &IntellectualObject) -> Result<(), Refused> {
    let read = as_read(row)?;
    checks::object(&read)?;
    for event in &read.premis_events {
        checks::event(event)?;
    }
    Ok(())
}

/// The row as the registry will read it.
fn as_read<T: Serialize + DeserializeOwned>(row: &T) -> Result<T, Refused> {
    let json = serde_json::to_vec(row).map_err(Refused::Unreadable)?;
    serde_json::from_slice(&json).map_err(Refused::Unreadable)
}

fn ours(identifier: &str, refused: &dyn std::fmt::Display) -> JobError {
    JobError::halt(format!(
        "the registry would refuse the record of {identifier}: {refused}. Requeue the item when that \
         is resolved."
    ))
}

#[cfg(test)]
mod tests;
