use muniment_model::{FindingCode, Findings};

use super::*;
use crate::job::{Final, StepDone};

mod vanished;

const QUEUE: QueueName = QueueName::IngestValidator;

const OUTAGE_DELAY: Duration = Duration::from_secs(40);
const FIRST: Facts = Facts {
    attempt: 1,
    batch: None,
    stopping: false,
    outage_delay: OUTAGE_DELAY,
};
const LAST: Facts = Facts {
    attempt: 3,
    ..FIRST
};
const OF_BATCH: Facts = Facts {
    batch: Some(BatchNumber(4)),
    ..FIRST
};
const STOPPING: Facts = Facts {
    stopping: true,
    ..LAST
};

fn retry(after: Option<Duration>) -> JobError {
    JobError::Retry {
        cause: "connection reset".into(),
        after,
    }
}

fn outage() -> JobError {
    away(Dependency::Endpoint("127.0.0.1:9".to_owned()))
}

fn away(dependency: Dependency) -> JobError {
    JobError::Outage {
        dependency,
        cause: "no answer".into(),
    }
}

fn findings() -> Findings {
    let mut findings = Findings::default();
    findings.error(FindingCode::FileMissing, "data/a", "File data/a is missing");
    findings
}

fn moved(to: Stage, note: &str, intended: Option<Status>) -> ItemWrite {
    ItemWrite::Moved {
        to,
        note: note.to_owned(),
        intended,
    }
}

fn waiting(note: &str) -> ItemWrite {
    ItemWrite::Waiting {
        note: note.to_owned(),
        attempt: None,
    }
}

fn trying(note: &str, number: u32, next_in: Duration) -> ItemWrite {
    ItemWrite::Waiting {
        note: note.to_owned(),
        attempt: Some(Attempt {
            number,
            max: 3,
            next_in,
        }),
    }
}

/// One line of the policy, but for the notes of a halt, which have tests of their own.
type Row = (
    &'static str,
    Result<Completed, JobError>,
    Facts,
    (Ending, Option<ItemWrite>, Publish, ClaimEnd),
);

#[expect(clippy::too_many_lines, reason = "a table")]
fn completed_rows() -> Vec<Row> {
    let decided = StepDone {
        intended: Some(Status::Success),
    };
    let next = Publish::Planner(QueueName::ReingestManager);
    let size = |files| BatchSize { files, bytes: 7 };
    let sized = vec![(BatchNumber(1), size(500)), (BatchNumber(2), size(1))];
    let valid = |intended| Some(moved(Stage::ReingestCheck, "Bag is valid", intended));
    let done = || BatchDone {
        batch: BatchNumber(4),
        records: None,
        batches: 9,
    };
    let end = Final {
        status: Status::Success,
        outcome: "Ingest complete".to_owned(),
        note: None,
        object_id: 7,
    };
    vec![
        (
            "a step goes on to the next",
            Ok(Completed::step()),
            FIRST,
            (
                Ending::Completed,
                valid(None),
                next.clone(),
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "a step may decide the ending",
            Ok(Completed::Step(decided)),
            FIRST,
            (
                Ending::Completed,
                valid(Some(Status::Success)),
                next,
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "a step may send the item back",
            Ok(Completed::GoTo {
                stage: Stage::Receive,
                note: "once more".to_owned(),
            }),
            FIRST,
            (
                Ending::Completed,
                Some(moved(Stage::Receive, "once more", None)),
                Publish::Planner(QueueName::IngestPreFetch),
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "a plan publishes batches",
            Ok(Completed::Planned(sized.clone())),
            FIRST,
            (
                Ending::Completed,
                None,
                Publish::Batches(sized),
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "a batch is finished in one step",
            Ok(Completed::Batch(done())),
            OF_BATCH,
            (
                Ending::Completed,
                None,
                Publish::Nothing,
                ClaimEnd::FinishBatch(done()),
            ),
        ),
        (
            "an end drops the records",
            Ok(Completed::Subject(end.clone())),
            FIRST,
            (
                Ending::Completed,
                Some(ItemWrite::Ended(end)),
                Publish::Nothing,
                ClaimEnd::DropSubject,
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn failed_rows() -> Vec<Row> {
    let minute = Duration::from_mins(1);
    let seven = Duration::from_secs(7);
    let rejected = |status, reason: &str| {
        (
            Ending::Reject,
            Some(ItemWrite::Intended {
                at: Stage::Cleanup,
                status,
                reason: reason.to_owned(),
            }),
            Publish::Planner(QueueName::IngestCleanup),
            ClaimEnd::Acknowledge,
        )
    };
    let later = |delay| ClaimEnd::Release(Release::Later(delay));
    let again = |delay| ClaimEnd::Release(Release::Retry(delay));
    let lost = "The work records were lost; they are made again";
    vec![
        (
            "a retry comes after the step's delay",
            Err(retry(None)),
            FIRST,
            (
                Ending::Retry,
                Some(trying("connection reset", 1, minute)),
                Publish::Nothing,
                again(minute),
            ),
        ),
        (
            "a retry comes when the service says",
            Err(retry(Some(seven))),
            FIRST,
            (
                Ending::Retry,
                Some(trying("connection reset", 1, seven)),
                Publish::Nothing,
                again(seven),
            ),
        ),
        (
            "a batch that is tried again writes no item",
            Err(retry(None)),
            OF_BATCH,
            (Ending::Retry, None, Publish::Nothing, again(minute)),
        ),
        (
            "lost records are made again where the step says",
            Err(JobError::RecordsLost),
            FIRST,
            (
                Ending::Retry,
                Some(moved(Stage::Receive, lost, None)),
                Publish::Planner(QueueName::IngestPreFetch),
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "what an earlier step made is made again by that step",
            Err(JobError::GoBack {
                stage: Stage::CopyToStaging,
                note: "staged again".to_owned(),
            }),
            FIRST,
            (
                Ending::Retry,
                Some(moved(Stage::CopyToStaging, "staged again", None)),
                Publish::Planner(QueueName::IngestStagingUploader),
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "the depositor sees the findings",
            Err(JobError::Reject(findings())),
            FIRST,
            rejected(Status::Failed, "File data/a is missing"),
        ),
        (
            "a withdrawn upload is cancelled",
            Err(JobError::Cancel {
                note: "replaced".to_owned(),
            }),
            LAST,
            rejected(Status::Cancelled, "replaced"),
        ),
        (
            "an operator is asked",
            Err(JobError::halt("look")),
            FIRST,
            (
                Ending::Halt,
                Some(ItemWrite::Suspended {
                    note: "look".to_owned(),
                }),
                Publish::Nothing,
                ClaimEnd::Acknowledge,
            ),
        ),
        (
            "a stop releases at once",
            Err(JobError::Stopped),
            LAST,
            (
                Ending::Stopped,
                Some(ItemWrite::Freed),
                Publish::Nothing,
                ClaimEnd::Release(Release::Now),
            ),
        ),
        (
            "an item that waits for another says so",
            Err(JobError::Wait {
                note: "item 7 first".to_owned(),
                after: seven,
            }),
            LAST,
            (
                Ending::Stopped,
                Some(waiting("item 7 first")),
                Publish::Nothing,
                later(seven),
            ),
        ),
        (
            "an outage counts nothing, however often",
            Err(outage()),
            Facts {
                attempt: 1_000,
                ..FIRST
            },
            (
                Ending::Stopped,
                Some(waiting(
                    "Waiting for the S3 endpoint 127.0.0.1:9, which is away: no answer",
                )),
                Publish::Nothing,
                later(OUTAGE_DELAY),
            ),
        ),
        (
            "nothing is written into a registry that is away",
            Err(away(Dependency::Registry)),
            FIRST,
            (Ending::Stopped, None, Publish::Nothing, later(OUTAGE_DELAY)),
        ),
        (
            "a batch that meets an outage writes no item",
            Err(outage()),
            OF_BATCH,
            (Ending::Stopped, None, Publish::Nothing, later(OUTAGE_DELAY)),
        ),
        (
            "a lost lease writes nothing",
            Err(JobError::LeaseLost),
            LAST,
            (Ending::Stopped, None, Publish::Nothing, ClaimEnd::Abandon),
        ),
    ]
}

#[test]
fn every_row_of_the_policy_is_as_written() {
    for (name, result, facts, expected) in completed_rows().into_iter().chain(failed_rows()) {
        let plan = ending_of(result, facts, QUEUE);

        assert_eq!(
            (plan.ending, plan.item, plan.publish, plan.claim),
            expected,
            "{name}"
        );
    }
}

/// Connections break while a process is being stopped; that is not the job's fault.
#[test]
fn what_fails_while_stopping_is_a_stop() {
    for error in [
        retry(None),
        outage(),
        JobError::RecordsLost,
        JobError::Stopped,
    ] {
        let name = format!("{error:?}");

        let plan = ending_of(Err(error), STOPPING, QUEUE);

        assert_eq!(plan.ending, Ending::Stopped, "{name}");
        assert_eq!(plan.claim, ClaimEnd::Release(Release::Now), "{name}");
    }
}

/// The lease is released at once, and not after a write that is not answered.
#[test]
fn nothing_is_written_into_a_registry_that_is_away_while_stopping() {
    let plan = ending_of(Err(away(Dependency::Registry)), STOPPING, QUEUE);

    assert_eq!(plan.item, None);
    assert_eq!(plan.claim, ClaimEnd::Release(Release::Now));
}

/// What the depositor or an operator has to know is not forgotten because of a stop.
#[test]
fn what_was_decided_before_a_stop_counts() {
    let rows = [
        (Ok(Completed::step()), Ending::Completed),
        (Err(JobError::Reject(findings())), Ending::Reject),
        (Err(JobError::halt("look")), Ending::Halt),
    ];

    for (result, expected) in rows {
        assert_eq!(ending_of(result, STOPPING, QUEUE).ending, expected);
    }
}

#[test]
fn only_an_outage_names_what_is_away() {
    for (name, result, facts, _) in completed_rows().into_iter().chain(failed_rows()) {
        let away = matches!(result, Err(JobError::Outage { .. }));

        let plan = ending_of(result, facts, QUEUE);

        assert_eq!(plan.away.is_some(), away, "{name}");
    }
}

#[test]
fn attempts_that_are_used_up_go_to_an_operator_with_the_cause() {
    let rows = [
        (retry(None), QUEUE),
        // Its own records: no step before it makes them again.
        (JobError::RecordsLost, QueueName::IngestPreFetch),
    ];
    for (error, queue) in rows {
        let facts = Facts {
            attempt: queue.step().attempts_max,
            ..LAST
        };
        let plan = ending_of(Err(error), facts, queue);

        assert_eq!(plan.ending, Ending::Halt);
        let Some(ItemWrite::Suspended { note }) = plan.item else {
            panic!("{:?}", plan.item);
        };
        assert!(note.contains(" times"), "{note}");
        assert!(note.contains("requeue the item"), "{note}");
    }
}

/// However often other things failed before: lost records say nothing against the step.
#[test]
fn records_that_are_lost_are_made_again_after_any_number_of_attempts() {
    let plan = ending_of(Err(JobError::RecordsLost), LAST, QUEUE);

    assert_eq!(plan.publish, Publish::Planner(QueueName::IngestPreFetch));
}

#[test]
fn the_validators_own_step_is_tried_again_after_a_rest_when_it_rebuilds_itself() {
    let plan = ending_of(Err(JobError::RecordsLost), FIRST, QueueName::IngestPreFetch);

    assert_eq!(plan.claim, ClaimEnd::Release(Release::Retry(REBUILD_DELAY)));
}

#[test]
fn a_step_without_a_next_one_or_records_is_a_fault_of_ours() {
    let rows = [
        (Ok(Completed::step()), QueueName::IngestCleanup),
        (Err(JobError::RecordsLost), QueueName::BagRestorer),
        (
            Ok(Completed::GoTo {
                stage: Stage::Fetch,
                note: String::new(),
            }),
            QUEUE,
        ),
    ];

    for (result, queue) in rows {
        assert_eq!(
            ending_of(result, FIRST, queue).ending,
            Ending::Halt,
            "{queue}"
        );
    }
}

/// Nothing of a restoration is to be cleaned, so it ends at once.
#[test]
fn a_reject_of_another_pipeline_ends_by_that_pipelines_table() {
    let plan = ending_of(
        Err(JobError::Reject(findings())),
        FIRST,
        QueueName::FileRestorer,
    );

    let end = Final {
        status: Status::Failed,
        outcome: "File restoration failed due to fatal error.".to_owned(),
        note: Some("File data/a is missing".to_owned()),
        object_id: 0,
    };
    assert_eq!(plan.item, Some(ItemWrite::Ended(end)));
    assert_eq!(plan.claim, ClaimEnd::DropSubject);
}
