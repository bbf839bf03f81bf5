//! Whether a claimed message is still about something. Pure: facts in, answer out.
//!
//! A message is a hint. It may be late, doubled, or about an item that somebody cancelled, so the
//! work item in the registry decides, and a stale hint costs one look.

use std::time::Duration;

use muniment_model::registry::WorkItem;
use muniment_model::{BatchNumber, Queue, Status};

/// How soon a message that is ahead of its item is looked at again. The item's update is on its
/// way, or the worker that was to make it died and another will.
const AHEAD_DELAY: Duration = Duration::from_secs(5);

/// What to do with a claimed message.
#[derive(Debug, PartialEq, Eq)]
pub enum Gate {
    /// The message is right: do the work.
    Take,
    /// The item has gone on without this message: its present stage is published again.
    Publish(Queue),
    /// The item is not there yet.
    Later(Duration),
    /// Nothing is to be done for this item.
    Drop(&'static str),
}

/// Decides from what the registry says of the item. Reads nothing, writes nothing.
pub fn decide(item: Option<&WorkItem>, queue: Queue, batch: Option<BatchNumber>) -> Gate {
    let Some(item) = item else {
        return Gate::Drop("the registry has no such work item");
    };
    if item.status.is_ended() {
        return Gate::Drop("the work item has ended");
    }
    if item.status == Status::Suspended {
        return Gate::Drop("the work item waits for an operator");
    }
    let Some(current) = item.stage.queue() else {
        return Gate::Drop("the work item is not at a stage of an ingest");
    };
    if current == queue {
        return Gate::Take;
    }
    // An item may also go back (to Receive, when a reading was in doubt). Batches of a stage that
    // is not the current one are then worthless either way.
    if batch.is_some() {
        return Gate::Drop("a batch of a stage that the item is not at");
    }
    if item.stage > queue.stage() {
        return Gate::Publish(current);
    }
    Gate::Later(AHEAD_DELAY)
}

#[cfg(test)]
mod tests;
