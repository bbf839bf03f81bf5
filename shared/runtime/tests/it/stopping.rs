//! Told to stop, softly and hard, while idle and during each ending.

use std::future::pending;
use std::sync::Arc;

use muniment_model::{Dependency, FindingCode, Findings, Stage, Status};
use muniment_runtime::{Completed, JobError, Shutdown};
use muniment_work::Queue;

use crate::kit::{Act, Fake, QUEUE, STAGE, Site, is_at};

type Ends = fn() -> Result<Completed, JobError>;

/// Tells its own process to stop, and ends like this.
fn stops_and(shutdown: &Shutdown, ends: Ends) -> Act {
    let soft = shutdown.soft.clone();
    Arc::new(move |_job| {
        soft.cancel();
        Box::pin(async move { ends() })
    })
}

fn findings() -> Findings {
    let mut findings = Findings::default();
    findings.error(FindingCode::FileMissing, "data/a", "gone");
    findings
}

#[tokio::test]
async fn an_idle_worker_stops() {
    let mut site = Site::start().await;
    site.run(
        Fake::new([stops_and(&Shutdown::default(), || Ok(Completed::step()))]),
        2,
    );

    site.stop_workers().await;

    site.end().await;
}

#[tokio::test]
async fn a_soft_stop_during_each_ending_loses_nothing() {
    let rows: [(&str, Ends, (Stage, Status), bool); 6] = [
        (
            "completed",
            || Ok(Completed::step()),
            (Stage::Store, Status::Pending),
            false,
        ),
        (
            "stopped",
            || Err(JobError::Stopped),
            (STAGE, Status::Pending),
            true,
        ),
        (
            "retry",
            || Err(JobError::retry("reset")),
            (STAGE, Status::Pending),
            true,
        ),
        (
            "outage",
            || {
                Err(JobError::Outage {
                    dependency: Dependency::Endpoint("127.0.0.1:9".to_owned()),
                    cause: "away".into(),
                })
            },
            (STAGE, Status::Pending),
            true,
        ),
        (
            "reject",
            || Err(JobError::Reject(findings())),
            (Stage::Cleanup, Status::Pending),
            false,
        ),
        (
            "halt",
            || Err(JobError::halt("look")),
            (STAGE, Status::Suspended),
            false,
        ),
    ];

    for (name, ends, (stage, status), stays) in rows {
        let mut site = Site::start().await;
        let item = site.ready_item().await;
        let fake = Fake::new([stops_and(&site.shutdown, ends)]);
        site.run(fake.clone(), 1);
        fake.wait_until_running().await;

        site.stop_workers().await;

        let left = site.look(&item).await;
        assert_eq!((left.stage, left.status), (stage, status), "{name}");
        assert_eq!((left.node.as_str(), left.pid), ("", 0), "{name}");
        let here = site.work.backlog().await.expect("counted")[&QUEUE];
        assert_eq!(
            (here.ready == 1, here.leased),
            (stays, 0),
            "{name}: {here:?}"
        );
        if stays {
            let claim = site.work.claim(QUEUE, std::time::Duration::ZERO).await;
            assert_eq!(
                claim.expect("answers").expect("ready").attempt,
                1,
                "{name}: not counted"
            );
        }
        site.end().await;
    }
}

#[tokio::test]
async fn a_hard_stop_drops_a_job_that_does_not_end_and_releases_its_lease() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let hangs: Act = Arc::new(|_job| Box::pin(pending()));
    let fake = Fake::new([hangs]);
    site.run(fake.clone(), 1);
    fake.wait_until_running().await;

    site.shutdown.soft.cancel();
    site.shutdown.hard.cancel();
    site.stop_workers().await;

    let left = site.wait_for(&item, is_at(STAGE, Status::Pending)).await;
    assert_eq!(left.node, "");
    let here = site.work.backlog().await.expect("counted")[&QUEUE];
    assert_eq!((here.ready, here.leased), (1, 0));
    site.end().await;
}

#[tokio::test]
async fn a_job_sees_that_it_may_stop() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let waits_for_the_stop: Act = Arc::new(|job| {
        Box::pin(async move {
            job.may_stop()?;
            job.stop().cancelled().await;
            job.may_stop()?;
            Ok(Completed::step())
        })
    });
    let fake = Fake::new([waits_for_the_stop]);
    site.run(fake.clone(), 1);
    fake.wait_until_running().await;

    site.stop_workers().await;

    assert_eq!(site.look(&item).await.stage, STAGE, "it did not complete");
    site.end().await;
}
