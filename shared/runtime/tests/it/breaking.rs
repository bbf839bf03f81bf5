//! The work store and the registry fail at every call, before and after it took effect: the item ends
//! the same.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, Times};
use muniment_model::registry::WorkItem;
use muniment_model::{Action, FileRecord, ObjectRecord, QueueName, Stage, Status};
use muniment_runtime::{
    BatchWorker, Batched, Batches, Completed, Final, Job, JobError, Services, StartError,
};
use muniment_testkit::{BreakingStore, Moment};
use muniment_work::Records;

use crate::kit::{Act, Fake, NEXT, NoSettings, Site, always, is_at};

const QUEUE: QueueName = QueueName::IngestPreservationVerifier;
const STAGE: Stage = Stage::StorageValidation;

/// Enough to be quick, and few enough for a machine of two cores.
const AT_A_TIME: usize = 16;

/// Marks every record as seen.
struct Marking;

#[async_trait]
impl BatchWorker for Marking {
    const QUEUE: QueueName = QUEUE;
    const ABOUT: &'static str = "marks";
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self)
    }

    async fn prepare(&self, _job: &Job, object: &mut ObjectRecord) -> Result<Batches, JobError> {
        object.recorded_id = Some(1);
        Ok(Batches::All)
    }

    async fn run_batch(
        &self,
        _job: &Job,
        _object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError> {
        for file in files.iter_mut() {
            "seen".clone_into(&mut file.header);
        }
        Ok(())
    }
}

/// Sends an item of two batches through the step. Answers how many calls the store had.
async fn run(breaks_at: u64, moment: Moment) -> u64 {
    let name = format!("{moment:?} call {breaks_at}");
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 2).await;
    site.publish(&item, QUEUE, None).await;
    let store: Arc<BreakingStore> =
        Arc::new(BreakingStore::breaking(site.store(), breaks_at, moment));
    let services = site.services_with(Arc::<BreakingStore>::clone(&store));
    site.run_on(services, Batched(Marking), 2);
    take_over_until(&site, &item, is_at(Stage::Record, Status::Pending)).await;
    // Whatever broke, the next stage is published: nobody but its own message makes up for it.
    site.wait_for_backlog(QueueName::IngestRecorder, |next| next.ready == 1)
        .await;
    site.stop_workers().await;

    let moved = site.look(&item).await;
    assert_eq!(
        (moved.stage, moved.status),
        (Stage::Record, Status::Pending),
        "{name}"
    );
    assert!(!moved.needs_admin_review, "{name}: {}", moved.note);
    for number in 0..2 {
        let batch = muniment_model::BatchNumber(number);
        let files = site.work.files(item.id, batch).await.expect("read");
        assert_eq!(files[0].header, "seen", "{name}");
    }
    let calls = store.calls();
    site.end().await;
    calls
}

/// Sends an item through a step that ends it. Answers how many calls the store had.
async fn run_to_its_end(breaks_at: u64, moment: Moment) -> u64 {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, crate::kit::STAGE).await;
    site.give_records(&item, 1).await;
    site.publish(&item, crate::kit::QUEUE, None).await;
    let store: Arc<BreakingStore> =
        Arc::new(BreakingStore::breaking(site.store(), breaks_at, moment));
    let services = site.services_with(Arc::<BreakingStore>::clone(&store));
    let ends = always(|| {
        Ok(Completed::Subject(Final {
            status: Status::Success,
            outcome: "Finished".to_owned(),
            note: None,
            object_id: 0,
        }))
    });
    site.run_on(services, Fake::new([ends]), 1);

    take_over_until(&site, &item, |item| item.status == Status::Success).await;

    // Its messages go in the same step as its records.
    site.wait_for_backlog(crate::kit::QUEUE, |left| {
        left.ready + left.leased + left.due == 0
    })
    .await;
    let name = format!("{moment:?} call {breaks_at}");
    let object = site.work.object(item.id).await.expect("read");
    assert_eq!(object, None, "{name}");
    let calls = store.calls();
    site.end().await;
    calls
}

/// What dies between two effects waits for its lease to run out, which takes a minute: here another
/// process takes over at once. No message is ever given again.
async fn take_over_until(site: &Site, item: &WorkItem, wanted: impl Fn(&WorkItem) -> bool) {
    /// Of some seconds each; one is the rule.
    const TAKE_OVERS_MAX: u32 = 60;

    for _ in 0..TAKE_OVERS_MAX {
        if site.wait_a_while_for(item, &wanted).await {
            return;
        }
        site.work.revoke_all_leases().await.expect("revoked");
    }
    panic!("not as wanted: {:?}", site.look(item).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_at_any_call_changes_nothing_but_the_duration() {
    break_everywhere(run, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_item_leaves_nothing_whichever_call_fails() {
    break_everywhere(run_to_its_end, 3).await;
}

/// Runs once undisturbed, to count the calls, and then once for each call and moment.
async fn break_everywhere<F: Future<Output = u64>>(run: impl Fn(u64, Moment) -> F, calls_min: u64) {
    let undisturbed = run(0, Moment::Before).await;
    assert!(undisturbed >= calls_min, "{undisturbed}");

    let points = (1..=undisturbed)
        .flat_map(|breaks_at| [Moment::Before, Moment::After].map(|moment| (breaks_at, moment)));
    // Each of them waits most of the time: for a lease, or for a service that was said to be away.
    let runs = stream::iter(points).map(|(breaks_at, moment)| run(breaks_at, moment));
    let counts: Vec<u64> = runs.buffer_unordered(AT_A_TIME).collect().await;

    assert_eq!(counts.len() as u64, 2 * undisturbed);
}

/// What happens to a request: it does not arrive, or its answer does not.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Request,
    Answer,
}

/// The registry loses so many requests of this method in a row.
async fn run_with_losses(method: Method, count: u32, loss: Loss) {
    let name = format!("{count} × {method}, {loss:?}");
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let proxy = FaultProxy::before(&site.registry_url)
        .await
        .expect("a proxy");
    let fault = match loss {
        Loss::Request => Fault::unavailable(None),
        Loss::Answer => Fault::DropAnswer,
    };
    proxy.plan(Requests::of(method), Times::Next(count), fault);
    let worker = Fake::new([always(|| Ok(Completed::step()))]);
    site.run_on(site.services_behind(&proxy.url()), worker, 1);

    let moved = site
        .wait_for(&item, is_at(Stage::Store, Status::Pending))
        .await;

    assert!(!moved.needs_admin_review, "{name}: {}", moved.note);
    site.wait_for_backlog(NEXT, |next| next.ready == 1).await;
    let here = crate::kit::QUEUE;
    site.wait_for_backlog(here, |left| left.ready + left.leased + left.due == 0)
        .await;
    site.end().await;
}

/// The client asks again a few times; from then on it is an outage, which counts nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_loses_requests_or_answers_changes_nothing_but_the_duration() {
    let mut points = Vec::new();
    for count in [1, 2, 5, 9] {
        for method in [Method::GET, Method::PUT] {
            points.push((method.clone(), count, Loss::Request));
            points.push((method, count, Loss::Answer));
        }
    }

    let runs =
        stream::iter(points).map(|(method, count, loss)| run_with_losses(method, count, loss));
    let done: Vec<()> = runs.buffer_unordered(AT_A_TIME).collect().await;

    assert_eq!(done.len(), 16);
}

/// Sends an item back from a step. Answers how many calls the store had.
async fn run_backwards(breaks_at: u64, moment: Moment) -> u64 {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let store: Arc<BreakingStore> =
        Arc::new(BreakingStore::breaking(site.store(), breaks_at, moment));
    let services = site.services_with(Arc::<BreakingStore>::clone(&store));
    let goes_back = always(|| {
        Ok(Completed::GoTo {
            stage: Stage::Receive,
            note: "again".to_owned(),
        })
    });
    site.run_on(services, Fake::new([goes_back]), 1);

    take_over_until(&site, &item, is_at(Stage::Receive, Status::Pending)).await;

    // Nobody but the step's own message makes up for one that was not published.
    site.wait_for_backlog(QueueName::IngestPreFetch, |back| back.ready == 1)
        .await;
    let calls = store.calls();
    site.end().await;
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_goes_back_is_never_stuck_whichever_call_fails() {
    break_everywhere(run_backwards, 3).await;
}

/// Many times as many refused writes as an item has attempts.
const WRITES_REFUSED: u64 = 24;

/// The registry goes away while the job runs, and comes back long after it has ended.
async fn end_during_an_outage(name: &'static str, ends: Ends, wanted: fn(&WorkItem) -> bool) {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let proxy = FaultProxy::before(&site.registry_url).await;
    let proxy = Arc::new(proxy.expect("a proxy"));
    let goes_away = Arc::clone(&proxy);
    let ends_in_an_outage: Act = Arc::new(move |_job| {
        goes_away.plan(Requests::any(), Times::Always, Fault::unavailable(None));
        Box::pin(async move { ends() })
    });
    let worker = Fake::new([ends_in_an_outage]);
    site.run_on(site.services_behind(&proxy.url()), worker.clone(), 1);
    wait_until(|| proxy.count(&Method::PUT) > WRITES_REFUSED).await;
    let seen = site.look(&item).await;
    assert_eq!(seen.status, Status::Started, "{name}: nothing is suspended");

    proxy.heal();

    let ended = site.wait_for(&item, wanted).await;
    assert!(!ended.note.contains("attempt 2"), "{name}: {}", ended.note);
    assert_eq!(worker.ran(), 1, "{name}: the job is not repeated");
    site.end().await;
}

type Ends = fn() -> Result<Completed, JobError>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_recorded_after_any_outage_of_the_registry_and_counts_nothing() {
    let completed: Ends = || Ok(Completed::step());
    let retry: Ends = || Err(JobError::retry("reset"));
    let cancel: Ends = || {
        Err(JobError::Cancel {
            note: "replaced".to_owned(),
        })
    };
    let halt: Ends = || Err(JobError::halt("look"));

    tokio::join!(
        end_during_an_outage("completed", completed, |item| {
            (item.stage, item.status) == (Stage::Store, Status::Pending)
        }),
        end_during_an_outage("retry", retry, |item| {
            item.status == Status::Pending && item.note.contains("attempt 1 of")
        }),
        end_during_an_outage("cancel", cancel, |item| item.stage == Stage::Cleanup),
        end_during_an_outage("halt", halt, |item| item.status == Status::Suspended),
    );
}

async fn wait_until(reached: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let reached = tokio::time::timeout(std::time::Duration::from_mins(5), async {
        while !reached() {
            ticks.tick().await;
        }
    });
    reached.await.expect("reached");
}
