use muniment_model::{FindingCode, Findings};

use super::*;
use crate::job::Completed;

const SPEC: JobSpec = JobSpec {
    queue: Queue::IngestValidator,
    next: Some(Stage::ReingestCheck),
    attempts_max: 3,
    retry_delay: Duration::from_mins(1),
};

fn retry(after: Option<Duration>) -> JobError {
    JobError::Retry {
        cause: "connection reset".into(),
        after,
    }
}

#[test]
fn a_completed_stage_advances_to_its_successor_or_where_it_says() {
    let ordinary = ending_of(Ok(Step::Completed(Completed::with_note("done"))), 1, &SPEC);
    let back = ending_of(
        Ok(Step::Completed(Completed {
            note: "again".to_owned(),
            to: Some(Stage::Receive),
            intended: None,
        })),
        1,
        &SPEC,
    );

    assert!(
        matches!(ordinary, Ending::Advance { to: Stage::ReingestCheck, note, intended: None } if note == "done")
    );
    assert!(matches!(
        back,
        Ending::Advance {
            to: Stage::Receive,
            ..
        }
    ));
}

#[test]
fn a_retry_is_counted_and_ends_at_an_operator() {
    let first = ending_of(Err(retry(None)), 1, &SPEC);
    let asked = ending_of(Err(retry(Some(Duration::from_secs(7)))), 2, &SPEC);
    let last = ending_of(Err(retry(None)), 3, &SPEC);

    assert!(matches!(first, Ending::RetryAfter { delay, .. } if delay == SPEC.retry_delay));
    assert!(matches!(asked, Ending::RetryAfter { delay, .. } if delay == Duration::from_secs(7)));
    assert!(matches!(last, Ending::NeedsOperator { note } if note.contains("failed 3 times")));
}

#[test]
fn an_outage_never_counts_however_often() {
    let ending = ending_of(
        Err(JobError::Outage {
            cause: "no answer".into(),
        }),
        1_000,
        &SPEC,
    );

    assert!(matches!(ending, Ending::Outage { .. }));
}

#[test]
fn the_depositor_sees_the_findings() {
    let mut findings = Findings::default();
    findings.error(FindingCode::FileMissing, "data/a", "File data/a is missing");

    let ending = ending_of(Err(JobError::Reject(findings)), 1, &SPEC);

    assert!(matches!(ending, Ending::NeedsDepositor { note } if note == "File data/a is missing"));
}

#[test]
fn a_lost_lease_writes_nothing_and_a_stop_hands_back() {
    assert!(matches!(
        ending_of(Err(JobError::LeaseLost), 3, &SPEC),
        Ending::Leave
    ));
    assert!(matches!(
        ending_of(Err(JobError::Stopped), 3, &SPEC),
        Ending::HandBack
    ));
}

#[test]
fn lost_records_are_made_again_from_the_index_or_else_from_the_tar() {
    let at_store = JobSpec {
        queue: Queue::IngestPreservationUploader,
        ..SPEC
    };

    let later = ending_of(Err(JobError::RecordsLost), 1, &at_store);
    let validator = ending_of(Err(JobError::RecordsLost), 1, &SPEC);

    assert!(matches!(
        later,
        Ending::Advance {
            to: Stage::Validate,
            ..
        }
    ));
    assert!(matches!(
        validator,
        Ending::Advance {
            to: Stage::Receive,
            ..
        }
    ));
}
