//! Stages that fall into batches of file records, so that many workers share one bag.
//!
//! The stage's message without a batch is the planner. It prepares the item, publishes what is not
//! done, and is woken again by whoever does the last batch; then nothing is missing and it
//! finishes the stage. The records of a batch and its place in the done-set are written in one
//! step, so a batch is either done and recorded or done again. A single missing batch is done by
//! the planner itself.

use async_trait::async_trait;
use muniment_model::{BatchNumber, FileRecord, ObjectRecord};

use crate::job::{Completed, Job, JobError, JobSpec, Step, Worker};

/// Whether a stage has anything to do for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    AllBatches,
    Nothing,
}

/// A stage whose work per file is independent.
#[async_trait]
pub trait BatchWorker: Send + Sync + 'static {
    const SPEC: JobSpec;

    /// What concerns the item as a whole, before its batches. Runs each time the planner wakes;
    /// changes to `object` are saved.
    async fn prepare(&self, job: &Job, object: &mut ObjectRecord) -> Result<Work, JobError>;

    /// Does one batch. Changes to `files` are saved, also when it fails.
    async fn run_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError>;

    /// What concerns the item as a whole, after its batches. Changes to `object` are saved.
    async fn finish(&self, job: &Job, object: &mut ObjectRecord) -> Result<Completed, JobError>;
}

/// Makes a [`BatchWorker`] a [`Worker`].
pub struct Batched<B>(pub B);

#[async_trait]
impl<B: BatchWorker> Worker for Batched<B> {
    const SPEC: JobSpec = B::SPEC;

    async fn run(&self, job: &Job) -> Result<Step, JobError> {
        match job.batch {
            None => self.plan(job).await,
            Some(batch) => {
                let object = job.object().await?;
                self.do_batch(job, &object, batch).await?;
                let missing = missing_batches::<B>(job, &object).await?;
                Ok(Step::BatchDone {
                    last: missing.is_empty(),
                })
            }
        }
    }
}

impl<B: BatchWorker> Batched<B> {
    async fn plan(&self, job: &Job) -> Result<Step, JobError> {
        let mut object = job.object().await?;
        let before = object.clone();
        let work = self.0.prepare(job, &mut object).await?;
        save_if_changed(job, &before, &object).await?;
        if work == Work::AllBatches {
            let missing = missing_batches::<B>(job, &object).await?;
            match missing.as_slice() {
                [] => {}
                [one] => self.do_batch(job, &object, *one).await?,
                [_, _, ..] => return Ok(Step::Split(missing)),
            }
        }
        job.checkpoint()?;
        let prepared = object.clone();
        let done = self.0.finish(job, &mut object).await?;
        save_if_changed(job, &prepared, &object).await?;
        Ok(Step::Completed(done))
    }

    async fn do_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        batch: BatchNumber,
    ) -> Result<(), JobError> {
        let mut files = job.work.files(job.item_id(), batch).await?;
        if files.is_empty() {
            return Err(JobError::RecordsLost);
        }
        let before = files.clone();
        let result = self.0.run_batch(job, object, &mut files).await;
        let changed = files != before;
        match result {
            Ok(()) => {
                let written = changed.then_some(files.as_slice());
                job.work.mark_done(&job.lease, batch, written).await?;
                Ok(())
            }
            Err(error) => {
                if changed {
                    job.work
                        .put_files(&job.lease, batch, 0, &files, None)
                        .await?;
                }
                Err(error)
            }
        }
    }
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

async fn missing_batches<B: BatchWorker>(
    job: &Job,
    object: &ObjectRecord,
) -> Result<Vec<BatchNumber>, JobError> {
    let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
    let done = job.work.done_batches(job.item_id(), B::SPEC.queue).await?;
    Ok((0..received.batches)
        .map(BatchNumber)
        .filter(|batch| !done.contains(batch))
        .collect())
}
