//! Reads the tar once: each file's bytes go to the digests, the format window and staging together.
//!
//! Stage Receive, the first of nine. Every later stage works from the records written here and
//! from the staged files; the tar is not read again unless a staged file is lost.
//!
//! Of an object that is ingested already, payload files that the registry seems to have are digested and not
//! staged (`known.rs`). Nothing is decided by that: what has to be stored after all is staged at Copy To
//! Staging.
//!
//! Idempotent. Staging keys are derived from the tar offset, so a repeated member overwrites
//! itself; records, findings and the checkpoint move in one step, and a successor continues at the
//! checkpoint, inside a member if that is a large one. A tar that cannot be read to its end is read a second time, and the bag is blamed
//! only when both readings say the same.
//!
//! It cannot write to the receiving bucket, or to preservation storage at all.

use std::sync::Arc;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{
    Clock, Findings, KeyPrefix, Namespace, ObjectIdentifier, ObjectRecord, QueueName, ReadVerdict,
    SCHEMA_VERSION, Stamp, Tar, UnstableReads, bag_name_of,
};
use muniment_objects::{
    ByteBudget, Head, ReceivingBuckets, ReceivingSettings, StagingBucket, StagingSettings,
};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{Completed, Job, JobError, Services, StartError, Worker};
use tracing::info;

use crate::{index, upload};

mod inside;
mod known;
mod ledger;
mod members;
mod pass;

use known::KnownFiles;
use pass::Reading;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
}

pub struct IngestPreFetch {
    registry: RegistryClient,
    receiving: ReceivingBuckets,
    staging: StagingBucket,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    budget: ByteBudget,
}

#[async_trait]
impl Worker for IngestPreFetch {
    const QUEUE: QueueName = QueueName::IngestPreFetch;
    const ABOUT: &'static str = "Reads each bag once: digests, identifies and stages its files";
    type Subject = WorkItem;
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            registry: services.registry.clone(),
            receiving: settings.receiving.connect(&services.s3),
            staging: settings.staging.connect(&services.s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
            budget: services.s3.budget().clone(),
        })
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        match self.receive(job).await {
            Err(error) => Err(upload::unless_storing(&self.staging, job.item(), error).await),
            Ok(()) => Ok(Completed::step()),
        }
    }
}

impl IngestPreFetch {
    async fn receive(&self, job: &Job) -> Result<(), JobError> {
        let head = upload::require_same(&self.receiving, job.item()).await?;
        self.staging
            .abort_uploads(&KeyPrefix::of(job.item_id()))
            .await?;
        let mut object = self.open_record(job, &head).await?;
        // Complete already: only the item's update was lost.
        let known = match object.received {
            None => self.known_files(job, &object).await?,
            Some(_) => KnownFiles::none(),
        };
        while object.received.is_none() {
            match self.read(job, &object, &known).await? {
                Reading::Whole(mut received, findings) => {
                    received.findings = findings.clone();
                    object.received = Some(received);
                    object.findings = findings;
                }
                Reading::WrongBytes => {
                    let verdict = object.unstable_reads.count_wrong_bytes();
                    self.read_again_or_halt(job, &object, verdict).await?;
                }
                Reading::Unreadable(said, findings) => {
                    let verdict = object.unstable_reads.compare(said);
                    if verdict == ReadVerdict::Believed {
                        return Err(JobError::Reject(findings));
                    }
                    self.read_again_or_halt(job, &object, verdict).await?;
                }
            }
        }
        object.stamp = Stamp::Received;
        index::put_end(&self.staging, &object).await?;
        job.save_object(&object).await
    }

    async fn known_files(&self, job: &Job, object: &ObjectRecord) -> Result<KnownFiles, JobError> {
        let known = KnownFiles::of(&self.registry, job, &object.identifier).await?;
        if known.len() > 0 {
            info!(work_item = %job.item_id(), object = %object.identifier, files = known.len(),
                "the object is ingested already; payload files that it has are read and not staged");
        }
        Ok(known)
    }

    async fn read_again_or_halt(
        &self,
        job: &Job,
        object: &ObjectRecord,
        verdict: ReadVerdict,
    ) -> Result<(), JobError> {
        job.clear_records().await?;
        job.save_object(object).await?;
        if verdict == ReadVerdict::Unstable {
            return Err(JobError::halt(UNSTABLE));
        }
        Ok(())
    }

    /// The record of an earlier attempt on this very upload, or a new one.
    async fn open_record(&self, job: &Job, head: &Head) -> Result<ObjectRecord, JobError> {
        let fresh = new_record(job.item(), head)?;
        if let Some(earlier) = job.find_object().await?
            && earlier.tar == fresh.tar
        {
            return Ok(earlier);
        }
        job.clear_records().await?;
        job.save_object(&fresh).await?;
        Ok(fresh)
    }
}

/// What an operator reads when no two readings of a tar agree.
pub(crate) const UNSTABLE: &str = "every reading of the tar says something else: the network or the \
    receiving bucket changes bytes. Nobody's bag is to blame. Requeue the item when that is \
    resolved.";

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
        stamp: Stamp::Received,
        received: None,
        findings: Findings::default(),
        metadata: None,
        registered: None,
        storing_since: None,
        recorded_id: None,
        saved: None,
        unstable_reads: UnstableReads::default(),
    })
}

#[cfg(test)]
mod tests;
