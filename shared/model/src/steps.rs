//! The pipelines: which worker performs which stage, in which order, by what a work item asks for.
//!
//! One table per action. The run loop knows these tables and no stage by name, so a new worker is a
//! row here and a file of its own.

use std::time::Duration;

use crate::registry::WorkItem;
use crate::{Action, QueueName, Stage, Status};

/// How long a failed attempt rests before the next (worker contract, 1.3).
const RETRY_DELAY: Duration = Duration::from_mins(1);

/// The way of one kind of work from its first step to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// For people: "ingest", "deletion".
    pub name: &'static str,
    pub steps: &'static [Step],
    /// Where an item is once it has ended.
    pub last_stage: Stage,
    /// Where an item goes that is to fail or to be cancelled, so that the step there cleans up after
    /// it. `None`: nothing is to be cleaned, and the item ends at once.
    pub rejects_to: Option<Stage>,
    pub outcomes: Outcomes,
}

/// What a work item's `outcome` says when the run loop ends it (worker contract, 1.4).
#[derive(Debug, PartialEq, Eq)]
pub struct Outcomes {
    pub success: &'static str,
    pub failed: &'static str,
    pub cancelled: &'static str,
}

/// What one worker does of a pipeline.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub queue: QueueName,
    /// The stage of the items that this step works on; `None` where the subject is a file, which has
    /// no stage.
    pub stage: Option<Stage>,
    /// The note of an item that completed the step.
    pub note: &'static str,
    /// Attempts without progress before an operator is asked.
    pub attempts_max: u32,
    /// How long after a failed attempt the next one begins, when no service asked for more.
    pub retry_delay: Duration,
    /// Where an item goes whose work records are lost, to have them made again.
    pub rebuild_at: Option<Stage>,
}

const fn ingest(queue: QueueName, stage: Stage, note: &'static str) -> Step {
    Step {
        queue,
        stage: Some(stage),
        note,
        attempts_max: 3,
        retry_delay: RETRY_DELAY,
        // The validator makes lost records again from the staged index.
        rebuild_at: Some(Stage::Validate),
    }
}

/// Without records to lose.
const fn single(queue: QueueName, note: &'static str) -> Step {
    Step {
        rebuild_at: None,
        ..ingest(queue, Stage::Requested, note)
    }
}

/// A pipeline of work that leaves nothing to clean.
const fn at_once(name: &'static str, steps: &'static [Step], outcomes: Outcomes) -> Pipeline {
    Pipeline {
        name,
        steps,
        last_stage: Stage::Resolve,
        rejects_to: None,
        outcomes,
    }
}

static INGEST: Pipeline = Pipeline {
    name: "ingest",
    steps: &[
        Step {
            rebuild_at: Some(Stage::Receive),
            ..ingest(
                QueueName::IngestPreFetch,
                Stage::Receive,
                "Finished pre-fetch metadata gathering",
            )
        },
        Step {
            // Where the index is not complete either, the tar is read again.
            rebuild_at: Some(Stage::Receive),
            ..ingest(QueueName::IngestValidator, Stage::Validate, "Bag is valid")
        },
        ingest(
            QueueName::ReingestManager,
            Stage::ReingestCheck,
            "Finished reingest check",
        ),
        ingest(
            QueueName::IngestStagingUploader,
            Stage::CopyToStaging,
            "Finished copying files to staging area",
        ),
        ingest(
            QueueName::IngestFormatIdentifier,
            Stage::FormatIdentification,
            "Finished file format identification",
        ),
        ingest(
            QueueName::IngestPreservationUploader,
            Stage::Store,
            "Finished copying files to preservation storage",
        ),
        ingest(
            QueueName::IngestPreservationVerifier,
            Stage::StorageValidation,
            "Finished verifying files in preservation storage",
        ),
        Step {
            attempts_max: 5,
            ..ingest(
                QueueName::IngestRecorder,
                Stage::Record,
                "Finished recording ingest data in Registry",
            )
        },
        Step {
            attempts_max: 5,
            ..ingest(
                QueueName::IngestCleanup,
                Stage::Cleanup,
                "Finished cleanup. Ingest complete.",
            )
        },
    ],
    last_stage: Stage::Cleanup,
    rejects_to: Some(Stage::Cleanup),
    outcomes: Outcomes {
        success: "Ingest complete",
        failed: "Ingest failed due to fatal error.",
        cancelled: "Ingest cancelled",
    },
};

static RESTORE_OBJECT: Pipeline = at_once(
    "bag restoration",
    &[single(QueueName::BagRestorer, "Object restored")],
    Outcomes {
        success: "Bag restoration complete",
        failed: "Bag restoration failed due to fatal error.",
        cancelled: "Bag restoration cancelled",
    },
);

static RESTORE_FILE: Pipeline = at_once(
    "file restoration",
    &[single(QueueName::FileRestorer, "File restored")],
    Outcomes {
        success: "File restoration complete",
        failed: "File restoration failed due to fatal error.",
        cancelled: "File restoration cancelled",
    },
);

static GLACIER_RESTORE: Pipeline = at_once(
    "glacier restoration",
    &[single(
        QueueName::GlacierRestorer,
        "Restored from Glacier to S3",
    )],
    Outcomes {
        success: "Glacier restoration complete",
        failed: "Glacier restoration failed due to fatal error.",
        cancelled: "Glacier restoration cancelled",
    },
);

static DELETE: Pipeline = at_once(
    "deletion",
    &[single(QueueName::AptDelete, "Deletion completed")],
    Outcomes {
        success: "Deletion complete",
        failed: "Deletion failed due to fatal error.",
        cancelled: "Deletion cancelled",
    },
);

/// Its subjects are files, not work items: nothing of it is written to a work item.
static FIXITY_CHECK: Pipeline = at_once(
    "fixity check",
    &[Step {
        stage: None,
        retry_delay: Duration::from_secs(20),
        ..single(QueueName::AptFixity, "Fixity checked")
    }],
    Outcomes {
        success: "Fixity check complete",
        failed: "Fixity check failed",
        cancelled: "Fixity check cancelled",
    },
);

impl Pipeline {
    pub const ALL: [&'static Self; 6] = [
        &INGEST,
        &RESTORE_OBJECT,
        &RESTORE_FILE,
        &GLACIER_RESTORE,
        &DELETE,
        &FIXITY_CHECK,
    ];

    pub const fn of(action: Action) -> &'static Self {
        match action {
            Action::Ingest => &INGEST,
            Action::RestoreObject => &RESTORE_OBJECT,
            Action::RestoreFile => &RESTORE_FILE,
            Action::GlacierRestore => &GLACIER_RESTORE,
            Action::Delete => &DELETE,
        }
    }

    /// What an item that ends like this says as its outcome.
    pub const fn outcome_of(&self, status: Status) -> &'static str {
        match status {
            Status::Success => self.outcomes.success,
            Status::Cancelled => self.outcomes.cancelled,
            Status::Failed | Status::Pending | Status::Started | Status::Suspended => {
                self.outcomes.failed
            }
        }
    }

    /// The step that works on items of this stage.
    pub fn step_at(&self, stage: Stage) -> Option<&'static Step> {
        self.steps.iter().find(|step| step.stage == Some(stage))
    }

    /// The step after `step`; `None` after the last.
    pub fn after(&self, step: &Step) -> Option<&'static Step> {
        let at = self.steps.iter().position(|one| one == step)?;
        self.steps.get(at + 1)
    }
}

impl QueueName {
    /// The pipeline that this queue's worker belongs to.
    pub const fn pipeline(self) -> &'static Pipeline {
        match self {
            Self::IngestPreFetch
            | Self::IngestValidator
            | Self::ReingestManager
            | Self::IngestStagingUploader
            | Self::IngestFormatIdentifier
            | Self::IngestPreservationUploader
            | Self::IngestPreservationVerifier
            | Self::IngestRecorder
            | Self::IngestCleanup => &INGEST,
            Self::BagRestorer => &RESTORE_OBJECT,
            Self::FileRestorer => &RESTORE_FILE,
            Self::GlacierRestorer => &GLACIER_RESTORE,
            Self::AptDelete => &DELETE,
            Self::AptFixity => &FIXITY_CHECK,
        }
    }

    /// The step that this queue's worker performs.
    pub fn step(self) -> &'static Step {
        let steps = self.pipeline().steps;
        // Every queue has its row: a test looks through all of them.
        steps
            .iter()
            .find(|step| step.queue == self)
            .unwrap_or_else(|| unreachable!("{self} performs no step of its pipeline"))
    }
}

impl WorkItem {
    pub fn pipeline(&self) -> &'static Pipeline {
        Pipeline::of(self.action)
    }

    /// The step that the item waits for, be it ended or not; `None` at a stage that no worker
    /// performs.
    pub fn step(&self) -> Option<&'static Step> {
        self.pipeline().step_at(self.stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_performs_one_step_and_every_step_has_its_queue() {
        for queue in QueueName::ALL {
            assert_eq!(queue.step().queue, *queue, "{queue}");
        }
        let steps = Pipeline::ALL.iter().map(|pipeline| pipeline.steps.len());
        assert_eq!(steps.sum::<usize>(), QueueName::ALL.len());
    }

    #[test]
    fn an_ingest_goes_through_nine_stages_in_order() {
        let mut step = Pipeline::of(Action::Ingest).step_at(Stage::Receive);
        let mut stages = Vec::new();

        while let Some(one) = step {
            stages.extend(one.stage);
            step = Pipeline::of(Action::Ingest).after(one);
        }

        assert_eq!(
            stages,
            [
                Stage::Receive,
                Stage::Validate,
                Stage::ReingestCheck,
                Stage::CopyToStaging,
                Stage::FormatIdentification,
                Stage::Store,
                Stage::StorageValidation,
                Stage::Record,
                Stage::Cleanup,
            ]
        );
    }

    #[test]
    fn what_is_rejected_or_rebuilt_goes_to_a_step_of_its_own_pipeline() {
        for pipeline in Pipeline::ALL {
            let rebuilt = pipeline.steps.iter().filter_map(|step| step.rebuild_at);
            for stage in pipeline.rejects_to.into_iter().chain(rebuilt) {
                assert!(
                    pipeline.step_at(stage).is_some(),
                    "{}: {stage}",
                    pipeline.name
                );
            }
        }
    }
}
