//! Obeys the intended ending: cleans up after an item and gives it its last status.
//!
//! Stage Cleanup, the last. The intended ending is read from the registry, never from work
//! records. For Success it first makes sure that the registry holds everything Record wrote;
//! only then are staging and, last, the tar deleted. A failed or cancelled item's tar stays.
//!
//! Order: staging, tar, final status, work records (by the run loop). Idempotent from any point
//! between them: what is gone stays gone, and a tar that was put again meanwhile is another upload,
//! which stays, also when its bytes are the same. Each try of a delete needs the lease.
//!
//! It cannot touch preservation storage.

use async_trait::async_trait;
use muniment_model::registry::{Recorded, WorkItem};
use muniment_model::{
    KeyPrefix, ObjectIdentifier, ObjectKey, ObjectRecord, QueueName, Saved, Status, bag_name_of,
};
use muniment_objects::{
    Deletion, ReceivingBuckets, ReceivingSettings, RecordsBucket, RecordsSettings, StagingBucket,
    StagingSettings, StorageError,
};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{Completed, Final, Job, JobError, Services, StartError, Worker};

use crate::index;
use crate::ingest_recorder::deposit_record::key_of;
use crate::upload::{self, Upload};

/// What an operator reads when an item is to fail past the point of no return.
const FAILED_BUT_STORED: &str = "the item is to fail, but copies of its files are in preservation \
    storage already. Nothing was cleaned. Requeue the item at Validate, or cancel it.";

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    records: RecordsSettings,
}

pub struct IngestCleanup {
    registry: RegistryClient,
    receiving: ReceivingBuckets,
    staging: StagingBucket,
    records: RecordsBucket,
}

#[async_trait]
impl Worker for IngestCleanup {
    const QUEUE: QueueName = QueueName::IngestCleanup;
    const ABOUT: &'static str = "Obeys the intended ending: cleans up and ends the item";
    type Subject = WorkItem;
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            registry: services.registry.clone(),
            receiving: settings.receiving.connect(&services.s3),
            staging: settings.staging.connect(&services.s3),
            records: settings.records.connect(&services.s3),
        })
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        match job.item().intended_status {
            Some(Status::Success) => self.clean_after_success(job).await,
            Some(status @ (Status::Failed | Status::Cancelled)) => {
                // A bag cannot fail once copies of it are made; only an operator can give it up.
                if status == Status::Failed
                    && index::has_begun_storing(&self.staging, job.item_id()).await?
                {
                    return Err(JobError::halt(FAILED_BUT_STORED));
                }
                self.abort_record_uploads(job).await?;
                self.clean_staging(job).await?;
                // The note that came with the intended ending stays: it says why.
                Ok(ended(job, status, None, 0))
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

fn ended(job: &Job, status: Status, note: Option<String>, object_id: i64) -> Completed {
    Completed::Subject(Final {
        status,
        outcome: job.item().pipeline().outcome_of(status).to_owned(),
        note,
        object_id,
    })
}

/// What the registry holds of the item, if that is not what Record wrote.
fn difference(recorded: Recorded, saved: Saved) -> Option<String> {
    let files = u64::try_from(recorded.files).unwrap_or_default();
    let copies = u64::try_from(recorded.storage_records).unwrap_or_default();
    ((files, copies) != (saved.files, saved.copies)).then(|| {
        format!(
            "the registry holds {files} files and {copies} copies of this item, {} and {} were \
             recorded. Nothing was cleaned. Requeue the item at Record.",
            saved.files, saved.copies
        )
    })
}

/// Where the item's deposit record is, or would be.
fn record_key(item: &WorkItem) -> Result<ObjectKey, JobError> {
    let bag_name = bag_name_of(&item.name).unwrap_or(&item.name);
    let identifier = ObjectIdentifier::new(&item.institution_identifier, bag_name);
    key_of(&identifier, item.id)
}

/// A delete may be tried again only while the lease is held.
fn permitted(deletion: Deletion) -> Result<(), JobError> {
    match deletion {
        Deletion::Deleted | Deletion::Gone => Ok(()),
        Deletion::Forbidden => Err(JobError::LeaseLost),
    }
}

/// So that Record records everything again when an operator says so.
async fn forget_recording(job: &Job, object: Option<ObjectRecord>) -> Result<(), JobError> {
    job.clear_done(&[QueueName::IngestRecorder]).await?;
    if let Some(mut object) = object {
        object.recorded_id = None;
        object.saved = None;
        job.save_object(&object).await?;
    }
    Ok(())
}

impl IngestCleanup {
    async fn clean_after_success(&self, job: &Job) -> Result<Completed, JobError> {
        let object_id = self.require_recorded(job).await?;
        self.abort_record_uploads(job).await?;
        self.clean_staging(job).await?;
        let mut note = Self::QUEUE.step().note.to_owned();
        if let Some(newer) = self.delete_tar(job).await? {
            note = format!("{note} {newer}.");
        }
        Ok(ended(job, Status::Success, Some(note), object_id))
    }

    /// Makes sure that nothing the bag held depends on what is deleted next.
    async fn require_recorded(&self, job: &Job) -> Result<i64, JobError> {
        let recorded = self.registry.recorded(job.item_id()).await?;
        let object_id = recorded.intellectual_object_id;
        let object = job.find_object().await?;
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
        if let Some(difference) = difference(recorded, saved) {
            forget_recording(job, object).await?;
            return Err(JobError::halt(difference));
        }
        Ok(object_id)
    }

    /// Where the work records are lost there is nothing to count with. The deposit record is the
    /// last thing that Record writes: if it is there, so is everything else.
    async fn require_deposit_record(&self, job: &Job) -> Result<(), JobError> {
        match self.records.head(&record_key(job.item())?).await {
            Ok(_) => Ok(()),
            Err(StorageError::NotFound { .. }) => Err(JobError::RecordsLost),
            Err(error) => Err(error.into()),
        }
    }

    /// Aborts what a killed recorder left open. An item whose name makes no key has no record.
    async fn abort_record_uploads(&self, job: &Job) -> Result<(), JobError> {
        let Ok(key) = record_key(job.item()) else {
            return Ok(());
        };
        job.require_lease()?;
        self.records.abort_uploads(&key).await?;
        Ok(())
    }

    async fn clean_staging(&self, job: &Job) -> Result<(), JobError> {
        let prefix = KeyPrefix::of(job.item_id());
        job.require_lease()?;
        self.staging.abort_uploads(&prefix).await?;
        let mut listing = self.staging.list(&prefix);
        while let Some(page) = listing.next_page().await? {
            let may_delete = || job.require_lease().is_ok();
            permitted(self.staging.delete(&page, may_delete).await?)?;
        }
        Ok(())
    }

    /// Deletes the tar, unless another upload has taken its place: then says so.
    async fn delete_tar(&self, job: &Job) -> Result<Option<String>, JobError> {
        let item = job.item();
        let looked_at = match upload::look(&self.receiving, item).await? {
            Upload::Replaced(newer) => return Ok(Some(upload::replaced_note(item, Some(&newer)))),
            Upload::Gone => return Ok(None),
            Upload::Same(head) => head,
        };
        let (bucket, key) = upload::place_of(item)?;
        let receiving = self.receiving.bucket(bucket);
        let may_delete = || job.require_lease().is_ok();
        match receiving.delete(&key, &looked_at, may_delete).await {
            Ok(deletion) => permitted(deletion).map(|()| None),
            // Replaced since we looked: the newer upload is an item of its own.
            Err(StorageError::Superseded { .. }) => Ok(Some(upload::replaced_note(item, None))),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
