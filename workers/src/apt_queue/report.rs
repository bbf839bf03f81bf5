//! What one sweep found and did, for people and for scripts.

use std::collections::BTreeSet;
use std::io::{self, Write};

use muniment_model::registry::WorkItem;
use muniment_model::{Stage, Status, WorkItemId};
use serde::Serialize;

use super::leftovers::Swept;

/// Items of one kind that are named; the rest are counted. A lost work store makes all open items stuck.
const NAMED_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    open: usize,
    /// Of these, those that wait for an operator.
    suspended: usize,
    stuck: usize,
    stuck_named: Vec<Stuck>,
    pub(super) swept: Swept,
    /// Whether everything was looked at. Otherwise the next sweep goes on.
    pub(super) is_whole: bool,
}

/// An open item that had no message, and has one again.
#[derive(Clone, Debug, Serialize)]
struct Stuck {
    work_item: WorkItemId,
    name: String,
    stage: Stage,
}

/// As scripts read it. Items and files are counted; those that are named are a thousand of a kind at most.
#[derive(Debug, Serialize)]
struct Json<'a> {
    whole: bool,
    open: usize,
    suspended: usize,
    stuck: usize,
    stuck_items: &'a [Stuck],
    swept_items: usize,
    swept_files: usize,
    leased_items: Vec<WorkItemId>,
    orphaned: usize,
    orphaned_names: Vec<&'a str>,
}

impl Report {
    pub(super) fn see(&mut self, page: &[WorkItem]) {
        self.open += page.len();
        let suspended = page.iter().filter(|item| item.status == Status::Suspended);
        self.suspended += suspended.count();
    }

    pub(super) fn queued_again(&mut self, item: &WorkItem) {
        self.stuck += 1;
        if self.stuck_named.len() < NAMED_MAX {
            self.stuck_named.push(Stuck {
                work_item: item.id,
                name: item.name.clone(),
                stage: item.stage,
            });
        }
    }

    /// To standard output.
    pub(super) fn print(&self, format: Format) -> io::Result<()> {
        let said = match format {
            Format::Text => self.text(),
            Format::Json => serde_json::to_string(&self.json())? + "\n",
        };
        io::stdout().write_all(said.as_bytes())
    }

    fn json(&self) -> Json<'_> {
        Json {
            whole: self.is_whole,
            open: self.open,
            suspended: self.suspended,
            stuck: self.stuck,
            stuck_items: &self.stuck_named,
            swept_items: self.swept.items,
            swept_files: self.swept.files,
            leased_items: named(&self.swept.leased).copied().collect(),
            orphaned: self.swept.unknown.len(),
            orphaned_names: named(&self.swept.unknown).map(String::as_str).collect(),
        }
    }

    fn text(&self) -> String {
        let Swept {
            items,
            files,
            leased,
            unknown,
        } = &self.swept;
        let mut lines = vec![
            format!("open      {}", self.open),
            format!(
                "suspended {}: they wait for an operator, and their notes say why",
                self.suspended
            ),
            format!("stuck     {}: queued again", self.stuck),
        ];
        let stuck = self.stuck_named.iter();
        lines.extend(stuck.map(|stuck| {
            let name = stuck.name.escape_debug();
            format!("          {} at {}: {name}", stuck.work_item, stuck.stage)
        }));
        lines.push(format!(
            "swept     {items} ended items, {files} staged files; a worker is still busy with {}",
            leased.len()
        ));
        lines.push(format!(
            "orphaned  {}: they belong to no work item, and were left alone",
            unknown.len()
        ));
        lines.extend(named(unknown).map(|name| format!("          {}", name.escape_debug())));
        if !self.is_whole {
            lines.push("not all was looked at; the next sweep goes on".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

fn named<T>(all: &BTreeSet<T>) -> impl Iterator<Item = &T> {
    all.iter().take(NAMED_MAX)
}

#[cfg(test)]
mod tests {
    use muniment_testkit::records;

    use super::*;

    fn report() -> Report {
        let suspended = WorkItem {
            status: Status::Suspended,
            ..records::item()
        };
        let stuck = WorkItem {
            id: WorkItemId(12),
            name: "photos\u{1b}[2J.tar".to_owned(),
            stage: Stage::Store,
            ..records::item()
        };
        let mut report = Report::default();
        report.see(&[suspended, stuck.clone()]);
        report.queued_again(&stuck);
        report.swept.items = 3;
        report.swept.files = 20;
        report.swept.unknown.insert("notes/".to_owned());
        report
    }

    #[test]
    fn people_read_what_was_stuck_orphaned_and_swept() {
        let text = report().text();

        for line in [
            "open      2",
            "stuck     1: queued again",
            "          12 at Store: photos\\u{1b}[2J.tar",
            "          notes/",
            "not all was looked at; the next sweep goes on",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn scripts_read_the_same() {
        let json = serde_json::to_value(report().json()).expect("json");

        assert_eq!(json["stuck"], 1);
        assert_eq!(json["stuck_items"][0]["work_item"], 12);
        assert_eq!(json["stuck_items"][0]["stage"], "Store");
        assert_eq!(json["swept_files"], 20);
        assert_eq!(json["orphaned_names"][0], "notes/");
        assert_eq!(json["suspended"], 1);
        assert_eq!(json["whole"], false);
    }

    #[test]
    fn a_lost_work_store_is_counted_and_a_thousand_of_its_items_named() {
        let mut report = Report::default();

        for _ in 0..NAMED_MAX + 5 {
            report.queued_again(&records::item());
        }

        assert_eq!(report.stuck, NAMED_MAX + 5);
        assert_eq!(report.json().stuck_items.len(), NAMED_MAX);
    }
}
