//! Reads the tar once: each file's bytes go to the digests, the format window and staging together.
//!
//! Stage Receive, the first of nine. Every later stage works from the records written here and
//! from the staged files; the tar is not read again unless a staged file is lost.
//!
//! Safe to repeat. Staging keys are derived from the tar offset, so a repeated member overwrites
//! itself; records, findings and the checkpoint move in one step, and a successor continues at the
//! checkpoint. A reading that stumbles is read a second time before the bag is blamed.
//!
//! It cannot write to the receiving bucket, or to preservation storage at all.

use std::sync::Arc;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{
    Clock, Findings, KeyPrefix, Namespace, ObjectIdentifier, ObjectRecord, Queue, SCHEMA_VERSION,
    Stage, Tar, bag_name_of,
};
use muniment_objects::{Head, ReceivingBuckets, StagingBucket};
use muniment_runtime::{Completed, Job, JobError, JobSpec, Step, Worker};

use crate::{index, upload};

mod ledger;
mod members;
mod pass;

use pass::Reading;

/// Readings of a tar that stumbles before the bag is rejected.
const READINGS_MAX: u32 = 2;

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
        let head = upload::require_same(&self.receiving, &job.item).await?;
        self.staging
            .abort_uploads(&KeyPrefix::of(job.item_id()))
            .await?;
        let mut object = self.open_record(job, &head).await?;
        loop {
            match self.read(job, &object).await? {
                Reading::Whole(received, findings) => {
                    object.received = Some(received);
                    object.findings = findings;
                    object.readings += 1;
                    index::put_end(&self.staging, &object).await?;
                    job.save_object(&object).await?;
                    let note = "Finished pre-fetch metadata gathering";
                    return Ok(Step::Completed(Completed::with_note(note)));
                }
                Reading::Stumbled(findings) => {
                    object.readings += 1;
                    if object.readings >= READINGS_MAX {
                        return Err(JobError::Reject(findings));
                    }
                    job.work.clear_records(&job.lease).await?;
                    job.save_object(&object).await?;
                }
            }
        }
    }
}

impl IngestPreFetch {
    /// The record of an earlier attempt on this very upload, or a new one.
    async fn open_record(&self, job: &Job, head: &Head) -> Result<ObjectRecord, JobError> {
        let fresh = new_record(&job.item, head)?;
        let earlier = job.work.object(job.item_id()).await?;
        // A second reading is asked for by sending the item back here with its record complete.
        let readings = earlier.as_ref().map_or(0, |record| record.readings);
        if let Some(earlier) = earlier
            && earlier.tar == fresh.tar
            && earlier.received.is_none()
        {
            return Ok(earlier);
        }
        job.work.clear_records(&job.lease).await?;
        let object = ObjectRecord { readings, ..fresh };
        job.save_object(&object).await?;
        Ok(object)
    }
}

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
        readings: 0,
    })
}
