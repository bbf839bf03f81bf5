//! What the demo says in the end: a table, the findings of each rejected bag, and whether
//! everything ended as it should. Pure.

use std::path::Path;
use std::time::Duration;

use muniment_model::Status;
use muniment_model::registry::{IntellectualObject, WorkItem};

use super::samples::Expected;
use crate::Outcome;
use crate::table::{self, Table};

/// A deposit and how it ended.
pub(crate) struct Played {
    pub(crate) name: String,
    pub(crate) institution: &'static str,
    pub(crate) expected: Expected,
    /// `None` when it had not ended in time.
    pub(crate) item: Option<WorkItem>,
    /// The object that the deposit was recorded as.
    pub(crate) object: Option<IntellectualObject>,
    /// Of what was deposited, as far as that can be read.
    pub(crate) tar_files: Option<u64>,
    pub(crate) tar_bytes: u64,
    pub(crate) took: Duration,
}

/// Whether the demo went right, and the sentence that says so.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
}

impl Played {
    /// How it ended, marked when it should have ended otherwise.
    pub(crate) fn result(&self) -> String {
        let status = match &self.item {
            Some(item) => item.status.as_str(),
            None => "not ended",
        };
        match (self.fault(), self.expected) {
            (Some(_), _) => format!("{status} (!)"),
            (None, Expected::Accepted(_)) => status.to_owned(),
            (None, Expected::Rejected(_)) => format!("{status}, as it should"),
        }
    }

    /// What is not as it should be.
    fn fault(&self) -> Option<String> {
        let Some(item) = &self.item else {
            return Some("it had not ended when the demo gave up waiting".to_owned());
        };
        let (status, note) = (item.status, &item.note);
        match (self.expected, &self.object) {
            (Expected::Accepted(_), _) if status != Status::Success => {
                Some(format!("it should be accepted and is {status}: {note}"))
            }
            (Expected::Accepted(_), None) => Some("its object is not recorded".to_owned()),
            (Expected::Accepted(option), Some(object)) => {
                let recorded = object.storage_option;
                (recorded != option).then(|| format!("stored as {recorded} instead of {option}"))
            }
            (Expected::Rejected(_), _) if status != Status::Failed => {
                Some(format!("it should be rejected and is {status}: {note}"))
            }
            (Expected::Rejected(_), Some(_)) => Some("it is recorded all the same".to_owned()),
            (Expected::Rejected(texts), None) => {
                let missing = texts.iter().find(|text| !note.contains(**text))?;
                Some(format!("its findings do not say {missing:?}: {note}"))
            }
        }
    }

    fn files(&self) -> String {
        match (&self.object, self.tar_files) {
            (Some(object), _) => object.file_count.to_string(),
            (None, Some(files)) => files.to_string(),
            (None, None) => "-".to_owned(),
        }
    }

    fn bytes(&self) -> String {
        match &self.object {
            Some(object) => table::bytes(u64::try_from(object.size).unwrap_or_default()),
            None => table::bytes(self.tar_bytes),
        }
    }
}

/// One row per deposit.
pub(crate) fn table(played: &[Played]) -> String {
    let mut table = Table::new(&["BAG", "INSTITUTION", "RESULT", "FILES", "BYTES", "TIME"]);
    for one in played {
        table.push(&[
            one.name.clone(),
            one.institution.to_owned(),
            one.result(),
            one.files(),
            one.bytes(),
            table::duration(one.took),
        ]);
    }
    format!("\n{}", table.render(None))
}

/// What the depositor of each rejected bag reads.
pub(crate) fn findings(played: &[Played]) -> String {
    let mut lines = vec!["What their depositors read:".to_owned()];
    for one in played {
        if let Some(item) = &one.item
            && item.status != Status::Success
        {
            lines.push(format!("  {}", one.name));
            let findings = item.note.split("; ").map(muniment_model::printable);
            lines.extend(findings.map(|finding| format!("    {finding}")));
        }
    }
    lines.join("\n") + "\n"
}

pub(crate) fn verdict(played: &[Played], took: Duration) -> Verdict {
    let took = table::duration(took);
    let faults = played.iter().filter_map(|one| {
        let fault = one.fault()?;
        Some(format!("NOT AS IT SHOULD BE: {}: {fault}\n", one.name))
    });
    let (faults, count) = (faults.collect::<String>(), played.len());
    if faults.is_empty() {
        return Verdict {
            outcome: Outcome::AllWell,
            text: format!("All {count} deposits ended as they should, after {took}."),
        };
    }
    Verdict {
        outcome: Outcome::NotAll,
        text: format!("{faults}{count} deposits, {took}.\n"),
    }
}

/// What to do next.
pub(crate) fn where_to_look(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "
Everything is kept in {folder}. To look further:
  muniment up --data {folder}
      start the same system again
  muniment status --data {folder}
      its work items, while it is up
  muniment validate {folder}/samples/*.tar
      check the sample bags
  {folder}/instance.json
      S3 endpoint, registry and keys, for any client
"
    )
}

#[cfg(test)]
mod tests;
