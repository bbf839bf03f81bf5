//! What this process last saw of the work items it works on.
//!
//! A planner always asks the registry. Batches of one item arrive by the hundred, and asking for
//! each would cost more calls than the work itself (architecture, section 4: one call per minute
//! of work), so a batch may begin on what was seen within the last minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muniment_model::WorkItemId;
use muniment_model::registry::WorkItem;
use tokio::time::Instant;

/// How late a batch may notice that an operator has cancelled the item.
pub(crate) const SEEN_WITHIN: Duration = Duration::from_mins(1);
/// How late while the registry is away, so that batches go on: nobody can cancel an item then either,
/// and what reaches a registry that is away for this process alone ends the leases of its batches.
pub(crate) const SEEN_WITHIN_OUTAGE: Duration = Duration::from_mins(15);

#[derive(Default)]
pub(crate) struct ItemCache(Mutex<HashMap<WorkItemId, (Instant, WorkItem)>>);

impl ItemCache {
    pub(crate) fn seen(&self, id: WorkItemId, within: Duration) -> Option<WorkItem> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&id)
            .filter(|(at, _)| at.elapsed() < within)
            .map(|(_, item)| item.clone())
    }

    /// Remembers an item, and forgets those that are too old to be of use.
    pub(crate) fn remember(&self, item: &WorkItem) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| at.elapsed() < SEEN_WITHIN_OUTAGE);
        seen.insert(item.id, (Instant::now(), item.clone()));
    }

    pub(crate) fn forget(&self, id: WorkItemId) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&id);
    }
}
