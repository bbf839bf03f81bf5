//! Records the object, its files, copies and events in the registry, and writes the deposit record.
//!
//! Stage Record, after every copy was confirmed. The object comes first, with its events in one
//! transaction; then the files, a batch at a time, each with its digests, copies and events; then
//! the deposit record; last, with the stage, the intended ending, which Cleanup obeys.
//!
//! Idempotent: the registry knows objects and files by identifier and events by their derived
//! identifiers, so that what was recorded is found rather than doubled. The deposit record has one
//! key per item.
//!
//! It cannot write to preservation storage.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use muniment_model::registry::GenericFile;
use muniment_model::{
    BatchNumber, Clock, FileRecord, Namespace, ObjectKey, ObjectRecord, QueueName, ReadVerdict,
    Stage, Status, StoredCopy, VerificationMethod,
};
use muniment_objects::{
    PreservationBuckets, PreservationSettings, RecordsBucket, RecordsSettings, StagingBucket,
    StagingSettings,
};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{BatchWorker, Batches, Job, JobError, Services, StartError, StepDone};

use crate::premis::{Events, Kept};
use crate::rows::Rows;
use crate::staged::STAGING_UNSTABLE;
use deposit_record::Unwritten;

pub(crate) mod deposit_record;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    preservation: PreservationSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    records: RecordsSettings,
}

pub struct IngestRecorder {
    registry: RegistryClient,
    preservation: PreservationBuckets,
    /// For the files that are kept in the deposit record alone.
    staging: StagingBucket,
    records: RecordsBucket,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl BatchWorker for IngestRecorder {
    const QUEUE: QueueName = QueueName::IngestRecorder;
    const ABOUT: &'static str = "Records objects, files, copies and events in the registry";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            registry: services.registry.clone(),
            preservation: settings.preservation.connect(&services.s3)?,
            staging: settings.staging.connect(&services.s3),
            records: settings.records.connect(&services.s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        })
    }

    async fn prepare(&self, job: &Job, object: &mut ObjectRecord) -> Result<Batches, JobError> {
        if object.recorded_id.is_none() {
            let methods = verification_methods_of(job, object).await?;
            let row = self.rows(object).of_object(&methods)?;
            object.recorded_id = Some(self.registry.save_object(&row).await?.id);
        }
        Ok(Batches::All)
    }

    async fn run_batch(
        &self,
        _job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError> {
        let mut rows = Vec::new();
        for file in files.iter().filter(|file| file.needs_saving()) {
            rows.push(self.file_row_of(object, file)?);
        }
        if !rows.is_empty() {
            self.registry
                .record_files(object.institution_id, object.item, &rows)
                .await?;
        }
        Ok(())
    }

    async fn finish(&self, job: &Job, object: &mut ObjectRecord) -> Result<StepDone, JobError> {
        match deposit_record::write(self, job, object).await {
            Ok(saved) => object.saved = Some(saved),
            Err(Unwritten::StagedFileChanged) => {
                return Err(self.stage_again(job, object).await?);
            }
            Err(Unwritten::Job(error)) => return Err(error),
        }
        Ok(StepDone {
            intended: Some(Status::Success),
        })
    }
}

impl IngestRecorder {
    /// Removes the staged files that the deposit record needs, as what changed one of them may have
    /// changed more, and answers where the item goes.
    async fn stage_again(
        &self,
        job: &Job,
        object: &mut ObjectRecord,
    ) -> Result<JobError, JobError> {
        let verdict = object.unstable_reads.count_wrong_bytes();
        job.save_object(object).await?;
        if verdict == ReadVerdict::Unstable {
            return Ok(JobError::halt(STAGING_UNSTABLE));
        }
        job.clear_done(&[QueueName::IngestStagingUploader]).await?;
        let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
        for batch in (0..batches).map(BatchNumber) {
            for file in job.files(batch).await? {
                if deposit_record::holds(&file) {
                    job.require_lease()?;
                    let key = self.namespace.staging_key(object.item, file.tar_offset);
                    self.staging.remove(&key).await?;
                }
            }
        }
        Ok(JobError::GoBack {
            stage: Stage::CopyToStaging,
            note: "A file changed in our staging bucket; it is staged again".to_owned(),
        })
    }

    fn rows<'a>(&self, object: &'a ObjectRecord) -> Rows<'a> {
        Rows {
            events: Events {
                namespace: self.namespace,
                object,
                object_id: object.recorded_id.unwrap_or_default(),
                now: self.clock.now(),
            },
        }
    }

    fn file_row_of(
        &self,
        object: &ObjectRecord,
        file: &FileRecord,
    ) -> Result<GenericFile, JobError> {
        object.recorded_id.ok_or(JobError::RecordsLost)?;
        let uuid = file
            .uuid(self.namespace, object.item)
            .ok_or(JobError::RecordsLost)?;
        let urls = self.urls(object, file, &ObjectKey::from(uuid))?;
        self.rows(object).of_file(file, Kept { uuid, urls })
    }

    /// Where the copies of a file are, the primary one first. One that is missing or was not
    /// confirmed means that the record is older than the stage.
    fn urls(
        &self,
        object: &ObjectRecord,
        file: &FileRecord,
        key: &ObjectKey,
    ) -> Result<Vec<String>, JobError> {
        let mut urls = Vec::new();
        for target in object.storage_option().targets() {
            let confirmed =
                |copy: &StoredCopy| copy.target == *target && copy.verified_at.is_some();
            if !file.copies.iter().any(confirmed) {
                return Err(JobError::RecordsLost);
            }
            urls.push(self.preservation.url(*target, key)?);
        }
        Ok(urls)
    }
}

/// Every method by which a copy of this item was confirmed. Batches may differ, as when a store stops
/// reporting checksums halfway.
async fn verification_methods_of(job: &Job, object: &ObjectRecord) -> Result<String, JobError> {
    let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
    let mut methods = BTreeSet::new();
    for batch in (0..batches).map(BatchNumber) {
        job.may_stop()?;
        let files = job.files(batch).await?;
        let saved = files.iter().filter(|file| file.needs_saving());
        methods.extend(
            saved
                .flat_map(|file| &file.copies)
                .filter_map(|copy| copy.verification_method),
        );
    }
    let names: Vec<_> = methods
        .into_iter()
        .map(VerificationMethod::as_str)
        .collect();
    Ok(names.join(", "))
}
