//! An item that waits for another is looked at often and written seldom.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muniment_fault_proxy::{FaultProxy, Method};
use muniment_model::registry::WorkItem;
use muniment_model::{QueueName, Stage, Status};
use muniment_runtime::{Completed, Job, JobError, Services, StartError, Worker};
use tokio::sync::watch;

use crate::kit::{NoSettings, QUEUE, STAGE, Site, is_at};

/// Begins when it has nothing to wait for any more.
#[derive(Clone)]
struct Patient {
    waits_for: Arc<Mutex<Option<&'static str>>>,
    looks: watch::Sender<u32>,
}

#[async_trait]
impl Worker for Patient {
    const QUEUE: QueueName = QUEUE;
    const ABOUT: &'static str = "waits";
    type Subject = WorkItem;
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            waits_for: Arc::default(),
            looks: watch::Sender::default(),
        })
    }

    async fn may_begin(&self, _job: &Job) -> Result<(), JobError> {
        self.looks.send_modify(|looks| *looks += 1);
        match *self.waits_for.lock().expect("not poisoned") {
            Some(note) => Err(JobError::Wait {
                note: note.to_owned(),
                after: Duration::ZERO,
            }),
            None => Ok(()),
        }
    }

    async fn run(&self, _job: &Job) -> Result<Completed, JobError> {
        Ok(Completed::step())
    }
}

impl Patient {
    /// Until it has looked so often from now on.
    async fn looks_again(&self, times: u32) {
        let enough = *self.looks.borrow() + times;
        let mut looks = self.looks.subscribe();
        let looked = looks.wait_for(|looks| *looks >= enough);
        let looked = tokio::time::timeout(Duration::from_mins(2), looked).await;
        looked.expect("looks").expect("open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_waits_is_written_once_and_again_only_when_that_changes() {
    let mut site = Site::start().await;
    let item = site.ready_item().await;
    let proxy = FaultProxy::before(&site.registry_url)
        .await
        .expect("a proxy");
    let worker = Patient {
        waits_for: Arc::new(Mutex::new(Some("Waiting for work item 7"))),
        looks: watch::Sender::default(),
    };
    site.run_on(site.services_behind(&proxy.url()), worker.clone(), 1);
    let waiting = site
        .wait_for(&item, |item| item.note == "Waiting for work item 7")
        .await;
    assert_eq!((waiting.stage, waiting.status), (STAGE, Status::Pending));

    worker.looks_again(10).await;
    assert_eq!(proxy.count(&Method::PUT), 1, "nothing has changed");

    // Within the same minute; a machine that is too slow for that may write it.
    *worker.waits_for.lock().expect("not poisoned") = Some("Waiting for work item 8");
    worker.looks_again(10).await;
    assert!(proxy.count(&Method::PUT) <= 2, "at most once a minute");

    *worker.waits_for.lock().expect("not poisoned") = None;
    let moved = site
        .wait_for(&item, is_at(Stage::Store, Status::Pending))
        .await;
    assert!(!moved.note.contains("Waiting"), "{}", moved.note);
    site.end().await;
}
