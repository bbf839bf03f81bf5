//! What `muniment requeue` and `muniment cancel` have in common: an order to the registry, what is said of
//! its answer, and the wait for what becomes of the item.
//!
//! The registry decides. What an operator can do after a refusal is told from the item as it is, never from
//! the words of the refusal.

use std::time::Duration;

use muniment_model::registry::WorkItem;
use muniment_model::{Action, Pipeline, Stage, Status};
use muniment_registry_client::{ClientError, RegistryClient};

use crate::Outcome;
use crate::access::{Installation, RegistryAccess};
use crate::error::CommandError;
use crate::follow;
use crate::item::ItemName;
use crate::terminal::Terminal;

/// How often the registry is asked how the item goes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What every order is told with.
#[derive(Debug, clap::Args)]
pub(crate) struct OrderSettings {
    /// The id of a work item, as `muniment status` shows it; or the name of a bag (photos, photos.tar,
    /// test.edu/photos) of which exactly one item has not ended
    #[arg(value_name = "ITEM")]
    item: ItemName,

    /// Wait until the item has ended or needs an operator; exit code 0 only if it ended as was ordered
    #[arg(long)]
    wait: bool,

    /// Print the work item as JSON: the registry's own row, as it is after the order
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    installation: Installation,

    #[command(flatten)]
    registry: RegistryAccess,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// At this stage, else where the item is.
    Requeue(Option<Stage>),
    /// In the operator's own words.
    Cancel(Option<&'a str>),
}

impl Order<'_> {
    /// How an item ends of which it was ordered.
    const fn ending(self) -> Status {
        match self {
            Self::Requeue(_) => Status::Success,
            Self::Cancel(_) => Status::Cancelled,
        }
    }

    async fn give(self, registry: &RegistryClient, item: &WorkItem) -> Result<(), ClientError> {
        match self {
            Self::Requeue(stage) => registry.requeue(item.id, stage).await,
            Self::Cancel(reason) => registry.cancel(item.id, reason).await,
        }
    }
}

pub(crate) async fn run(
    order: Order<'_>,
    settings: &OrderSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let registry = settings
        .registry
        .connect_as_operator(&settings.installation)?;
    let before = settings.item.find(&registry).await?;
    if let Err(error) = order.give(&registry, &before).await {
        return Err(refused(order, &before, error));
    }
    let mut item = ItemName::Id(before.id).find(&registry).await?;
    let told = accepted(order, &item);
    if settings.json {
        terminal.tell(told);
    } else {
        terminal.say(told);
    }
    let mut outcome = Outcome::AllWell;
    if settings.wait {
        item = follow::to_its_end(&registry, item, LOOK_EVERY, |step| {
            terminal.tell(format_args!(
                "{}: {} ({})",
                step.name, step.stage, step.status
            ));
        })
        .await?;
        if !settings.json {
            terminal.say(format_args!(
                "{}: {}, {}",
                item.name, item.status, item.note
            ));
        }
        if item.status != order.ending() {
            outcome = Outcome::NotAll;
        }
    }
    if settings.json {
        let text = serde_json::to_string_pretty(&item).map_err(CommandError::Json)?;
        terminal.say_lines(text);
    }
    Ok(outcome)
}

/// What happens now.
fn accepted(order: Order<'_>, item: &WorkItem) -> String {
    let what = format!("work item {} ({})", item.id, item.name);
    match order {
        Order::Requeue(_) => format!(
            "{what} goes on at {}: apt_queue queues it within a minute, and `muniment status` shows how it \
             goes",
            item.stage
        ),
        Order::Cancel(_) if item.status.is_ended() => format!("{what} is cancelled"),
        Order::Cancel(_) => format!(
            "{what} ends as Cancelled when ingest_cleanup has removed what was staged, which begins within \
             a minute; the upload stays in {}",
            item.bucket
        ),
    }
}

fn refused(order: Order<'_>, item: &WorkItem, error: ClientError) -> CommandError {
    let is_of_item = matches!(error, ClientError::Conflict { .. });
    if let ClientError::Conflict { message, .. } | ClientError::Rejected { message, .. } = error {
        let next = match order {
            // The item would have been taken: it is the reason that was not.
            Order::Cancel(_) if !is_of_item => "give another --reason".to_owned(),
            Order::Cancel(_) | Order::Requeue(_) => next_step(order, item),
        };
        return CommandError::Refused { message, next };
    }
    CommandError::of_operator(error)
}

/// What an operator can do about an item of which the order was refused.
fn next_step(order: Order<'_>, item: &WorkItem) -> String {
    let id = item.id;
    let cleanup = item.pipeline().rejects_to;
    match order {
        _ if item.status == Status::Success => {
            "deposit the bag again for another ingest".to_owned()
        }
        Order::Cancel(_) if item.status.is_ended() => {
            "there is nothing left to cancel; deposit the bag again for another ingest".to_owned()
        }
        Order::Cancel(_) if item.action == Action::Delete => {
            "cancel the deletion request instead".to_owned()
        }
        Order::Cancel(_) if Some(item.stage) == cleanup => format!(
            "`muniment requeue {id}` lets its cleanup go on; if it was moved there by hand, name the stage \
             it was at with --stage"
        ),
        Order::Cancel(_) => format!("remove the cause, then `muniment requeue {id}`"),
        Order::Requeue(_) if item.status.is_ended() => {
            let check = Stage::ReingestCheck;
            format!("`muniment requeue {id} --stage '{check}'` lets it wait for its turn")
        }
        Order::Requeue(_) => format!(
            "name the stage to begin at with --stage: {}",
            stages_up_to(item)
        ),
    }
}

/// The stages that an item can be requeued to, its ending aside: `Receive, Validate`.
fn stages_up_to(item: &WorkItem) -> String {
    let pipeline = item.pipeline();
    let mut names = Vec::new();
    for stage in stages_of(pipeline) {
        if Some(stage) != pipeline.rejects_to {
            names.push(stage.as_str());
        }
        if stage == item.stage {
            break;
        }
    }
    names.join(", ")
}

pub(crate) fn stages_of(pipeline: &Pipeline) -> impl Iterator<Item = Stage> {
    pipeline.steps.iter().filter_map(|step| step.stage)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An item that has failed for now.
    pub(crate) fn item() -> WorkItem {
        serde_json::from_value(serde_json::json!({
            "id": 7,
            "name": "photos.tar",
            "etag": "e",
            "institution_id": 1,
            "bucket": "receiving.test.edu",
            "user": "system@muniment.org",
            "action": "Ingest",
            "stage": "Validate",
            "status": "Suspended",
        }))
        .expect("an item")
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let at = |stage, status| WorkItem {
            stage,
            status,
            ..item()
        };
        let deletion = WorkItem {
            action: Action::Delete,
            ..at(Stage::Requested, Status::Pending)
        };
        let (requeue, cancel) = (Order::Requeue(None), Order::Cancel(None));
        let rows = [
            (
                requeue,
                at(Stage::Cleanup, Status::Success),
                "deposit the bag again",
            ),
            (
                cancel,
                at(Stage::Cleanup, Status::Success),
                "deposit the bag again",
            ),
            (
                cancel,
                at(Stage::Cleanup, Status::Failed),
                "nothing left to cancel",
            ),
            (cancel, deletion, "cancel the deletion request"),
            (
                cancel,
                at(Stage::Cleanup, Status::Suspended),
                "`muniment requeue 7` lets",
            ),
            (
                cancel,
                at(Stage::Store, Status::Suspended),
                "then `muniment requeue 7`",
            ),
            (
                requeue,
                at(Stage::Cleanup, Status::Failed),
                "`muniment requeue 7 --stage 'Reingest Check'`",
            ),
            (
                requeue,
                at(Stage::ReingestCheck, Status::Suspended),
                "with --stage: Receive, Validate, Reingest Check",
            ),
            (
                requeue,
                at(Stage::Cleanup, Status::Suspended),
                "Storage Validation, Record",
            ),
        ];

        for (order, item, expected) in rows {
            let told = next_step(order, &item);
            assert!(told.contains(expected), "{order:?} {}: {told}", item.stage);
        }
    }

    #[test]
    fn an_order_that_is_taken_says_what_happens_now() {
        let cleaned = WorkItem {
            stage: Stage::Cleanup,
            status: Status::Pending,
            ..item()
        };
        let at_once = WorkItem {
            status: Status::Cancelled,
            ..item()
        };
        let rows = [
            (Order::Requeue(None), item(), "goes on at Validate"),
            (Order::Cancel(None), cleaned, "stays in receiving.test.edu"),
            (Order::Cancel(None), at_once, "(photos.tar) is cancelled"),
        ];

        for (order, item, expected) in rows {
            let told = accepted(order, &item);
            assert!(told.contains(expected), "{told}");
        }
    }
}
