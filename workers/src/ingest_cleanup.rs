//! Obeys the intended ending: cleans up after an item and gives it its last status.
//!
//! Stage Cleanup, the last. The intended ending is read from the registry, never from work
//! records. For Success it first makes sure that the registry holds everything Record wrote;
//! only then are staging and, last, the tar deleted. A failed or cancelled item's tar stays.
//!
//! Order: staging, tar (`If-Match`), final status, work records (by the run loop). Safe to repeat
//! from any point between them: what is gone stays gone, and a tar that was replaced meanwhile is
//! another upload, which stays.
//!
//! It cannot touch preservation storage.

use async_trait::async_trait;
use muniment_model::{KeyPrefix, ObjectIdentifier, ObjectRecord, Queue, Status, bag_name_of};
use muniment_objects::{ReceivingBuckets, RecordsBucket, StagingBucket, StorageError};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{Final, Job, JobError, JobSpec, Step, Worker};

use crate::ingest_recorder::deposit_record::key_of;
use crate::upload::{self, Upload};

pub struct IngestCleanup {
    pub registry: RegistryClient,
    pub receiving: ReceivingBuckets,
    pub staging: StagingBucket,
    pub records: RecordsBucket,
}

#[async_trait]
impl Worker for IngestCleanup {
    const SPEC: JobSpec = JobSpec {
        queue: Queue::IngestCleanup,
        next: None,
        attempts_max: 5,
        retry_delay: crate::RETRY_DELAY,
    };

    async fn run(&self, job: &Job) -> Result<Step, JobError> {
        match job.item.intended_status {
            Some(Status::Success) => self.clean_after_success(job).await,
            Some(Status::Failed) => {
                self.clean_staging(job).await?;
                Ok(ended(Status::Failed, "Ingest failed due to fatal error."))
            }
            Some(Status::Cancelled) => {
                self.clean_staging(job).await?;
                Ok(ended(Status::Cancelled, "Ingest cancelled"))
            }
            Some(Status::Pending | Status::Started | Status::Suspended) | None => {
                Err(JobError::halt(
                    "the item came to Cleanup without an ending that was decided. Nothing was \
                     cleaned.",
                ))
            }
        }
    }
}

/// The note that came with the intended ending stays: it says why.
fn ended(status: Status, outcome: &str) -> Step {
    Step::Ended(Final {
        status,
        outcome: outcome.to_owned(),
        note: None,
        object_id: 0,
    })
}

/// So that Record records everything again when an operator says so.
async fn forget_recording(job: &Job, object: Option<ObjectRecord>) -> Result<(), JobError> {
    job.work
        .clear_done(&job.lease, Queue::IngestRecorder)
        .await?;
    if let Some(mut object) = object {
        object.recorded_id = None;
        object.saved = None;
        job.save_object(&object).await?;
    }
    Ok(())
}

impl IngestCleanup {
    async fn clean_after_success(&self, job: &Job) -> Result<Step, JobError> {
        let object_id = self.require_recorded(job).await?;
        self.clean_staging(job).await?;
        let mut note = "Finished cleanup. Ingest complete.".to_owned();
        if let Some(newer) = self.delete_tar(job).await? {
            note = format!("{note} {newer}.");
        }
        Ok(Step::Ended(Final {
            status: Status::Success,
            outcome: "Ingest complete".to_owned(),
            note: Some(note),
            object_id,
        }))
    }

    /// Makes sure that nothing the bag held depends on what is deleted next.
    async fn require_recorded(&self, job: &Job) -> Result<i64, JobError> {
        let recorded = self.registry.recorded(job.item_id()).await?;
        let object_id = recorded.intellectual_object_id;
        let object = job.work.object(job.item_id()).await?;
        if object_id == 0 {
            forget_recording(job, object).await?;
            return Err(JobError::halt(
                "the registry holds no object of this item. Nothing was cleaned. Requeue the item \
                 at Record.",
            ));
        }
        let Some(saved) = object.as_ref().and_then(|object| object.saved) else {
            self.require_deposit_record(job).await?;
            return Ok(object_id);
        };
        let files = u64::try_from(recorded.files).unwrap_or_default();
        let copies = u64::try_from(recorded.storage_records).unwrap_or_default();
        if (files, copies) != (saved.files, saved.copies) {
            forget_recording(job, object).await?;
            return Err(JobError::halt(format!(
                "the registry holds {files} files and {copies} copies of this item, {} and {} were \
                 recorded. Nothing was cleaned. Requeue the item at Record.",
                saved.files, saved.copies
            )));
        }
        Ok(object_id)
    }

    /// Where the work records are lost there is nothing to count with. The deposit record is the
    /// last thing that Record writes: if it is there, so is everything else.
    async fn require_deposit_record(&self, job: &Job) -> Result<(), JobError> {
        let item = &job.item;
        let bag_name = bag_name_of(&item.name).unwrap_or(&item.name);
        let identifier = ObjectIdentifier::new(&item.institution_identifier, bag_name);
        match self.records.head(&key_of(&identifier, item.id)?).await {
            Ok(_) => Ok(()),
            Err(StorageError::NotFound { .. }) => Err(JobError::RecordsLost),
            Err(error) => Err(error.into()),
        }
    }

    async fn clean_staging(&self, job: &Job) -> Result<(), JobError> {
        let prefix = KeyPrefix::of(job.item_id());
        self.staging.abort_uploads(&prefix).await?;
        self.staging.delete_all(&prefix).await?;
        Ok(())
    }

    /// Deletes the tar, unless another upload has taken its place: then says so.
    async fn delete_tar(&self, job: &Job) -> Result<Option<String>, JobError> {
        let item = &job.item;
        match upload::look(&self.receiving, item).await? {
            Upload::Replaced(newer) => return Ok(Some(upload::replaced_note(item, Some(&newer)))),
            Upload::Gone => return Ok(None),
            Upload::Same(_) => {}
        }
        let (bucket, key) = upload::place_of(item)?;
        match self.receiving.bucket(bucket).delete(&key, &item.etag).await {
            Ok(_) => Ok(None),
            // Replaced since we looked: the newer upload is an item of its own.
            Err(StorageError::Superseded { .. }) => Ok(Some(upload::replaced_note(item, None))),
            Err(error) => Err(error.into()),
        }
    }
}
