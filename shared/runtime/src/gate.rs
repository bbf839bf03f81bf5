//! Whether a claimed message is still about something. Pure: facts in, answer out.
//!
//! A message is a hint. It may be late, doubled, or about an item that an operator has cancelled, so
//! the work item in the registry decides, and a stale hint costs one look. It goes, and publishes
//! the planner of the present stage: no message of another stage, ahead or behind, waits for the
//! item to come to it, and a worker that died between writing an item and publishing its next stage
//! has left the message, of the planner or of a batch, that makes up for it.

use muniment_model::registry::WorkItem;
use muniment_model::{QueueName, Status};

/// What to do with a claimed message.
#[derive(Debug, PartialEq, Eq)]
pub enum Gate {
    /// The message is right: do the work.
    Take,
    /// The item is at another stage: that one is published, and this message goes.
    Publish(QueueName),
    /// Nothing is to be done for this item.
    Drop(&'static str),
}

/// Decides from what the registry says of the item. Reads nothing, writes nothing.
pub fn decide(item: Option<&WorkItem>, queue: QueueName) -> Gate {
    let Some(item) = item else {
        return Gate::Drop("the registry has no such work item");
    };
    if item.status.is_ended() {
        return Gate::Drop("the work item has ended");
    }
    if item.status == Status::Suspended {
        return Gate::Drop("the work item waits for an operator");
    }
    let Some(step) = item.step() else {
        return Gate::Drop("no worker performs the stage of the work item");
    };
    if step.queue == queue {
        return Gate::Take;
    }
    Gate::Publish(step.queue)
}

#[cfg(test)]
mod tests;
