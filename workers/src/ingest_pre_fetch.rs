//! Reads the tar once: each file's bytes go to the digests, the format window and staging together.
//!
//! Stage Receive, the first of nine. Every later stage works from the records written here and
//! from the staged files; the tar is not read again unless a staged file is lost.
//!
//! Safe to repeat. Staging keys are derived from the tar offset, so a repeated member overwrites
//! itself; records, findings and the checkpoint move in one step, and a successor continues at the
//! checkpoint. A reading that stumbles is done a second time, and the bag is blamed only when both
//! stumble over the same thing.
//!
//! It cannot write to the receiving bucket, or to preservation storage at all.

use std::sync::Arc;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{
    Clock, Doubt, Findings, KeyPrefix, Namespace, ObjectIdentifier, ObjectRecord, Queue,
    SCHEMA_VERSION, Stage, Tar, bag_name_of,
};
use muniment_objects::{Head, ReceivingBuckets, StagingBucket};
use muniment_runtime::{Completed, Job, JobError, JobSpec, Step, Worker};

use crate::{index, upload};

mod ledger;
mod members;
mod pass;

use pass::Reading;

/// Readings that do not have the checksum of the tar before an operator is asked.
const FALSIFIED_MAX: u32 = 3;

pub struct IngestPreFetch {
    pub receiving: ReceivingBuckets,
    pub staging: StagingBucket,
    pub namespace: Namespace,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Worker for IngestPreFetch {
    const SPEC: JobSpec = JobSpec {
        queue: Queue::IngestPreFetch,
        next: Some(Stage::Validate),
        attempts_max: 3,
        retry_delay: crate::RETRY_DELAY,
    };

    async fn run(&self, job: &Job) -> Result<Step, JobError> {
        let result = self.receive(job).await;
        match result {
            Err(error) => Err(upload::or_halt_if_storing(&self.staging, &job.item, error).await),
            done => done,
        }
    }
}

impl IngestPreFetch {
    async fn receive(&self, job: &Job) -> Result<Step, JobError> {
        let head = upload::require_same(&self.receiving, &job.item).await?;
        self.staging
            .abort_uploads(&KeyPrefix::of(job.item_id()))
            .await?;
        let mut object = self.open_record(job, &head).await?;
        // Complete already: only the item's update was lost.
        while object.received.is_none() {
            match self.read(job, &object).await? {
                Reading::Whole(mut received, findings) => {
                    received.findings = findings.clone();
                    object.received = Some(received);
                    object.findings = findings;
                }
                // Never the depositor's fault, and never to be believed.
                Reading::Falsified => {
                    object.readings_doubted += 1;
                    job.work.clear_records(&job.lease).await?;
                    if object.readings_doubted >= FALSIFIED_MAX {
                        return Err(JobError::halt(UNSTABLE));
                    }
                    job.save_object(&object).await?;
                }
                Reading::Stumbled(findings) => {
                    let said = findings.note();
                    self.read_again_or_reject(job, &mut object, said, findings)
                        .await?;
                }
            }
        }
        index::put_end(&self.staging, &object).await?;
        job.save_object(&object).await?;
        let note = "Finished pre-fetch metadata gathering";
        Ok(Step::Completed(Completed::with_note(note)))
    }

    async fn read_again_or_reject(
        &self,
        job: &Job,
        object: &mut ObjectRecord,
        said: String,
        findings: Findings,
    ) -> Result<(), JobError> {
        let doubt = object.doubt_reading(said);
        if doubt == Doubt::Believed {
            return Err(JobError::Reject(findings));
        }
        job.work.clear_records(&job.lease).await?;
        if doubt == Doubt::Unstable {
            return Err(JobError::halt(UNSTABLE));
        }
        job.save_object(object).await
    }

    /// The record of an earlier attempt on this very upload, or a new one.
    async fn open_record(&self, job: &Job, head: &Head) -> Result<ObjectRecord, JobError> {
        let fresh = new_record(&job.item, head)?;
        if let Some(earlier) = job.work.object(job.item_id()).await?
            && earlier.tar == fresh.tar
        {
            return Ok(earlier);
        }
        job.work.clear_records(&job.lease).await?;
        job.save_object(&fresh).await?;
        Ok(fresh)
    }
}

/// What an operator reads when no two readings of a tar agree.
pub(crate) const UNSTABLE: &str = "every reading of the tar says something else: the network or the \
    receiving bucket falsifies bytes. Nobody's bag is to blame. Requeue the item when that is \
    settled.";

fn new_record(item: &WorkItem, head: &Head) -> Result<ObjectRecord, JobError> {
    let (bucket, key) = upload::place_of(item)?;
    let bag_name = bag_name_of(&item.name)
        .ok_or_else(|| JobError::halt(format!("{} is not the name of a bag", item.name)))?;
    if item.institution_identifier.is_empty() {
        return Err(JobError::halt("the work item names no institution"));
    }
    Ok(ObjectRecord {
        schema: SCHEMA_VERSION,
        item: item.id,
        institution_id: item.institution_id,
        institution: item.institution_identifier.clone(),
        bag_name: bag_name.to_owned(),
        identifier: ObjectIdentifier::new(&item.institution_identifier, bag_name),
        tar: Tar {
            bucket,
            key,
            etag: head.etag.clone(),
            size: head.size,
            last_modified: head.last_modified,
            crc64nvme: head.crc64nvme,
        },
        received: None,
        findings: Findings::default(),
        metadata: None,
        registered: None,
        storing_since: None,
        recorded_id: None,
        saved: None,
        doubt: None,
        readings_doubted: 0,
    })
}
