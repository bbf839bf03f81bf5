use muniment_model::{BatchNumber, BucketAddress, InstitutionId, QueueName, WorkItemId};
use tokio::time::advance;

use super::*;

fn bucket(name: &str) -> Dependency {
    Dependency::Bucket(
        BucketAddress {
            endpoint: "127.0.0.1:9".to_owned(),
            bucket: name.parse().expect("a bucket name"),
        }
        .into(),
    )
}

fn planner(id: i64) -> Message {
    Message {
        subject: Subject::Item(WorkItemId(id)),
        queue: QueueName::IngestValidator,
        batch: None,
        institution: InstitutionId(1),
        size_bytes: 0,
        files: 0,
    }
}

fn may_begin(outages: &Outages, dependency: &Dependency) -> bool {
    matches!(outages.turn(dependency), Turn::Begin)
}

#[tokio::test(start_paused = true)]
async fn an_outage_pauses_its_own_dependency_and_no_other() {
    let outages = Outages::default();

    outages.meet(&bucket("closed"));

    assert!(!may_begin(&outages, &bucket("closed")));
    let elsewhere = Dependency::Bucket(
        BucketAddress {
            endpoint: "127.0.0.1:8".to_owned(),
            bucket: "closed".parse().expect("a bucket name"),
        }
        .into(),
    );
    for other in [bucket("open"), elsewhere, Dependency::Registry] {
        assert!(may_begin(&outages, &other), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_grows_with_each_probe_that_fails_up_to_the_longest() {
    let outages = Outages::default();
    let mut lengths = Vec::new();

    for _ in 0..5 {
        let length = outages.meet(&Dependency::Registry);
        // Those that had begun before it only join the pause.
        assert_eq!(outages.meet(&Dependency::Registry), length);
        advance(length).await;
        lengths.push(length.as_secs());
    }

    assert_eq!(lengths, [10, 20, 40, 60, 60]);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_one_job_looks_and_the_others_rest() {
    let outages = Outages::default();
    advance(outages.meet(&Dependency::Registry)).await;

    let Turn::Probe(probe) = outages.turn(&Dependency::Registry) else {
        panic!("the pause is over");
    };
    let second = outages.turn(&Dependency::Registry);
    assert!(matches!(second, Turn::Rest(_)), "{second:?}");
    drop(probe);
    let third = outages.turn(&Dependency::Registry);
    assert!(matches!(third, Turn::Probe(_)), "left to another");
    if let Turn::Probe(other) = third {
        other.is_back();
    }

    assert!(may_begin(&outages, &Dependency::Registry));
    let again = outages.meet(&Dependency::Registry);
    assert_eq!(again, PAUSE_FIRST, "another outage");
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_nobody_meets_any_more_is_forgotten() {
    let outages = Outages::default();
    outages.meet(&Dependency::Registry);
    advance(PAUSE_FIRST + PAUSE_MAX).await;

    assert_eq!(outages.meet(&Dependency::Registry), PAUSE_FIRST);
}

#[test]
fn a_worker_whose_jobs_all_meet_outages_does_one_at_a_time() {
    let met = Met::default();

    for id in 0..i64::from(IN_A_ROW_MIN) {
        assert!(!met.only_outages(), "{id}");
        met.outage(&planner(id), &Dependency::Registry);
    }
    assert!(met.only_outages());
    met.no_outage(&planner(1));

    assert!(!met.only_outages());
}

#[test]
fn what_a_job_has_met_is_known_of_its_neighbours_only() {
    let met = Met::default();
    let batch = |number| Message {
        batch: Some(BatchNumber(number)),
        ..planner(1)
    };

    met.outage(&batch(1), &bucket("closed"));

    assert_eq!(met.need_of(&batch(2)), Some(bucket("closed")));
    assert_eq!(met.need_of(&planner(1)), None);
    assert_eq!(met.need_of(&planner(2)), None);
    met.no_outage(&batch(3));
    assert_eq!(met.need_of(&batch(1)), None);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_looks_for_long_has_come_further_than_the_outage() {
    let outages = Outages::default();
    advance(outages.meet(&Dependency::Registry)).await;
    let _probe = outages.turn(&Dependency::Registry);

    advance(PROBE_MAX).await;

    assert!(may_begin(&outages, &Dependency::Registry));
}
