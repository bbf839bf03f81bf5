//! `muniment status`: the work items, newest first.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use muniment_model::Clock;
use muniment_model::registry::{Listing, WorkItem};
use muniment_registry_client::{Order, PageRequest, RegistryClient, WorkItemQuery};
use muniment_runtime::SystemClock;
use tokio::time::timeout;

use crate::Outcome;
use crate::access::{Installation, RegistryAccess};
use crate::error::CommandError;
use crate::room;
use crate::table::{self, Table};
use crate::terminal::Terminal;

/// How long a page may take. A person waits for it, and a registry that works needs far less.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A table longer than this is for a program, which asks for JSON.
const TABLE_ROWS: usize = 100;

/// Shows the work items, newest first: each upload, how far it has come, and why it ended
///
/// A work item is one upload. Its status is Pending or Started while it is on its way; Success,
/// Failed (the note says what is wrong with the bag), Cancelled (the upload was replaced or taken
/// back) or Suspended (an operator has to look; the note says at what) in the end.
///
/// A depositor names the file it was given (`--instance FILE`) and sees the items of its institution;
/// the operator sees all.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusSettings {
    /// Print the registry's own list, all pages joined, as JSON
    #[arg(long)]
    json: bool,

    /// Show at most this many, 1 or more [default: 100 in the table, all with --json]
    #[arg(long, value_name = "COUNT", value_parser = count)]
    limit: Option<usize>,

    #[command(flatten)]
    installation: Installation,

    #[command(flatten)]
    registry: RegistryAccess,
}

impl StatusSettings {
    /// Before anything else: a registry without room may not answer at all.
    fn tell_if_full(&self, terminal: &Terminal) -> Result<(), CommandError> {
        // The disk of another is not ours to look at.
        if self.registry.registry_url.is_some() || self.installation.instance.is_some() {
            return Ok(());
        }
        let folder = self.installation.data.folder()?;
        if room::is_full(&folder) {
            terminal.tell(format_args!(
                "the disk of {} is full: nothing goes on until there is room, and then all does by itself",
                folder.display()
            ));
        }
        Ok(())
    }
}

pub(crate) async fn run(
    settings: &StatusSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    settings.tell_if_full(terminal)?;
    let registry = settings.registry.connect(&settings.installation)?;
    let limit_unless_given = if settings.json {
        usize::MAX
    } else {
        TABLE_ROWS
    };
    let limit = settings.limit.unwrap_or(limit_unless_given);
    let listing = newest_first(&registry, limit).await?;
    if settings.json {
        let text = serde_json::to_string_pretty(&listing).map_err(CommandError::Json)?;
        terminal.say_lines(text);
    } else {
        let text = render(&listing, SystemClock.now(), terminal.columns());
        terminal.say_lines(text.trim_end());
    }
    Ok(Outcome::AllWell)
}

/// Neither nothing nor all is what 0 surely means, so it is asked for again.
fn count(text: &str) -> Result<usize, String> {
    let least_is_one = || "it has to be a whole number, and the least is 1".to_owned();
    let count = text.parse().ok().filter(|count| *count >= 1);
    count.ok_or_else(least_is_one)
}

/// Up to `limit` items as one list. Items that appear while the pages are read move others to the
/// next page, so each is taken once.
async fn newest_first(
    registry: &RegistryClient,
    limit: usize,
) -> Result<Listing<WorkItem>, CommandError> {
    let query = WorkItemQuery {
        order: Some(Order::Descending("id")),
        ..WorkItemQuery::default()
    };
    let mut page = PageRequest::LONGEST;
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    loop {
        let answer = timeout(SILENCE_MAX, registry.work_items(&query, page)).await;
        let answer = answer.map_err(|_elapsed| CommandError::RegistrySilent)?;
        let mut listing = answer.map_err(CommandError::registry)?;
        let is_last = listing.next.is_empty() || listing.results.is_empty();
        let fresh = std::mem::take(&mut listing.results).into_iter();
        all.extend(fresh.filter(|item| seen.insert(item.id)));
        if is_last || all.len() >= limit {
            all.truncate(limit);
            listing.results = all;
            listing.next.clear();
            listing.previous.clear();
            return Ok(listing);
        }
        page.page += 1;
    }
}

fn render(listing: &Listing<WorkItem>, now: DateTime<Utc>, columns: Option<usize>) -> String {
    if listing.results.is_empty() {
        return "no work items yet; `muniment deposit FILE.tar` makes one".to_owned();
    }
    let mut table = Table::new(&["ID", "BAG", "INSTITUTION", "STAGE", "STATUS", "AGE", "NOTE"]);
    for item in &listing.results {
        table.push(&[
            item.id.to_string(),
            item.name.clone(),
            item.institution_identifier.clone(),
            item.stage.to_string(),
            item.status.to_string(),
            age(item, now),
            item.note.clone(),
        ]);
    }
    let rows = table.render(columns);
    let shown = i64::try_from(listing.results.len()).unwrap_or(i64::MAX);
    match listing.count {
        all if all <= shown => rows,
        all => format!(
            "{rows}and {} older ones; `--limit {all}` shows them",
            all - shown
        ),
    }
}

fn age(item: &WorkItem, now: DateTime<Utc>) -> String {
    let made = item.created_at.unwrap_or(now);
    // A clock that was set back makes an item from the future.
    let age = (now - made).to_std().unwrap_or(Duration::ZERO);
    table::duration(age)
}

#[cfg(test)]
mod tests;
