//! What ended items left behind: staged files, work records, messages.
//!
//! Cleanup takes away what is there when it runs. A batch that was under way then may stage files
//! after it, because a cancel waits for no batch; and an item whose row an operator ended by hand
//! never came to Cleanup. A round goes through the prefixes of the staging bucket and the items of the
//! work store, and clears those of which the registry says, when it is asked, that they have ended.
//! An item that it does not know is left alone and named in the log; where it does not answer, the
//! round ends. What a worker holds a lease on is left to a later round.
//!
//! Idempotent: what is gone stays gone. A round is bounded, and the next one goes on where it ended.
//!
//! An operator may let an ended item go on while it is being cleared. The registry is asked again
//! for each page of files and its answer is believed for seconds, so at most one page of such an
//! item's files goes: its steps find them missing and make them again from the tar, which stays.
//!
//! It cannot touch a receiving bucket, preservation storage or deposit records.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muniment_model::{KeyPrefix, WorkItemId};
use muniment_objects::{Deletion, StagingBucket};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{JobError, Sweep};
use muniment_work::{Subject, WorkStore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::AptQueue;

/// Items that a round looks at in the staging bucket, and as many in the work store: a page of
/// either, and at most as many questions to the registry.
const LOOKED_AT_MAX: usize = 1_000;
/// Pages of 1,000 staged files that a round deletes at most. Some minutes of work: the messages
/// that the next sweep finds lost do not wait longer.
const PAGES_MAX: usize = 100;
/// How long it is believed that an item has ended. Longer than a delete takes as a rule.
const BELIEVED_FOR: Duration = Duration::from_secs(10);
/// Names of what the registry does not know that are remembered, so that each is logged once.
const NAMED_MAX: usize = 1_000;

pub(super) struct Leftovers {
    registry: RegistryClient,
    staging: StagingBucket,
    work: Arc<dyn WorkStore>,
    place: Mutex<Place>,
}

/// Where the last round ended, and what was said of it.
#[derive(Default)]
struct Place {
    /// The first part of a staged key; empty to begin.
    prefix: String,
    item: WorkItemId,
    named: BTreeSet<String>,
}

/// One round through the staging bucket or the work store.
struct Round<'a> {
    /// Not asked about: a worker is to touch them.
    open: &'a HashSet<WorkItemId>,
    stop: &'a CancellationToken,
    looked_at: usize,
    pages: usize,
    swept: &'a mut Swept,
}

/// What rounds came to.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Items that had left something, which is gone now.
    pub(super) items: usize,
    /// Their staged files.
    pub(super) files: usize,
    /// Items that have ended and that a worker still works on, each met in both places.
    pub(super) leased: BTreeSet<WorkItemId>,
    /// What lies in the staging bucket or the work store under no item that the registry knows.
    pub(super) unknown: BTreeSet<String>,
}

/// What the registry says of an item, and the work store of its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Active,
    Unknown,
    Leased,
    /// Has ended, and nobody works on it.
    Left,
}

/// Whether a round may look at more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Over,
}

impl Leftovers {
    pub(super) fn new(
        registry: RegistryClient,
        staging: StagingBucket,
        work: Arc<dyn WorkStore>,
    ) -> Self {
        Self {
            registry,
            staging,
            work,
            place: Mutex::default(),
        }
    }

    /// One bounded round. `open` are items that need not be asked about.
    pub(super) async fn clear(
        &self,
        open: &HashSet<WorkItemId>,
        stop: &CancellationToken,
        swept: &mut Swept,
    ) -> Result<(), JobError> {
        let mut round = Round {
            open,
            stop,
            looked_at: 0,
            pages: 0,
            swept,
        };
        let mut cleared = self.clear_staged(&mut round).await;
        if cleared.is_ok() {
            round.looked_at = 0;
            cleared = self.clear_records(&mut round).await;
        }
        // Also after a fault: what was cleared before it is said.
        round.swept.say();
        cleared
    }

    /// Whether the last round came to the end of both places, so that the next begins anew.
    pub(super) fn has_seen_all(&self) -> bool {
        let place = self.place();
        place.prefix.is_empty() && place.item == WorkItemId::default()
    }

    async fn clear_staged(&self, round: &mut Round<'_>) -> Result<(), JobError> {
        let after = self.place().prefix.clone();
        let mut parts = self.staging.first_parts(&after);
        while let Some(page) = parts.next_page().await? {
            for part in page {
                let going = match KeyPrefix::item_of(&part) {
                    Some(item) => self.look_at(round, item).await?,
                    None => self.name_unknown(round, &part),
                };
                if going == Going::Over {
                    return Ok(());
                }
                self.place().prefix = part;
            }
        }
        self.place().prefix.clear();
        Ok(())
    }

    async fn clear_records(&self, round: &mut Round<'_>) -> Result<(), JobError> {
        let after = self.place().item;
        let items = self.work.items_after(after, LOOKED_AT_MAX).await?;
        let is_last = items.len() < LOOKED_AT_MAX;
        for item in items {
            if self.look_at(round, item).await? == Going::Over {
                return Ok(());
            }
            self.place().item = item;
        }
        if is_last {
            self.place().item = WorkItemId::default();
        }
        Ok(())
    }

    async fn look_at(&self, round: &mut Round<'_>, item: WorkItemId) -> Result<Going, JobError> {
        if round.stop.is_cancelled() {
            return Err(JobError::Stopped);
        }
        if round.is_over() {
            return Ok(Going::Over);
        }
        round.looked_at += 1;
        if round.open.contains(&item) {
            return Ok(Going::On);
        }
        match self.seen(item).await? {
            Seen::Active => Ok(Going::On),
            Seen::Leased => {
                round.swept.leased.insert(item);
                Ok(Going::On)
            }
            Seen::Unknown => Ok(self.name_unknown(round, KeyPrefix::of(item).as_str())),
            Seen::Left => self.clear_item(round, item).await,
        }
    }

    /// Asks the registry first: a worker of an item that goes on since then has a lease.
    async fn seen(&self, item: WorkItemId) -> Result<Seen, JobError> {
        let Some(found) = self.registry.work_item(item).await? else {
            return Ok(Seen::Unknown);
        };
        if !found.status.is_ended() {
            return Ok(Seen::Active);
        }
        let leased = self.work.is_leased(Subject::Item(item)).await?;
        Ok(if leased { Seen::Leased } else { Seen::Left })
    }

    async fn clear_item(&self, round: &mut Round<'_>, item: WorkItemId) -> Result<Going, JobError> {
        let prefix = KeyPrefix::of(item);
        self.staging.abort_uploads(&prefix).await?;
        let mut listing = self.staging.list(&prefix);
        while let Some(page) = listing.next_page().await? {
            if round.is_over() {
                return Ok(Going::Over);
            }
            let asked_at = Instant::now();
            if self.seen(item).await? != Seen::Left {
                return Ok(Going::On);
            }
            let may_delete = || asked_at.elapsed() < BELIEVED_FOR && !round.stop.is_cancelled();
            if self.staging.delete(&page, may_delete).await? == Deletion::Forbidden {
                // The store took longer than the answer is believed; the next round asks anew.
                return Ok(Going::Over);
            }
            round.pages += 1;
            round.swept.files += page.len();
        }
        self.work.drop_item(item).await?;
        round.swept.items += 1;
        Ok(Going::On)
    }

    fn name_unknown(&self, round: &mut Round<'_>, name: &str) -> Going {
        round.swept.unknown.insert(name.to_owned());
        let mut place = self.place();
        if place.named.len() < NAMED_MAX && place.named.insert(name.to_owned()) {
            warn!(
                worker = AptQueue::NAME,
                name, "belongs to no work item of the registry; left alone"
            );
        }
        Going::On
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round<'_> {
    fn is_over(&self) -> bool {
        self.looked_at >= LOOKED_AT_MAX || self.pages >= PAGES_MAX
    }
}

impl Swept {
    /// Nothing, where nothing was left.
    fn say(&self) {
        let (items, files) = (self.items, self.files);
        let (leased, unknown) = (self.leased.len(), self.unknown.len());
        if items + leased > 0 {
            info!(
                worker = AptQueue::NAME,
                items, files, leased, unknown, "cleared what ended items left"
            );
        }
    }
}
