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

/// How often this process changes the note of an item that waits: what it waits for may change often.
const NOTE_EVERY: Duration = Duration::from_mins(1);

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

/// When the notes of waiting items were last written.
#[derive(Default)]
pub(crate) struct WaitingNotes(Mutex<HashMap<WorkItemId, Instant>>);

impl WaitingNotes {
    /// Whether the note may be written now. Takes it as written.
    pub(crate) fn may_write(&self, id: WorkItemId) -> bool {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| at.elapsed() < NOTE_EVERY);
        if written.contains_key(&id) {
            return false;
        }
        written.insert(id, Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_waiting_item_is_written_at_most_once_a_minute() {
        let notes = WaitingNotes::default();

        assert!(notes.may_write(WorkItemId(1)));
        assert!(notes.may_write(WorkItemId(2)));
        advance(NOTE_EVERY / 2).await;
        assert!(!notes.may_write(WorkItemId(1)));
        advance(NOTE_EVERY / 2).await;
        assert!(notes.may_write(WorkItemId(1)));
    }
}
