//! The whole policy of how jobs end, in one table. Pure, so the tests list every row.

use std::time::Duration;

use muniment_model::{BatchNumber, Chain, Queue, Stage, Status};

use crate::job::{Final, JobError, JobSpec, Step};

/// How long an item waits when a service is away, before it is looked at again.
const OUTAGE_DELAY: Duration = Duration::from_secs(10);
/// Claims in a row that ended in no ending at all: the job kills its process. More than a few
/// restarts for other reasons, and few enough that an operator hears of it the same hour.
const CRASHES_MAX: u32 = 10;

/// What the run loop does with the item and the message.
#[derive(Debug)]
pub enum Ending {
    /// The item goes on to another stage.
    Advance {
        to: Stage,
        note: String,
        intended: Option<Status>,
    },
    /// The batches are published; whoever does the last one wakes the planner.
    Split(Vec<BatchNumber>),
    /// A batch was done. The planner is woken when it was the last one.
    BatchDone { last: bool },
    /// The item is over: final status, then its work records go.
    End(Final),
    /// The depositor must act. The intended ending is written before anything is cleaned.
    NeedsDepositor { note: String },
    /// The upload is gone or replaced. The intended ending is written before cleaning.
    Cancel { note: String },
    /// An operator must act.
    NeedsOperator { note: String },
    /// Another try, which was counted.
    RetryAfter { delay: Duration, note: String },
    /// Due again later; no attempt counted. `note` is for the depositor, where there is one.
    Wait {
        delay: Duration,
        note: Option<String>,
    },
    /// A service is away: due again later, no attempt counted, claims pause.
    Outage { delay: Duration, cause: String },
    /// Ready again at once, no attempt counted.
    HandBack,
    /// Nothing is written.
    Leave,
}

/// What to do with a claim before its job begins: an operator is asked about a job that was begun
/// many times and never ended. A job that fails is bounded by its own, smaller limit.
pub(crate) fn crash_loop(attempt: u32, spec: &JobSpec) -> Option<JobError> {
    (attempt > spec.attempts_max + CRASHES_MAX).then(|| {
        JobError::halt(format!(
            "{} was begun {} times on this item and its process died each time. Look into its log \
             before you requeue the item.",
            spec.queue,
            attempt - 1
        ))
    })
}

/// Decides how a job ends. `attempt` counts from 1 and includes this one.
pub fn ending_of(result: Result<Step, JobError>, attempt: u32, spec: &JobSpec) -> Ending {
    match result {
        Ok(Step::Completed(done)) => match done.to.or(spec.next) {
            Some(to) => Ending::Advance {
                to,
                note: done.note,
                intended: done.intended,
            },
            None => Ending::NeedsOperator {
                note: format!("{} ended without a next stage", spec.queue),
            },
        },
        Ok(Step::Split(batches)) => Ending::Split(batches),
        Ok(Step::BatchDone { last }) => Ending::BatchDone { last },
        Ok(Step::Ended(end)) => Ending::End(end),
        Err(JobError::Stopped) => Ending::HandBack,
        Err(JobError::LeaseLost) => Ending::Leave,
        Err(JobError::Reject(findings)) => Ending::NeedsDepositor {
            note: findings.note(),
        },
        Err(JobError::Cancel { note }) => Ending::Cancel { note },
        Err(JobError::Halt { note }) => Ending::NeedsOperator { note },
        Err(JobError::RecordsLost) => Ending::Advance {
            to: stage_to_rebuild_at(spec.queue),
            note: "The work records were lost; they are made again".to_owned(),
            intended: None,
        },
        Err(JobError::Wait { note, after }) => Ending::Wait {
            delay: after,
            note: Some(note),
        },
        Err(JobError::Outage { cause }) => Ending::Outage {
            delay: OUTAGE_DELAY,
            cause: Chain(cause.as_ref()).to_string(),
        },
        Err(JobError::Retry { cause, .. }) if attempt >= spec.attempts_max => {
            Ending::NeedsOperator {
                note: format!(
                    "{}. Will not retry: failed {attempt} times. Interim processing data persists. \
                     When the cause is gone, requeue the item.",
                    Chain(cause.as_ref())
                ),
            }
        }
        Err(JobError::Retry { cause, after }) => Ending::RetryAfter {
            delay: after.unwrap_or(spec.retry_delay),
            note: Chain(cause.as_ref()).to_string(),
        },
    }
}

/// The validator rebuilds lost records from the staged index; where that is not complete, the bag
/// is read again.
fn stage_to_rebuild_at(queue: Queue) -> Stage {
    match queue {
        Queue::IngestPreFetch | Queue::IngestValidator => Stage::Receive,
        Queue::ReingestManager
        | Queue::IngestStagingUploader
        | Queue::IngestFormatIdentifier
        | Queue::IngestPreservationUploader
        | Queue::IngestPreservationVerifier
        | Queue::IngestRecorder
        | Queue::IngestCleanup => Stage::Validate,
    }
}

#[cfg(test)]
mod tests;
