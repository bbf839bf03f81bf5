//! The whole policy of how jobs end, as data: from what a job came to, to what is written,
//! published and acknowledged. Pure, so the tests list every row; the runner only applies
//! it.

use std::error::Error;
use std::time::Duration;

use muniment_model::{BatchNumber, Chain, Dependency, Pipeline, QueueName, Stage, Status, Step};
use muniment_work::{BatchSize, Claim, Release};

use crate::item_write::{Attempt, ItemWrite};
use crate::job::{BatchDone, Completed, JobError};
use crate::subject::Aside;

/// How long lost records rest before they are made again, so that a store which keeps losing them
/// is not asked hundreds of times a second.
const REBUILD_DELAY: Duration = Duration::from_secs(1);
/// Holders that vanished before the work runs alone in its process: twice is a bad day, such as a
/// deployment while a neighbour grows too large.
pub(crate) const VANISHED_BEFORE_ALONE: u32 = 3;
/// Holders that vanished while nothing else ran in their process: then it is this work.
const VANISHED_ALONE_MAX: u32 = 5;

/// The ways a job can end. There is no sixth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The job is done.
    Completed,
    /// The same job may succeed later.
    Retry,
    /// The depositor must act.
    Reject,
    /// An operator must act.
    Halt,
    /// We were told to stop, or something that is not the job's fault is in the way.
    Stopped,
}

impl Ending {
    /// As metrics have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retry => "retry",
            Self::Reject => "reject",
            Self::Halt => "halt",
            Self::Stopped => "stopped",
        }
    }
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    Nothing,
    /// The planner of the queue, for the same subject.
    Planner(QueueName),
    /// Batches of the same step.
    Batches(Vec<(BatchNumber, BatchSize)>),
}

/// What becomes of the claim.
#[derive(Debug, PartialEq)]
pub(crate) enum ClaimEnd {
    Acknowledge,
    /// Marks the batch, writes its records and acknowledges, in one step.
    FinishBatch(BatchDone),
    Release(Release),
    /// Removes everything about the subject, its messages included.
    DropSubject,
    /// Nothing: the lease is another's.
    Abandon,
}

/// What follows from a job, in the order in which it is applied.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) ending: Ending,
    /// What the work item says from now on; nothing where the subject is a file.
    pub(crate) item: Option<ItemWrite>,
    pub(crate) publish: Publish,
    pub(crate) claim: ClaimEnd,
    /// What is away, if that is why.
    pub(crate) away: Option<Dependency>,
}

impl Plan {
    fn of(ending: Ending, claim: ClaimEnd) -> Self {
        Self {
            ending,
            item: None,
            publish: Publish::Nothing,
            claim,
            away: None,
        }
    }

    /// For a claim whose subject is not worked on.
    pub(crate) fn aside(aside: Aside) -> Self {
        match aside {
            Aside::Publish(queue) => {
                Self::of(Ending::Stopped, ClaimEnd::Acknowledge).publishing(Publish::Planner(queue))
            }
            Aside::Drop { leftovers: true } => Self::of(Ending::Stopped, ClaimEnd::DropSubject),
            Aside::Drop { leftovers: false } => Self::of(Ending::Stopped, ClaimEnd::Acknowledge),
            Aside::Later(delay) => {
                Self::of(Ending::Stopped, ClaimEnd::Release(Release::Later(delay)))
            }
        }
    }

    /// What is recorded instead, when what the item was to say is refused for good: the next try
    /// would only be refused again.
    pub(crate) fn refused(&self, cause: &JobError) -> Option<Self> {
        match (&self.item, cause) {
            (None | Some(ItemWrite::Suspended { .. }), _) => None,
            (Some(_), JobError::Halt { note }) => Some(halt(format!(
                "The end of a job could not be recorded: {note}"
            ))),
            (Some(_), _) => None,
        }
    }

    fn writing(self, item: ItemWrite) -> Self {
        Self {
            item: Some(item),
            ..self
        }
    }

    fn publishing(self, publish: Publish) -> Self {
        Self { publish, ..self }
    }
}

/// What is known of a claim when its job ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Counts from 1 and includes this one.
    pub(crate) attempt: u32,
    pub(crate) batch: Option<BatchNumber>,
    /// Whether the process was told to stop.
    pub(crate) stopping: bool,
    /// How long the message rests if a dependency is away.
    pub(crate) outage_delay: Duration,
}

/// What to do with a claim before its job begins: an operator is asked about work that ends its
/// process whenever it runs alone.
pub(crate) fn ends_its_process(claim: &Claim) -> Option<JobError> {
    (claim.vanished_alone >= VANISHED_ALONE_MAX).then(|| {
        JobError::halt(format!(
            "{} was begun {} times on this item and its process died each time, {} of them with \
             nothing else running in it. Look into its log and its memory limit before you requeue \
             the item.",
            claim.message.queue, claim.vanished, claim.vanished_alone
        ))
    })
}

/// Decides what follows from a job.
pub(crate) fn ending_of(
    result: Result<Completed, JobError>,
    facts: Facts,
    queue: QueueName,
) -> Plan {
    let (pipeline, step) = (queue.pipeline(), queue.step());
    let error = match result {
        Ok(completed) => return completed_plan(completed, pipeline, step),
        // Nor can it be told that the item is free.
        Err(JobError::Outage {
            dependency: Dependency::Registry,
            ..
        }) if facts.stopping => {
            return Plan::of(Ending::Stopped, ClaimEnd::Release(Release::Now));
        }
        // Connections break while a process is being stopped. That is not the job's fault.
        Err(JobError::Retry { .. } | JobError::Outage { .. } | JobError::RecordsLost)
            if facts.stopping =>
        {
            JobError::Stopped
        }
        Err(error) => error,
    };
    match error {
        JobError::Retry { cause, .. } if facts.attempt >= step.attempts_max => {
            let attempt = facts.attempt;
            halt(format!(
                "{}. Will not retry: failed {attempt} times. Interim processing data persists. \
                 When the cause is gone, requeue the item.",
                Chain(cause.as_ref())
            ))
        }
        JobError::Retry { cause, after } => {
            let cause = Chain(cause.as_ref()).to_string();
            retry(&cause, after.unwrap_or(step.retry_delay), facts, step)
        }
        JobError::RecordsLost => rebuild(facts, step),
        JobError::GoBack { stage, note } => Plan {
            ending: Ending::Retry,
            ..go_to(pipeline, stage, note)
        },
        JobError::Reject(findings) => reject(pipeline, Status::Failed, findings.note()),
        JobError::Cancel { note } => reject(pipeline, Status::Cancelled, note),
        JobError::Halt { note } => halt(note),
        JobError::Stopped => unless_batch(
            facts,
            Plan::of(Ending::Stopped, ClaimEnd::Release(Release::Now)),
            ItemWrite::Freed,
        ),
        JobError::Outage { dependency, cause } => outage(dependency, cause.as_ref(), facts),
        JobError::Wait { note, after } => unless_batch(
            facts,
            Plan::of(Ending::Stopped, ClaimEnd::Release(Release::Later(after))),
            ItemWrite::Waiting {
                note,
                attempt: None,
            },
        ),
        JobError::LeaseLost => Plan::of(Ending::Stopped, ClaimEnd::Abandon),
    }
}

fn completed_plan(completed: Completed, pipeline: &Pipeline, step: &Step) -> Plan {
    match completed {
        Completed::Step(done) => match pipeline.after(step).map(|next| (next.queue, next.stage)) {
            Some((queue, Some(stage))) => Plan::of(Ending::Completed, ClaimEnd::Acknowledge)
                .writing(ItemWrite::Moved {
                    to: stage,
                    note: step.note.to_owned(),
                    intended: done.intended,
                })
                .publishing(Publish::Planner(queue)),
            Some((_, None)) | None => halt(format!("{} ended without a next step", step.queue)),
        },
        Completed::GoTo { stage, note } => go_to(pipeline, stage, note),
        Completed::Planned(batches) => {
            Plan::of(Ending::Completed, ClaimEnd::Acknowledge).publishing(Publish::Batches(batches))
        }
        Completed::Batch(done) => Plan::of(Ending::Completed, ClaimEnd::FinishBatch(done)),
        Completed::Subject(end) => {
            Plan::of(Ending::Completed, ClaimEnd::DropSubject).writing(ItemWrite::Ended(end))
        }
    }
}

fn go_to(pipeline: &Pipeline, stage: Stage, note: String) -> Plan {
    match pipeline.step_at(stage) {
        Some(there) => Plan::of(Ending::Completed, ClaimEnd::Acknowledge)
            .writing(ItemWrite::Moved {
                to: stage,
                note,
                intended: None,
            })
            .publishing(Publish::Planner(there.queue)),
        None => halt(format!("no step of {} is at {stage}", pipeline.name)),
    }
}

fn retry(cause: &str, delay: Duration, facts: Facts, step: &Step) -> Plan {
    unless_batch(
        facts,
        Plan::of(Ending::Retry, ClaimEnd::Release(Release::Retry(delay))),
        ItemWrite::Waiting {
            note: cause.to_owned(),
            attempt: Some(Attempt {
                number: facts.attempt,
                max: step.attempts_max,
                next_in: delay,
            }),
        },
    )
}

/// Nothing is written where the registry itself is away: the message would only be held for that.
fn outage(dependency: Dependency, cause: &(dyn Error + 'static), facts: Facts) -> Plan {
    let later = ClaimEnd::Release(Release::Later(facts.outage_delay));
    let plan = Plan::of(Ending::Stopped, later);
    let plan = if dependency == Dependency::Registry {
        plan
    } else {
        let cause = Chain(cause);
        let note = format!("Waiting for {dependency}, which is away: {cause}");
        let attempt = None;
        unless_batch(facts, plan, ItemWrite::Waiting { note, attempt })
    };
    Plan {
        away: Some(dependency),
        ..plan
    }
}

/// Records that are lost are made again where the step says. At that very step the job itself begins
/// again, later.
fn rebuild(facts: Facts, step: &Step) -> Plan {
    let note = "The work records were lost; they are made again";
    match step.rebuild_at {
        None => halt("the work records of an item without records were asked for".to_owned()),
        Some(stage) if step.stage != Some(stage) => Plan {
            ending: Ending::Retry,
            ..go_to(step.queue.pipeline(), stage, note.to_owned())
        },
        Some(_) if facts.attempt >= step.attempts_max => halt(format!(
            "Failed {} times, the last time because the work records were lost. Find out what \
             removes them from the work store before you requeue the item.",
            facts.attempt
        )),
        Some(_) => retry(note, REBUILD_DELAY, facts, step),
    }
}

fn reject(pipeline: &Pipeline, status: Status, reason: String) -> Plan {
    let cleaning = pipeline
        .rejects_to
        .and_then(|stage| Some((stage, pipeline.step_at(stage)?.queue)));
    match cleaning {
        Some((stage, queue)) => Plan::of(Ending::Reject, ClaimEnd::Acknowledge)
            .writing(ItemWrite::Intended {
                at: stage,
                status,
                reason,
            })
            .publishing(Publish::Planner(queue)),
        None => Plan::of(Ending::Reject, ClaimEnd::DropSubject).writing(ItemWrite::Ended(
            crate::job::Final {
                status,
                outcome: pipeline.outcome_of(status).to_owned(),
                note: Some(reason),
                object_id: 0,
            },
        )),
    }
}

fn halt(note: String) -> Plan {
    Plan::of(Ending::Halt, ClaimEnd::Acknowledge).writing(ItemWrite::Suspended { note })
}

/// A batch never writes the work item on its way.
fn unless_batch(facts: Facts, plan: Plan, write: ItemWrite) -> Plan {
    if facts.batch.is_some() {
        plan
    } else {
        plan.writing(write)
    }
}

#[cfg(test)]
mod tests;
