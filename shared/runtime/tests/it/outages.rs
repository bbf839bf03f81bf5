//! What is away holds up what needs it, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
use muniment_model::registry::WorkItem;
use muniment_model::{
    Action, BatchNumber, BucketAddress, Dependency, InstitutionId, Stage, Status, WorkItemId,
};
use muniment_runtime::{Completed, JobError};
use muniment_work::{Message, Queue, Subject};
use tokio::sync::Semaphore;

use crate::kit::{Act, Fake, NEXT, QUEUE, STAGE, Site, is_at};

const BATCHES: u32 = 30;
const OTHER: InstitutionId = InstitutionId(77);

/// Jobs of this item meet the outage of a bucket, all others complete.
fn closed_to(item: WorkItemId, met: &Arc<AtomicU32>) -> Act {
    let met = Arc::clone(met);
    Arc::new(move |job| {
        let meets = job.item_id() == item;
        let met = Arc::clone(&met);
        Box::pin(async move {
            if !meets {
                return Ok(Completed::step());
            }
            met.fetch_add(1, Ordering::SeqCst);
            Err(JobError::Outage {
                dependency: Dependency::Bucket(
                    BucketAddress {
                        endpoint: "127.0.0.1:9".to_owned(),
                        bucket: "preservation-a".parse().expect("a bucket name"),
                    }
                    .into(),
                ),
                cause: "refused our credentials".into(),
            })
        })
    })
}

async fn publish_batches(site: &Site, item: &WorkItem) {
    let batches = (0..BATCHES).map(|number| message(item, Some(number), item.institution_id));
    let batches: Vec<_> = batches.collect();
    site.work.publish(&batches).await.expect("published");
}

/// Of another institution, so that its turn comes beside the batches.
async fn publish_planner(site: &Site, item: &WorkItem) {
    let planner = [message(item, None, OTHER)];
    site.work.publish(&planner).await.expect("published");
}

fn message(item: &WorkItem, batch: Option<u32>, institution: InstitutionId) -> Message {
    Message {
        subject: Subject::Item(item.id),
        queue: QUEUE,
        batch: batch.map(BatchNumber),
        institution,
        size_bytes: 1,
        files: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_away_is_met_by_a_few_jobs_and_holds_up_no_others() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    publish_batches(&site, &item).await;
    let mut others = Vec::new();
    for number in 0..10 {
        let name = format!("other-{number}.tar");
        let other = site.named_item(&name, Action::Ingest, STAGE).await;
        publish_planner(&site, &other).await;
        others.push(other);
    }
    let met = Arc::new(AtomicU32::new(0));

    site.run(Fake::new([closed_to(item.id, &met)]), 2);

    for other in &others {
        site.wait_for(other, is_at(Stage::Store, Status::Pending))
            .await;
    }
    site.wait_for_backlog(QUEUE, |here| here.due == u64::from(BATCHES))
        .await;
    let met = met.load(Ordering::SeqCst);
    assert!((1..=BATCHES / 3).contains(&met), "{met} jobs met it");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_named_in_the_note_and_counts_nothing() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;

    site.run(Fake::new([closed_to(item.id, &Arc::default())]), 1);

    let waiting = site
        .wait_for(&item, |item| item.note.starts_with("Waiting"))
        .await;
    assert_eq!(
        waiting.note,
        "Waiting for the bucket preservation-a at 127.0.0.1:9, which is away: refused our \
         credentials"
    );
    site.end().await;
}

/// Jobs of this item take a permit and are put off; all others complete.
fn held_by(gate: &Arc<Semaphore>, item: WorkItemId) -> Act {
    let gate = Arc::clone(gate);
    Arc::new(move |job| {
        let gate = (job.item_id() == item).then(|| Arc::clone(&gate));
        Box::pin(async move {
            let Some(gate) = gate else {
                return Ok(Completed::step());
            };
            gate.acquire().await.expect("open").forget();
            Err(JobError::Wait {
                note: String::new(),
                after: Duration::from_hours(1),
            })
        })
    })
}

/// Planners ask the registry; batches of an item that was seen lately, and files, do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_registry_is_away_what_needs_it_rests_and_what_does_not_goes_on() {
    let mut site = Site::start().await;
    let known = site.item(Action::Ingest, STAGE).await;
    publish_batches(&site, &known).await;
    let mut planners = Vec::new();
    for number in 0..30 {
        let name = format!("other-{number}.tar");
        planners.push(site.named_item(&name, Action::Ingest, STAGE).await);
    }
    let proxy = FaultProxy::before(&site.registry_url)
        .await
        .expect("a proxy");
    let gate = Arc::new(Semaphore::new(0));
    site.run_on(
        site.services_behind(&proxy.url()),
        Fake::new([held_by(&gate, known.id)]),
        2,
    );
    // The item is seen; then the registry goes.
    site.wait_for_backlog(QUEUE, |here| here.leased == 2).await;
    gate.add_permits(1);
    site.wait_for_backlog(QUEUE, |here| here.due >= 1).await;
    proxy.plan(Requests::any(), Times::Always, Fault::unavailable(None));
    let asked_before = proxy.count(&Method::GET);
    for planner in &planners {
        publish_planner(&site, planner).await;
    }
    gate.add_permits(usize::try_from(BATCHES).expect("a number"));

    site.wait_for_backlog(QUEUE, |here| here.ready + here.leased == 0)
        .await;
    let asked = proxy.count(&Method::GET) - asked_before;
    assert!(
        asked < 4 * planners.len() as u64 / 2,
        "asked {asked} times for {} items, of which four tries are for one",
        planners.len()
    );

    proxy.heal();
    for planner in &planners {
        site.wait_for(planner, is_at(Stage::Store, Status::Pending))
            .await;
    }
    site.wait_for_backlog(NEXT, |next| next.ready == planners.len() as u64)
        .await;
    site.end().await;
}
