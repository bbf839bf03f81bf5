//! Workers of other actions than ingest, whole: what a new worker has to say, and nothing more.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{Action, FileId, InstitutionId, QueueName, Stage, Status};
use muniment_runtime::{
    Completed, Final, Job, JobError, Services, StartError, Worker, WorkerEntry,
};
use muniment_work::{Message, Queue, Subject};

use crate::kit::{NoSettings, Site, is_at};

/// Restores a file, as far as the run loop can tell.
struct ToyRestorer;

#[async_trait]
impl Worker for ToyRestorer {
    const QUEUE: QueueName = QueueName::FileRestorer;
    const ABOUT: &'static str = "restores nothing";
    type Subject = WorkItem;
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self)
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        let pipeline = job.item().pipeline();
        if job.item().name.starts_with("broken") {
            return Err(JobError::Cancel {
                note: "there is no such file".to_owned(),
            });
        }
        Ok(Completed::Subject(Final {
            status: Status::Success,
            outcome: pipeline.outcomes.success.to_owned(),
            note: Some("File test.edu/photos/a restored to restore.test.edu.".to_owned()),
            object_id: 0,
        }))
    }
}

#[tokio::test]
async fn a_restoration_goes_through_the_loop_from_request_to_end() {
    let mut site = Site::start().await;
    let item = site.item(Action::RestoreFile, Stage::Requested).await;
    site.publish(&item, QueueName::FileRestorer, None).await;

    site.run(ToyRestorer, 1);

    let restored = site
        .wait_for(&item, is_at(Stage::Resolve, Status::Success))
        .await;
    assert_eq!(restored.outcome, "File restoration complete");
    assert!(!restored.retry);
    site.wait_for_backlog(QueueName::FileRestorer, |here| {
        here.ready + here.leased == 0
    })
    .await;
    site.end().await;
}

#[tokio::test]
async fn a_restoration_that_cannot_be_ends_at_once() {
    let mut site = Site::start().await;
    let stage = Stage::Requested;
    let item = site
        .named_item("broken.tar", Action::RestoreFile, stage)
        .await;
    site.publish(&item, QueueName::FileRestorer, None).await;

    site.run(ToyRestorer, 1);

    let ended = site
        .wait_for(&item, is_at(Stage::Resolve, Status::Cancelled))
        .await;
    assert_eq!(ended.outcome, "File restoration cancelled");
    assert_eq!(ended.note, "there is no such file");
    site.end().await;
}

/// Its subject is a file: there is no work item to look at or to write.
#[derive(Clone, Default)]
struct ToyFixity(Arc<Mutex<Vec<FileId>>>);

#[async_trait]
impl Worker for ToyFixity {
    const QUEUE: QueueName = QueueName::AptFixity;
    const ABOUT: &'static str = "checks nothing";
    type Subject = FileId;
    type Settings = NoSettings;

    async fn connect(_settings: &NoSettings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    async fn run(&self, job: &Job<FileId>) -> Result<Completed, JobError> {
        let mut seen = self.0.lock().expect("not poisoned");
        let again = seen.contains(job.subject());
        seen.push(*job.subject());
        if *job.subject() == FileId(8) && !again {
            return Err(JobError::Retry {
                cause: "reset".into(),
                after: Some(Duration::ZERO),
            });
        }
        Ok(Completed::Subject(Final {
            status: Status::Success,
            outcome: String::new(),
            note: None,
            object_id: 0,
        }))
    }
}

#[tokio::test]
async fn files_are_checked_without_a_work_item() {
    let mut site = Site::start().await;
    let messages: Vec<Message> = [7, 8, 9]
        .map(|file| Message {
            subject: Subject::File(FileId(file)),
            queue: QueueName::AptFixity,
            batch: None,
            institution: InstitutionId(1),
            size_bytes: 1,
            files: 0,
        })
        .into();
    site.work.publish(&messages).await.expect("published");
    let worker = ToyFixity::default();

    site.run(worker.clone(), 1);

    let queue = QueueName::AptFixity;
    site.wait_for_backlog(queue, |here| here.ready + here.leased + here.due == 0)
        .await;
    let mut seen = worker.0.lock().expect("not poisoned").clone();
    seen.sort();
    assert_eq!(seen, [7, 8, 8, 9].map(FileId));
    site.end().await;
}

#[tokio::test]
async fn a_worker_is_a_value_with_its_name_settings_and_start() {
    let mut site = Site::start().await;
    let item = site.item(Action::RestoreFile, Stage::Requested).await;
    site.publish(&item, QueueName::FileRestorer, None).await;
    let entry = WorkerEntry::worker::<ToyRestorer>();
    assert_eq!(entry.name, "file_restorer");

    let matches = entry
        .command()
        .get_matches_from(["file_restorer", "--jobs=1"]);
    let running = entry
        .start(&matches, &site.services(), &site.shutdown)
        .await;
    let running = running.expect("connects");
    site.spawn(async { running.await.expect("works") });

    site.wait_for(&item, is_at(Stage::Resolve, Status::Success))
        .await;
    site.end().await;
}
