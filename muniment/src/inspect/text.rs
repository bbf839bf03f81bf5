//! The answer for people: a few lines for each place that was asked.
//!
//! Names and notes come from elsewhere, so each is made one line of what prints before it is laid out.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use muniment_model::registry::WorkItem;

use super::document::{
    BatchPart, FileCounts, Inspection, LeasePart, MessagePart, ObjectPart, WorkPart,
};
use crate::table::{self, Table};
use crate::terminal::one_line;

/// The width of what a value is called.
const LABEL: usize = 16;
/// More batches or messages than these are for a program, which asks for JSON.
const ROWS_MAX: usize = 20;

/// Lines under headings.
struct Page {
    text: String,
    now: DateTime<Utc>,
}

pub(super) fn render(inspection: &Inspection) -> String {
    let mut page = Page {
        text: String::new(),
        now: inspection.inspected_at,
    };
    page.heading(format_args!("Work item {}", inspection.work_item_id));
    for one in &inspection.not_known {
        page.row("not known", format_args!("{}: {}", one.source, one.reason));
    }
    if let Some(item) = &inspection.registry.work_item {
        page.of_registry(item);
        if let Some(recorded) = &inspection.registry.recorded {
            let (files, copies) = (recorded.files, recorded.storage_records);
            page.row("recorded", format_args!("{files} files, {copies} copies"));
        }
    }
    if !inspection.lacks("work_store") {
        page.of_work(&inspection.work_store);
    }
    page.of_index(inspection);
    if !inspection.lacks("work_store") {
        page.of_events(inspection);
    }
    page.of_files(inspection);
    page.text
}

impl Page {
    fn heading(&mut self, text: impl Display) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(text);
    }

    fn line(&mut self, text: impl Display) {
        self.text += &one_line(text);
        self.text.push('\n');
    }

    fn row(&mut self, label: &str, value: impl Display) {
        self.line(format_args!("  {label:LABEL$}{value}"));
    }

    /// Left out where there is nothing to say.
    fn row_of(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.row(label, value);
        }
    }

    fn time_row(&mut self, label: &str, time: Option<DateTime<Utc>>) {
        if let Some(time) = time {
            let text = self.when(time);
            self.row(label, text);
        }
    }

    /// A time, and how long ago or in how long that is.
    fn when(&self, time: DateTime<Utc>) -> String {
        let written = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let ago = self.now - time;
        let span = |delta: chrono::TimeDelta| delta.to_std().unwrap_or(Duration::ZERO);
        if ago < chrono::TimeDelta::zero() {
            return format!("{written} (in {})", table::duration(span(-ago)));
        }
        format!("{written} ({} ago)", table::duration(span(ago)))
    }

    /// A table, indented; the first rows of it.
    fn table(&mut self, table: &Table, all: usize) {
        for line in table.render(None).lines() {
            self.line(format_args!("    {line}"));
        }
        if all > ROWS_MAX {
            self.line(format_args!(
                "    and {} more; --json has all",
                all - ROWS_MAX
            ));
        }
    }

    fn of_registry(&mut self, item: &WorkItem) {
        self.heading("In the registry");
        let whose = &item.institution_identifier;
        self.row("upload", format_args!("{} of {whose}", item.name));
        self.row("bucket", &item.bucket);
        self.row("size", table::bytes(item.size));
        self.row("action", item.action);
        self.row("stage", item.stage);
        let review = if item.needs_admin_review {
            ", needs an operator"
        } else {
            ""
        };
        self.row("status", format_args!("{}{review}", item.status));
        if let Some(intended) = item.intended_status {
            self.row("is to end as", intended);
        }
        self.row_of("outcome", &item.outcome);
        self.row_of("note", &item.note);
        self.row_of("reason", &item.reason);
        if !item.node.is_empty() {
            self.row("held by", format_args!("{}, pid {}", item.node, item.pid));
        }
        self.time_row("uploaded", item.bag_date);
        self.time_row("created", item.created_at);
        self.time_row("stage started", item.stage_started_at);
        self.time_row("processed", item.date_processed);
        self.time_row("updated", item.updated_at);
        self.row("version", item.version);
    }

    fn of_work(&mut self, work: &WorkPart) {
        self.heading("In the work store");
        if !work.holds_anything() {
            self.row("nothing", "as before the first stage and after the end");
            return;
        }
        if let Some(object) = &work.object {
            self.of_object(object);
        }
        if let Some(checkpoint) = &work.checkpoint {
            let (offset, batch) = (checkpoint.tar_offset, checkpoint.batch);
            let (in_batch, files) = (checkpoint.in_batch, checkpoint.files);
            let inside = checkpoint
                .inside
                .map(|at| format!("; goes on inside a file, at byte {at}"));
            let inside = inside.unwrap_or_default();
            self.row(
                "checkpoint",
                format_args!(
                    "byte {offset} of the tar, {files} files before it; batch {batch} has {in_batch}{inside}"
                ),
            );
        }
        self.of_counts(&work.files);
        self.of_batches(&work.batches);
        self.of_messages(&work.messages);
    }

    fn of_object(&mut self, object: &ObjectPart) {
        self.row("object", &object.identifier);
        self.row("storage option", object.storage_option);
        match (object.files, object.batches, object.payload_files) {
            (Some(files), Some(batches), Some(payload)) => self.row(
                "pass one",
                format_args!("{files} files, {payload} of them payload, in {batches} batches"),
            ),
            _ => self.row("pass one", "has not come to the end of the tar"),
        }
        let (errors, warnings) = (object.errors, object.warnings);
        self.row(
            "findings",
            format_args!("{errors} errors, {warnings} warnings"),
        );
        if let Some(id) = object.registered_id {
            self.row("ingested before", format_args!("object {id}"));
        }
        self.time_row("storing since", object.storing_since);
        if let Some(id) = object.recorded_id {
            self.row("recorded as", format_args!("object {id}"));
        }
    }

    fn of_counts(&mut self, files: &FileCounts) {
        let FileCounts {
            records,
            folders,
            digested,
            staged,
            repeated,
            unchanged,
            to_save,
            copies,
            verified,
        } = files;
        self.row(
            "file records",
            format_args!("{records}, {folders} of them folders"),
        );
        self.row(
            "of these",
            format_args!(
                "{digested} digested, {staged} staged, {repeated} repeated, {unchanged} unchanged, \
                 {to_save} to be stored and recorded"
            ),
        );
        for (target, count) in copies {
            let verified = verified.get(target).copied().unwrap_or_default();
            self.row(
                "copies",
                format_args!("{target}: {count} of {to_save}, {verified} verified"),
            );
        }
    }

    fn of_batches(&mut self, batches: &[BatchPart]) {
        if batches.is_empty() {
            return;
        }
        self.row("batches", batches.len());
        let mut table = Table::new(&["BATCH", "FILES", "SIZE", "DONE BY"]);
        for batch in batches.iter().take(ROWS_MAX) {
            let done: Vec<_> = batch.done_by.iter().map(ToString::to_string).collect();
            table.push(&[
                batch.batch.to_string(),
                batch.files.to_string(),
                table::bytes(batch.size_bytes),
                done.join(", "),
            ]);
        }
        self.table(&table, batches.len());
    }

    fn of_messages(&mut self, messages: &[MessagePart]) {
        if messages.is_empty() {
            self.row("messages", "none");
            return;
        }
        self.row("messages", messages.len());
        let mut table = Table::new(&["QUEUE", "BATCH", "ATTEMPTS", "VANISHED", "STATE"]);
        for message in messages.iter().take(ROWS_MAX) {
            let batch = message.batch.map(|batch| batch.to_string());
            let (vanished, alone) = (message.vanished, message.vanished_alone);
            table.push(&[
                message.queue.to_string(),
                batch.unwrap_or_else(|| "planner".to_owned()),
                message.attempts.to_string(),
                format!("{vanished} ({alone} alone)"),
                self.state_of(message),
            ]);
        }
        self.table(&table, messages.len());
    }

    fn state_of(&self, message: &MessagePart) -> String {
        match (&message.lease, message.due_at) {
            (Some(lease), _) => self.lease(lease),
            (None, Some(at)) => format!("due {}", self.when(at)),
            (None, None) => message.state.to_owned(),
        }
    }

    fn lease(&self, lease: &LeasePart) -> String {
        let mut text = format!("leased until {}", self.when(lease.until));
        if let Some(holder) = &lease.holder {
            // To a text nothing fails.
            let _written = write!(text, " by {}, pid {}", holder.node, holder.pid);
        }
        if lease.alone {
            text.push_str(", alone in its process");
        }
        if lease.published_again {
            text.push_str(", published again meanwhile");
        }
        text
    }

    fn of_index(&mut self, inspection: &Inspection) {
        let Some(index) = &inspection.staged_index else {
            return;
        };
        self.heading("In the staging bucket");
        let end = if index.end {
            "with its end"
        } else {
            "without an end"
        };
        let batches = index.batches.len();
        self.row("index", format_args!("{batches} batches, {end}"));
        let storing = if index.storing {
            "has begun"
        } else {
            "has not begun"
        };
        self.row("storing", storing);
        let (returns, restagings) = (index.returns, index.restagings);
        self.row(
            "came back",
            format_args!("{returns} times to Validate as records were lost"),
        );
        self.row(
            "",
            format_args!("{restagings} times to Copy To Staging as staged files had changed"),
        );
    }

    fn of_events(&mut self, inspection: &Inspection) {
        let events = &inspection.events_to_come;
        self.heading("Events to come");
        if let Some(why) = &events.none_because {
            self.row("none", why);
            return;
        }
        let so_far = if events.may_change {
            ", as far as is known: not all stages that decide it are done"
        } else {
            ""
        };
        self.row("total", format_args!("{}{so_far}", events.total));
        for (of, counts) in [
            ("of the object", &events.object),
            ("of files", &events.files),
        ] {
            if !counts.is_empty() {
                self.row(of, joined(counts));
            }
        }
    }

    fn of_files(&mut self, inspection: &Inspection) {
        let Some(files) = &inspection.files else {
            return;
        };
        self.heading("Files");
        let mut table = Table::new(&["BATCH", "STATE", "SIZE", "EVENTS TO COME", "PATH"]);
        for file in files {
            let events: u64 = file.events_to_come.values().sum();
            table.push(&[
                file.batch.to_string(),
                file.state.to_owned(),
                table::bytes(file.size),
                events.to_string(),
                file.path.clone(),
            ]);
        }
        for line in table.render(None).lines() {
            self.line(format_args!("  {line}"));
        }
        if let Some(more @ 1..) = inspection.files_left_out {
            self.line(format_args!(
                "  and {more} more; --files=COUNT shows as many as you say"
            ));
        }
    }
}

/// `3 fixity check, 1 ingestion`.
fn joined(counts: &BTreeMap<&'static str, u64>) -> String {
    let each = counts
        .iter()
        .map(|(event, count)| format!("{count} {event}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
