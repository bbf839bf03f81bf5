//! What an operator orders: that an item goes on, or that it ends (architecture, section 7).
//!
//! An order ends nothing by itself. It puts the item where the worker of that stage takes it up, so that
//! a cancelled item is cleaned up after like any other; `apt_queue` gives it its message.
//!
//! Idempotent: an order that is given twice finds the item where it put it, or says that it has ended.

use muniment_model::registry::WorkItem;
use muniment_model::{Action, Pipeline, Stage, Status};

use super::RuleError;

/// Stages from which an ingest ends in Success or stays with an operator: copies may be in preservation
/// storage already, and no ingest may take them away.
const STORING: [Stage; 3] = [Stage::Store, Stage::StorageValidation, Stage::Record];

/// The item as it goes on, at the stage named or where it is.
pub(crate) fn requeued(item: &WorkItem, named: Option<Stage>) -> Result<WorkItem, RuleError> {
    if item.status == Status::Success {
        return Err(not_now(
            item,
            "has ended in Success; there is nothing to repeat",
        ));
    }
    let stage = named.unwrap_or(item.stage);
    let pipeline = item.pipeline();
    let Some(to) = place_of(pipeline, stage) else {
        let text = "item cannot be requeued to the specified stage";
        return Err(RuleError::Invalid(text.to_owned()));
    };
    if place_of(pipeline, item.stage).is_some_and(|at| to > at) {
        return Err(RuleError::Invalid(format!(
            "work item {} is at {} and cannot skip to {stage}",
            item.id, item.stage
        )));
    }
    let pending = WorkItem {
        stage,
        note: format!("Requeued for {stage}"),
        ..pending(item)
    };
    if pipeline.rejects_to != Some(stage) {
        // The ending is decided anew.
        return Ok(WorkItem {
            outcome: String::new(),
            intended_status: None,
            reason: String::new(),
            ..pending
        });
    }
    if item.intended_status.is_none() {
        let text = format!("has no ending that was decided; requeue it before {stage}");
        return Err(not_now(item, &text));
    }
    Ok(pending)
}

/// The item on its way to being cancelled: through Cleanup, where its pipeline has that.
pub(crate) fn cancelled(item: &WorkItem, reason: &str) -> Result<WorkItem, RuleError> {
    if item.status.is_ended() {
        return Err(not_now(item, &format!("has ended: {}", item.status)));
    }
    if item.action == Action::Delete {
        let text = "is a deletion, which is withdrawn by cancelling its request";
        return Err(not_now(item, text));
    }
    let pipeline = item.pipeline();
    let cancelled = WorkItem {
        note: reason.to_owned(),
        reason: reason.to_owned(),
        outcome: pipeline.outcome_of(Status::Cancelled).to_owned(),
        intended_status: Some(Status::Cancelled),
        ..pending(item)
    };
    let Some(cleanup) = pipeline.rejects_to else {
        return Ok(WorkItem {
            stage: pipeline.last_stage,
            status: Status::Cancelled,
            retry: false,
            ..cancelled
        });
    };
    if item.stage == cleanup {
        let text = format!("is at {cleanup} already; requeue it there or before");
        return Err(not_now(item, &text));
    }
    if STORING.contains(&item.stage) {
        let text = "is being stored: it ends in Success or stays with an operator. Requeue it";
        return Err(not_now(item, text));
    }
    Ok(WorkItem {
        stage: cleanup,
        ..cancelled
    })
}

fn pending(item: &WorkItem) -> WorkItem {
    WorkItem {
        status: Status::Pending,
        retry: true,
        needs_admin_review: false,
        node: String::new(),
        pid: 0,
        ..item.clone()
    }
}

fn place_of(pipeline: &Pipeline, stage: Stage) -> Option<usize> {
    let mut steps = pipeline.steps.iter();
    steps.position(|step| step.stage == Some(stage))
}

fn not_now(item: &WorkItem, why: &str) -> RuleError {
    RuleError::NotNow(format!("work item {} {why}", item.id))
}

#[cfg(test)]
mod tests;
