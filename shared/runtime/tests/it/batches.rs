//! Steps in batches: planned, done side by side, finished once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use muniment_model::{Action, FileRecord, ObjectRecord, QueueName, Stage, Status};
use muniment_runtime::{
    BatchWorker, Batched, Batches, Job, JobError, Services, StartError, StepDone,
};
use muniment_work::{Queue, Records};
use tokio::sync::Semaphore;

use crate::kit::{NoSettings, Site, is_at};

const QUEUE: QueueName = QueueName::IngestPreservationVerifier;
const STAGE: Stage = Stage::StorageValidation;

/// Counts what it does, by name; changes every record; fails each batch so often.
#[derive(Clone, Default)]
struct Counting {
    calls: Arc<Mutex<BTreeMap<String, u32>>>,
    failures: u32,
    /// Where there is one, each batch takes a permit of it before it ends.
    held_by: Option<Arc<Semaphore>>,
}

impl Counting {
    fn count(&self, what: String) -> u32 {
        let mut calls = self.calls.lock().expect("not poisoned");
        let count = calls.entry(what).or_default();
        *count += 1;
        *count
    }

    fn counted(&self, what: &str) -> u32 {
        let calls = self.calls.lock().expect("not poisoned");
        calls.get(what).copied().unwrap_or_default()
    }
}

#[async_trait]
impl BatchWorker for Counting {
    const QUEUE: QueueName = QUEUE;
    const ABOUT: &'static str = "counts";
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    async fn prepare(&self, _job: &Job, _object: &mut ObjectRecord) -> Result<Batches, JobError> {
        self.count("prepare".to_owned());
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
        if let Some(gate) = &self.held_by {
            gate.acquire().await.expect("open").forget();
        }
        if self.count(files[0].path.clone()) <= self.failures {
            return Err(JobError::Retry {
                cause: "reset".into(),
                after: Some(std::time::Duration::ZERO),
            });
        }
        Ok(())
    }

    async fn finish(&self, _job: &Job, object: &mut ObjectRecord) -> Result<StepDone, JobError> {
        self.count("finish".to_owned());
        object.recorded_id = Some(77);
        Ok(StepDone::default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_run_in_several_processes_and_the_step_is_finished_once() {
    for batches in [1, 2, 9] {
        let mut site = Site::start().await;
        let item = site.item(Action::Ingest, STAGE).await;
        site.give_records(&item, batches).await;
        site.publish(&item, QUEUE, None).await;
        let worker = Counting::default();

        // Two runners on one store, as two processes have.
        site.run(Batched(worker.clone()), 3);
        site.run(Batched(worker.clone()), 3);

        site.wait_for(&item, is_at(Stage::Record, Status::Pending))
            .await;
        site.wait_for_backlog(QUEUE, |here| here.ready + here.leased + here.due == 0)
            .await;
        assert_eq!(worker.counted("finish"), 1, "{batches}");
        for number in 0..batches {
            assert_eq!(worker.counted(&format!("data/{number}")), 1, "{batches}");
            let batch = muniment_model::BatchNumber(number);
            let files = site.work.files(item.id, batch).await.expect("read");
            assert_eq!(files[0].header, "seen");
        }
        let object = site
            .work
            .object(item.id)
            .await
            .expect("read")
            .expect("there");
        assert_eq!(object.recorded_id, Some(77));
        site.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_says_its_own_size_and_the_next_planner_that_of_the_bag() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 3).await;
    site.publish(&item, QUEUE, None).await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = Counting {
        held_by: Some(Arc::clone(&gate)),
        ..Counting::default()
    };

    site.run(Batched(worker), 1);

    site.wait_for_backlog(QUEUE, |here| (here.ready, here.leased) == (2, 1))
        .await;
    let here = site.work.backlog().await.expect("counted")[&QUEUE];
    // Three files of five bytes each.
    assert_eq!((here.files, here.size_bytes), (3, 15));
    gate.add_permits(3);
    let next = QueueName::IngestRecorder;
    site.wait_for_backlog(next, |next| next.ready == 1).await;
    let next = site.work.backlog().await.expect("counted")[&next];
    assert_eq!((next.files, next.size_bytes), (0, item.size));
    site.end().await;
}

#[tokio::test]
async fn a_batch_that_fails_keeps_what_it_learned_and_is_done_again() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 3).await;
    site.publish(&item, QUEUE, None).await;
    let worker = Counting {
        failures: 1,
        ..Counting::default()
    };

    site.run(Batched(worker.clone()), 2);

    site.wait_for(&item, is_at(Stage::Record, Status::Pending))
        .await;
    assert_eq!(worker.counted("data/0"), 2);
    assert_eq!(worker.counted("finish"), 1);
    site.end().await;
}

#[tokio::test]
async fn an_item_without_records_goes_where_they_are_made_again() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.publish(&item, QUEUE, None).await;

    site.run(Batched(Counting::default()), 1);

    let sent_back = site
        .wait_for(&item, is_at(Stage::Validate, Status::Pending))
        .await;
    assert_eq!(
        sent_back.note,
        "The work records were lost; they are made again"
    );
    let there = sent_back.step().expect("a step").queue;
    site.wait_for_backlog(there, |queue| queue.ready == 1).await;
    site.end().await;
}

/// What the whole item costs the work store beside the batches themselves.
#[tokio::test]
async fn a_batch_costs_three_round_trips() {
    let mut costs = Vec::new();
    for batches in [10, 20] {
        let mut site = Site::start().await;
        let item = site.item(Action::Ingest, STAGE).await;
        site.give_records(&item, batches).await;
        site.publish(&item, QUEUE, None).await;
        let before = site.work.round_trips();
        site.run(Batched(Counting::default()), 1);

        site.wait_for(&item, is_at(Stage::Record, Status::Pending))
            .await;
        site.stop_workers().await;

        costs.push(site.work.round_trips() - before);
        site.end().await;
    }
    assert_eq!(costs[1] - costs[0], 30, "claim, read, finish: {costs:?}");
}

#[tokio::test]
async fn the_planner_publishes_only_what_is_missing() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 4).await;
    site.publish(&item, QUEUE, None).await;
    let claim = site.work.claim(QUEUE, std::time::Duration::ZERO).await;
    let lease = claim.expect("answers").expect("ready").lease;
    for number in [0, 2] {
        let batch = muniment_model::BatchNumber(number);
        let done = site.work.finish_batch(&lease, batch, None, 4).await;
        done.expect("marked");
    }
    let released = site.work.release(&lease, muniment_work::Release::Now).await;
    released.expect("released");
    let worker = Counting::default();

    site.run(Batched(worker.clone()), 1);

    site.wait_for(&item, is_at(Stage::Record, Status::Pending))
        .await;
    let ran: Vec<u32> = (0..4)
        .map(|number| worker.counted(&format!("data/{number}")))
        .collect();
    assert_eq!(ran, [0, 1, 0, 1]);
    site.end().await;
}

/// Another holder is at the last batch: its records would be written twice, the second time perhaps
/// when the item has gone on.
#[tokio::test]
async fn a_planner_that_is_woken_early_leaves_the_last_batch_to_its_holder() {
    let mut site = Site::start().await;
    let item = site.item(Action::Ingest, STAGE).await;
    site.give_records(&item, 2).await;
    let [first, second] = [0, 1].map(muniment_model::BatchNumber);
    for batch in [first, second] {
        site.publish(&item, QUEUE, Some(batch)).await;
    }
    let mut leases = Vec::new();
    for _ in 0..2 {
        let claim = site.work.claim(QUEUE, std::time::Duration::ZERO).await;
        leases.push(claim.expect("answers").expect("ready").lease);
    }
    let done = site.work.finish_batch(&leases[0], first, None, 2).await;
    done.expect("marked");
    site.publish(&item, QUEUE, None).await;
    let worker = Counting::default();

    site.run(Batched(worker.clone()), 1);
    site.wait_for_backlog(QUEUE, |here| (here.ready, here.leased) == (0, 1))
        .await;

    assert_eq!(worker.counted("prepare"), 1);
    assert_eq!(worker.counted("data/1"), 0);
    let last = site.work.finish_batch(&leases[1], second, None, 2).await;
    last.expect("marked");
    site.wait_for(&item, is_at(Stage::Record, Status::Pending))
        .await;
    assert_eq!(worker.counted("finish"), 1);
    site.end().await;
}
