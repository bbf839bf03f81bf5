//! Each ending, as the registry and the queue see it.

use std::sync::Arc;
use std::time::Duration;

use muniment_model::registry::WorkItem;
use muniment_model::{Action, FindingCode, Findings, Stage, Status};
use muniment_runtime::{Completed, Final, JobError};
use muniment_work::Queue;

use crate::kit::{Act, Fake, NEXT, QUEUE, STAGE, Site, always, is_at};

fn completes() -> Act {
    always(|| Ok(Completed::step()))
}

#[tokio::test]
async fn a_completed_step_is_written_then_published_then_acknowledged() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;

    site.run(Fake::new([completes()]), 2);

    let moved = site
        .wait_for(&item, is_at(Stage::Store, Status::Pending))
        .await;
    assert_eq!(moved.note, "Finished file format identification");
    assert_eq!((moved.node.as_str(), moved.pid), ("", 0));
    site.wait_for_backlog(NEXT, |next| next.ready == 1).await;
    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
        .await;
    site.end().await;
}

#[tokio::test]
async fn a_rejected_item_goes_to_cleanup_with_its_reason() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let rejects = always(|| {
        let mut findings = Findings::default();
        findings.error(FindingCode::FileMissing, "data/a", "File data/a is missing");
        Err(JobError::Reject(findings))
    });

    site.run(Fake::new([rejects]), 1);

    let rejected = site
        .wait_for(&item, is_at(Stage::Cleanup, Status::Pending))
        .await;
    assert_eq!(rejected.intended_status, Some(Status::Failed));
    assert_eq!(rejected.note, "File data/a is missing");
    let cleanup = Stage::Cleanup;
    let queue = muniment_model::Pipeline::of(Action::Ingest)
        .step_at(cleanup)
        .expect("a step")
        .queue;
    site.wait_for_backlog(queue, |waiting| waiting.ready == 1)
        .await;
    site.end().await;
}

#[tokio::test]
async fn a_halted_item_waits_for_an_operator_and_has_no_message() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;

    site.run(Fake::new([always(|| Err(JobError::halt("look here")))]), 1);

    let halted = site.wait_for(&item, is_at(STAGE, Status::Suspended)).await;
    assert!(halted.needs_admin_review);
    assert_eq!(halted.note, "look here");
    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
        .await;
    site.end().await;
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_and_the_item_says_when() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let fails = always(|| {
        Err(JobError::Retry {
            cause: "connection reset".into(),
            after: Some(Duration::from_millis(1)),
        })
    });
    let fake = Fake::new([fails, completes()]);

    site.run(fake.clone(), 1);

    site.wait_for(&item, is_at(Stage::Store, Status::Pending))
        .await;
    assert_eq!(fake.ran(), 2);
    site.end().await;
}

#[tokio::test]
async fn attempts_that_are_used_up_go_to_an_operator() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let fails = always(|| {
        Err(JobError::Retry {
            cause: "connection reset".into(),
            after: Some(Duration::ZERO),
        })
    });
    let fake = Fake::new([fails]);

    site.run(fake.clone(), 1);

    let halted = site.wait_for(&item, is_at(STAGE, Status::Suspended)).await;
    assert!(halted.note.contains("failed 3 times"), "{}", halted.note);
    assert_eq!(fake.ran(), 3);
    site.end().await;
}

/// Only a fault of ours can do this; the item must not be tried for ever.
#[tokio::test]
async fn an_ending_that_the_registry_refuses_goes_to_an_operator() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let names_no_object = always(|| {
        Ok(Completed::Subject(Final {
            status: Status::Success,
            outcome: "Finished".to_owned(),
            note: None,
            object_id: 6,
        }))
    });
    let fake = Fake::new([names_no_object]);

    site.run(fake.clone(), 1);

    let halted = site.wait_for(&item, is_at(STAGE, Status::Suspended)).await;
    assert!(
        halted.note.contains("could not be recorded"),
        "{}",
        halted.note
    );
    assert!(halted.note.contains("does not exist"), "{}", halted.note);
    assert_eq!(fake.ran(), 1);
    site.end().await;
}

#[tokio::test]
async fn a_panic_is_an_attempt_and_takes_no_other_job_with_it() {
    let mut site = Site::start().await;
    let clumsy = site.ready_item().await;
    let panics = always(|| panic!("a mistake of ours"));

    site.run(Fake::new([panics, completes()]), 1);

    let failed = site
        .wait_for(&clumsy, |item| item.note.contains("attempt 1 of 3"))
        .await;
    assert!(failed.note.contains("panicked"), "{}", failed.note);
    let other = site.named_item("other.tar", Action::Ingest, STAGE).await;
    site.publish(&other, QUEUE, None).await;
    site.wait_for(&other, is_at(Stage::Store, Status::Pending))
        .await;
    site.end().await;
}

#[tokio::test]
async fn an_item_that_waits_for_another_is_pending_and_due_later() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let waits = always(|| {
        Err(JobError::Wait {
            note: "Waiting for work item 7".to_owned(),
            after: Duration::from_hours(1),
        })
    });

    site.run(Fake::new([waits]), 1);

    let waiting = site
        .wait_for(&item, |item| item.note == "Waiting for work item 7")
        .await;
    assert_eq!((waiting.stage, waiting.status), (STAGE, Status::Pending));
    site.wait_for_backlog(QUEUE, |here| here.due == 1).await;
    site.end().await;
}

/// An operator, or another make of worker, writes the item while the job runs: each of our writes
/// meets a newer version, looks again and is made.
#[tokio::test]
async fn a_write_that_meets_a_newer_version_is_made_once_more() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let registry = site.registry.clone();
    let is_written_meanwhile: Act = Arc::new(move |job| {
        let registry = registry.clone();
        let id = job.item_id();
        Box::pin(async move {
            for user in ["one@test.edu", "two@test.edu"] {
                let seen = registry.work_item(id).await?.ok_or(JobError::RecordsLost)?;
                let changed = WorkItem {
                    outcome: format!("looked at by {user}"),
                    ..seen
                };
                registry.update_work_item(&changed).await?;
            }
            Ok(Completed::step())
        })
    });

    site.run(Fake::new([is_written_meanwhile]), 1);

    let moved = site
        .wait_for(&item, is_at(Stage::Store, Status::Pending))
        .await;
    assert_eq!(
        moved.outcome, "looked at by two@test.edu",
        "nothing was written over"
    );
    site.wait_for_backlog(NEXT, |next| next.ready == 1).await;
    site.end().await;
}

/// An operator has cancelled the item while the job ran: what the job came to is worth nothing.
#[tokio::test]
async fn an_item_that_was_ended_meanwhile_stays_ended() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let registry = site.registry.clone();
    let is_cancelled_meanwhile: Act = Arc::new(move |job| {
        let registry = registry.clone();
        let id = job.item_id();
        Box::pin(async move {
            let seen = registry.work_item(id).await?.ok_or(JobError::RecordsLost)?;
            let cancelled = WorkItem {
                status: Status::Cancelled,
                retry: false,
                ..seen
            };
            registry.update_work_item(&cancelled).await?;
            Ok(Completed::step())
        })
    });

    site.run(Fake::new([is_cancelled_meanwhile]), 1);

    site.wait_for(&item, is_at(STAGE, Status::Cancelled)).await;
    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
        .await;
    assert_eq!(site.look(&item).await.status, Status::Cancelled);
    assert_eq!(site.work.backlog().await.expect("counted")[&NEXT].ready, 0);
    site.end().await;
}

/// Whatever stage a planner's message names, it publishes the present one and goes: an item that was
/// sent back does not wait for a message ahead of it.
#[tokio::test]
async fn a_planner_ahead_of_its_item_publishes_the_present_stage() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, Stage::Validate).await;
    site.publish(&item, QUEUE, None).await;
    let fake = Fake::new([completes()]);

    site.run(fake.clone(), 1);

    let present = item.step().expect("a step").queue;
    site.wait_for_backlog(present, |queue| queue.ready == 1)
        .await;
    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
        .await;
    assert_eq!(fake.ran(), 0);
    site.end().await;
}

#[tokio::test]
async fn messages_of_an_ended_or_unknown_item_go_and_its_records_with_them() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 1).await;
    let ended = WorkItem {
        status: Status::Failed,
        retry: false,
        ..site.look(&item).await
    };
    site.registry.update_work_item(&ended).await.expect("ended");
    site.publish(&item, QUEUE, None).await;
    let unknown = WorkItem {
        id: muniment_model::WorkItemId(9_999),
        ..item.clone()
    };
    site.publish(&unknown, QUEUE, None).await;
    let fake = Fake::new([completes()]);

    site.run(fake.clone(), 1);

    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
        .await;
    let object = muniment_work::Records::object(site.work.as_ref(), item.id).await;
    assert_eq!(object.expect("read"), None);
    assert_eq!(fake.ran(), 0);
    site.end().await;
}
