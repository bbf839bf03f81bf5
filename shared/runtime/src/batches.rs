//! Steps that fall into batches of file records, so that many workers share one bag.
//!
//! The step's message without a batch is the planner. It prepares the item, publishes what is not
//! done, and is woken again by the last batch; then nothing is missing and it finishes the step.
//! The records of a batch, its mark and the end of its claim are one write, so a batch is either
//! done and recorded or done again.
//!
//! The planner of an item with a single batch does it itself. Where there are several, it never
//! does the last one that is missing: it may have been woken early, and another holder be at it.

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{BatchNumber, FileRecord, ObjectRecord, QueueName};

use crate::job::{BatchDone, Completed, Job, JobError, StepDone, Worker};
use crate::services::Services;
use crate::settings::StartError;

/// Whether a step has anything to do for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    All,
    None,
}

/// A step whose work per file is independent.
#[async_trait]
pub trait BatchWorker: Sized + Send + Sync + 'static {
    const QUEUE: QueueName;
    /// One line for `--help`.
    const ABOUT: &'static str;

    type Settings: clap::Args + Send + Sync;

    async fn connect(settings: &Self::Settings, services: &Services) -> Result<Self, StartError>;

    /// What concerns the item as a whole, before its batches. Runs each time the planner wakes;
    /// changes to `object` are saved.
    async fn prepare(&self, job: &Job, object: &mut ObjectRecord) -> Result<Batches, JobError>;

    /// Does one batch. Changes to `files` are saved, also when it fails.
    async fn run_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError>;

    /// What concerns the item as a whole, after its batches. Changes to `object` are saved.
    async fn finish(&self, _job: &Job, _object: &mut ObjectRecord) -> Result<StepDone, JobError> {
        Ok(StepDone::default())
    }
}

/// Makes a [`BatchWorker`] a [`Worker`].
pub struct Batched<B>(pub B);

#[async_trait]
impl<B: BatchWorker> Worker for Batched<B> {
    const QUEUE: QueueName = B::QUEUE;
    const ABOUT: &'static str = B::ABOUT;
    type Subject = WorkItem;
    type Settings = B::Settings;

    async fn connect(settings: &Self::Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self(B::connect(settings, services).await?))
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        match job.batch() {
            None => self.plan(job).await,
            Some(batch) => Ok(Completed::Batch(self.do_batch(job, batch).await?)),
        }
    }
}

impl<B: BatchWorker> Batched<B> {
    async fn plan(&self, job: &Job) -> Result<Completed, JobError> {
        let mut object = job.object().await?;
        let before = object.clone();
        let wanted = self.0.prepare(job, &mut object).await?;
        save_if_changed(job, &before, &object).await?;
        if wanted == Batches::All {
            let batches = batches_of(&object)?;
            let missing = job.missing_batches(batches).await?;
            match missing.as_slice() {
                [] => {}
                [one] if batches == 1 => {
                    let done = self.do_batch(job, *one).await?;
                    job.finish_own_batch(&done).await?;
                }
                [_, ..] => return Ok(Completed::Planned(job.sized(&missing).await?)),
            }
        }
        job.may_stop()?;
        let prepared = object.clone();
        let done = self.0.finish(job, &mut object).await?;
        save_if_changed(job, &prepared, &object).await?;
        Ok(Completed::Step(done))
    }

    async fn do_batch(&self, job: &Job, batch: BatchNumber) -> Result<BatchDone, JobError> {
        let (object, mut files) = job.records(batch).await?;
        let before = files.clone();
        let result = self.0.run_batch(job, &object, &mut files).await;
        let records = (files != before).then_some(files);
        match result {
            Ok(()) => Ok(BatchDone {
                batch,
                records,
                batches: batches_of(&object)?,
            }),
            Err(error) => {
                if let Some(records) = &records {
                    job.save_batch(batch, records).await?;
                }
                Err(error)
            }
        }
    }
}

fn batches_of(object: &ObjectRecord) -> Result<u32, JobError> {
    let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
    Ok(received.batches)
}

async fn save_if_changed(
    job: &Job,
    before: &ObjectRecord,
    after: &ObjectRecord,
) -> Result<(), JobError> {
    if before != after {
        job.save_object(after).await?;
    }
    Ok(())
}
