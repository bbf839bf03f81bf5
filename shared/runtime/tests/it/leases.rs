//! A lost lease, and holders that vanish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muniment_model::{Action, Stage, Status};
use muniment_runtime::{Completed, JobError};
use muniment_work::Queue;
use tokio::sync::watch;

use crate::kit::{Act, Fake, NEXT, QUEUE, STAGE, Site, always, is_at};

type Ends = fn() -> Result<Completed, JobError>;

/// Another process has taken the work over while the job ran.
#[tokio::test]
async fn a_lost_lease_writes_nothing_whatever_the_job_came_to() {
    let rows: [(&str, Ends); 4] = [
        ("completed", || Ok(Completed::step())),
        ("halt", || Err(JobError::halt("look"))),
        ("retry", || Err(JobError::retry("reset"))),
        ("stopped", || Err(JobError::Stopped)),
    ];

    for (name, ends) in rows {
        let mut site = Site::start().await;
        let item = site.ready_item().await;
        let (work, shutdown) = (Arc::clone(&site.work), site.shutdown.clone());
        let loses_its_lease: Act = Arc::new(move |_job| {
            let (work, shutdown) = (Arc::clone(&work), shutdown.clone());
            Box::pin(async move {
                work.revoke_all_leases().await?;
                // So that this process does not claim the work again.
                shutdown.soft.cancel();
                ends()
            })
        });

        let fake = Fake::new([loses_its_lease]);
        site.run(fake.clone(), 1);
        fake.wait_until_running().await;
        site.stop_workers().await;

        let seen = site.look(&item).await;
        assert_eq!(
            (seen.stage, seen.status),
            (STAGE, Status::Started),
            "{name}"
        );
        let backlog = site.work.backlog().await.expect("counted");
        assert_eq!(backlog[&NEXT].ready, 0, "{name}");
        assert_eq!(
            backlog[&QUEUE].due, 1,
            "{name}: another worker will claim it"
        );
        site.end().await;
    }
}

/// As after three kills: the fourth holder runs it with nothing beside it.
#[tokio::test]
async fn work_whose_holders_vanished_runs_alone_in_its_process() {
    let mut site = Site::start().await;
    let suspect = site.ready_item().await;
    for delay in [1, 2, 4] {
        let claim = site.work.claim(QUEUE, Duration::from_mins(2)).await;
        claim.expect("answers").expect("due");
        site.work.revoke_all_leases().await.expect("revoked");
        tokio::time::timeout(Duration::from_secs(delay), std::future::pending::<()>())
            .await
            .expect_err("time passes");
    }
    let other = site.named_item("other.tar", Action::Ingest, STAGE).await;
    let running = watch::Sender::new(0_u32);
    let both_ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&both_ran);
    // Each waits for the other, which must not come before it has ended.
    let waits: Act = Arc::new(move |_job| {
        let (jobs, seen) = (running.clone(), Arc::clone(&seen));
        Box::pin(async move {
            jobs.send_modify(|count| *count += 1);
            let mut changes = jobs.subscribe();
            let beside = changes.wait_for(|count| *count > 1);
            let met = tokio::time::timeout(Duration::from_secs(1), beside).await;
            if met.is_ok() {
                seen.store(true, Ordering::SeqCst);
            }
            jobs.send_modify(|count| *count -= 1);
            Ok(Completed::step())
        })
    });
    site.publish(&other, QUEUE, None).await;

    site.run(Fake::new([waits]), 4);

    site.wait_for(&suspect, is_at(Stage::Store, Status::Pending))
        .await;
    site.wait_for(&other, is_at(Stage::Store, Status::Pending))
        .await;
    assert!(!both_ran.load(Ordering::SeqCst), "nothing ran beside it");
    site.end().await;
}

#[tokio::test]
async fn only_work_that_vanishes_while_alone_goes_to_an_operator() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    for _ in 0..5 {
        let claim = site.work.claim(QUEUE, Duration::from_mins(2)).await;
        let lease = claim.expect("answers").expect("due").lease;
        site.work.run_alone(&lease).await.expect("noted");
        site.work.revoke_all_leases().await.expect("revoked");
    }
    let fake = Fake::new([always(|| Ok(Completed::step()))]);

    site.run(fake.clone(), 1);

    let halted = site.wait_for(&item, is_at(STAGE, Status::Suspended)).await;
    assert!(
        halted.note.contains("its process died each time"),
        "{}",
        halted.note
    );
    assert_eq!(fake.ran(), 0);
    site.end().await;
}
