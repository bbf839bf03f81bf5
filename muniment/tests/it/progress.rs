//! How far ingests have come, counted in stages and not in seconds: so kills fall into every stage, and
//! each life of a process gets somewhere, however fast the machine is.

use std::time::Duration;

use muniment_model::{Action, Pipeline, Step};
use muniment_observer::Observer;
use tokio::time::{interval, timeout};

use crate::checks::ENDING_WITHIN;

const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn steps() -> &'static [Step] {
    Pipeline::of(Action::Ingest).steps
}

/// Waits until all items together have completed this many stages, and answers how many they have.
pub(crate) async fn stages_from(view: &Observer, wanted: usize) -> usize {
    let mut completed = 0;
    let reached = timeout(ENDING_WITHIN, async {
        let mut ticks = interval(LOOK_EVERY);
        while completed < wanted {
            ticks.tick().await;
            completed = stages_completed(view).await;
        }
    })
    .await;
    assert!(reached.is_ok(), "{completed} stages instead of {wanted}");
    completed
}

/// A rejected item has completed the stages that it is spared.
async fn stages_completed(view: &Observer) -> usize {
    let items = view.rest("items?per_page=1000").await.expect("items");
    let items = items["results"].as_array().into_iter().flatten();
    items
        .map(|item| {
            assert_ne!(item["status"], "Suspended", "{item:#}");
            let current = steps().iter().position(|step| {
                step.stage
                    .is_some_and(|stage| item["stage"] == stage.as_str())
            });
            let over = item["status"] == "Success" || item["status"] == "Failed";
            current.expect("a stage of an ingest") + usize::from(over)
        })
        .sum()
}
