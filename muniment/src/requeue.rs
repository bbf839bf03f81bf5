//! `muniment requeue`: an item goes on, where it is or at an earlier stage.

use muniment_model::{Action, Pipeline, Stage};

use crate::Outcome;
use crate::error::CommandError;
use crate::orders::{self, Order, OrderSettings, stages_of};
use crate::terminal::Terminal;

/// Lets a work item go on, where it is or at an earlier stage; for operators
///
/// For an item that is Suspended: its note says why (`muniment status`), and docs/OPERATIONS.md what to do
/// about each note. Remove the cause first, or the item comes back to the same note. An item that has failed
/// or was cancelled may be requeued, too, while its upload is still there.
///
/// An item may go back to any stage up to the one it is at; each stage finds what the earlier ones have
/// done, so going back costs time and nothing else. It cannot skip a stage.
///
/// The stages of an ingest, in their order: Receive, Validate, Reingest Check, Copy To Staging, Format
/// Identification, Store, Storage Validation, Record, Cleanup.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RequeueSettings {
    /// Where it goes on, in capitals or not, with blanks or hyphens: 'Copy To Staging', copy-to-staging
    /// [default: the stage it is at]
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    stage: Option<Stage>,

    #[command(flatten)]
    order: OrderSettings,
}

const EXAMPLES: &str = "\
Examples:
  muniment requeue 12                        item 12 goes on at the stage it is at
  muniment requeue 12 --stage store          lost copies are made again
  muniment requeue test.edu/photos --wait    say each step, and how it ends

Exit code 0 when the order was taken (with --wait: when the item ended in Success), 1 when the registry
refused it or could not be asked, 2 for arguments that cannot be understood.";

pub(crate) async fn run(
    settings: &RequeueSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    orders::run(Order::Requeue(settings.stage), &settings.order, terminal).await
}

/// A stage that some item can be at.
fn stage(text: &str) -> Result<Stage, String> {
    let wanted = plain(text);
    let mut known = Pipeline::ALL.iter().flat_map(|one| stages_of(one));
    known
        .find(|stage| plain(stage.as_str()) == wanted)
        .ok_or_else(|| {
            let stages = stages_of(Pipeline::of(Action::Ingest));
            let names: Vec<_> = stages.map(Stage::as_str).collect();
            format!("the stages of an ingest are {}", names.join(", "))
        })
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_may_be_written_as_one_word() {
        for text in ["Copy To Staging", "copy-to-staging", "copy_to staging"] {
            assert_eq!(stage(text), Ok(Stage::CopyToStaging), "{text}");
        }
        let told = stage("Stored").expect_err("no stage");
        assert!(
            told.ends_with("Storage Validation, Record, Cleanup"),
            "{told}"
        );
    }
}
