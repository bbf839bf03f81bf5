//! One line per bag: the stage it is in, and how many files and bytes of it are done.
//!
//! Stages come from the registry, like everybody else's. The numbers within a stage come from the
//! work records, which only the process that runs the system can see; one that is missing is only
//! not shown. Where there is no terminal, a line is printed for each stage instead.

use indicatif::ProgressBar;
use muniment_model::registry::WorkItem;
use muniment_model::{Stage, Status};
use muniment_work::{BATCH_FILES_MAX, Records, SqliteWork};

use super::report::Played;
use crate::table;
use crate::terminal::Terminal;

/// The line of one bag.
pub(super) struct Line {
    name: String,
    terminal: Terminal,
    bar: ProgressBar,
    said: Option<(Stage, Status)>,
    /// The last that were seen.
    counts: Counts,
}

/// How far a bag has come within a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    files_done: u64,
    bytes_done: u64,
    /// `None` as long as the end of the tar has not been seen.
    files: Option<u64>,
}

impl Line {
    pub(super) fn new(name: &str, width: usize, terminal: &Terminal) -> Self {
        let bar = terminal.bar(0, "{prefix} {spinner} {msg}");
        bar.set_prefix(format!("{name:width$}"));
        Self {
            name: name.to_owned(),
            terminal: terminal.clone(),
            bar,
            said: None,
            counts: Counts::default(),
        }
    }

    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// What happens before there is a work item.
    pub(super) fn say(&self, text: &'static str) {
        self.bar.set_message(text);
    }

    /// Shows the stage of the item, and how much of it is done.
    pub(super) async fn show(&mut self, item: &WorkItem, work: &SqliteWork) {
        self.counts = counts(item, work).await.unwrap_or(self.counts);
        let text = text(item, self.counts);
        let step = Some((item.stage, item.status));
        if self.terminal.is_live() {
            self.bar.tick();
            self.bar.set_message(text);
        } else if self.said != step && item.status == Status::Started {
            self.terminal.tell(format_args!("{}: {text}", self.name));
        }
        self.said = step;
    }

    pub(super) fn end(&self, played: &Played) {
        let text = format!("{} after {}", played.result(), table::duration(played.took));
        if !self.terminal.is_live() {
            self.terminal.tell(format_args!("{}: {text}", self.name));
        }
        self.bar.finish_with_message(text);
    }
}

fn text(item: &WorkItem, counts: Counts) -> String {
    let files = match (counts.files_done, counts.files) {
        (done, Some(files)) if done < files => format!("{done} of {files} files"),
        (done, Some(_) | None) => format!("{done} files"),
    };
    let (stage, bytes) = (item.stage, table::bytes(counts.bytes_done));
    format!("{stage:<21} {files}, {bytes}")
}

/// From the work records; `None` when they are not there (yet, or any more) or cannot be read.
async fn counts(item: &WorkItem, work: &SqliteWork) -> Option<Counts> {
    let object = work.object(item.id).await.ok()??;
    let Some(received) = object.received else {
        let checkpoint = work.checkpoint(item.id).await.ok()??;
        return Some(Counts {
            files_done: checkpoint.so_far.files,
            bytes_done: checkpoint.tar_offset,
            files: None,
        });
    };
    let whole = Whole {
        files: received.files,
        bytes: object.tar.size,
        batches: u64::from(received.batches),
    };
    // Other stages do an item at once.
    let is_in_batches = matches!(
        item.stage,
        Stage::CopyToStaging | Stage::Store | Stage::StorageValidation | Stage::Record
    );
    if !is_in_batches {
        return Some(whole.all());
    }
    let done = work.done_batches(item.id, item.step()?.queue).await.ok()?;
    Some(whole.done(done.len() as u64))
}

/// A bag of which everything is known.
#[derive(Clone, Copy)]
struct Whole {
    files: u64,
    bytes: u64,
    batches: u64,
}

impl Whole {
    fn all(self) -> Counts {
        Counts {
            files_done: self.files,
            bytes_done: self.bytes,
            files: Some(self.files),
        }
    }

    /// Batches but the last are nearly always full, and about equally large.
    fn done(self, batches: u64) -> Counts {
        if batches >= self.batches {
            return self.all();
        }
        Counts {
            files_done: (batches * BATCH_FILES_MAX as u64).min(self.files),
            bytes_done: self.bytes / self.batches * batches,
            files: Some(self.files),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_counts_up_to_all_files() {
        let whole = Whole {
            files: 1_203,
            bytes: 120,
            batches: 3,
        };
        let rows = [(0, 0, 0), (1, 500, 40), (2, 1_000, 80), (3, 1_203, 120)];

        for (batches, files_done, bytes_done) in rows {
            let expected = Counts {
                files_done,
                bytes_done,
                files: Some(1_203),
            };
            assert_eq!(whole.done(batches), expected, "{batches} batches");
        }
    }

    #[test]
    fn a_bag_without_batches_is_done_at_once() {
        let whole = Whole {
            files: 0,
            bytes: 512,
            batches: 0,
        };

        assert_eq!(whole.done(0), whole.all());
    }
}
