//! Copies every file to each preservation bucket that its storage option names.
//!
//! Stage Store: the point of no return. Before the first copy, the upload is looked at once more,
//! and a replaced one ends here; after it, the item ends in Success or at an operator.
//!
//! Idempotent. A preservation key is derived from item, path and sha256, and is written only
//! where there is nothing (`If-None-Match: *`); an object that is already there and has our checksum
//! is this very copy. A multipart upload that a fault or a stop left open is aborted at the end of the
//! job, and that of a killed worker before the next one to its key. The records of a batch are saved
//! with the copies that were made, also after a fault; a copy that was made and not recorded is found
//! when it is made again.
//!
//! It cannot delete or overwrite anything in preservation storage.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use muniment_formats::UNKNOWN_MEDIA_TYPE;
use muniment_model::{
    Clock, Digests, FileRecord, Namespace, ObjectKey, ObjectRecord, QueueName, StorageTarget,
    StoredCopy,
};
use muniment_objects::{
    CopyOrder, PreservationBuckets, PreservationSettings, ReceivingBuckets, ReceivingSettings,
    StagingBucket, StagingSettings, StorageError, user_metadata,
};
use muniment_runtime::{BatchWorker, Batches, Job, JobError, Services, StartError};

use crate::{index, side_by_side, upload};

/// Files of one batch that are copied at a time. Server-side copies cost us nothing but requests;
/// streamed ones are bounded by the S3 layer.
const AT_A_TIME: usize = 16;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    preservation: PreservationSettings,
}

pub struct IngestPreservationUploader {
    receiving: ReceivingBuckets,
    staging: StagingBucket,
    preservation: PreservationBuckets,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl BatchWorker for IngestPreservationUploader {
    const QUEUE: QueueName = QueueName::IngestPreservationUploader;
    const ABOUT: &'static str =
        "Copies every file to the preservation buckets of its storage option";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            receiving: settings.receiving.connect(&services.s3),
            staging: settings.staging.connect(&services.s3),
            preservation: settings.preservation.connect(&services.s3)?,
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        })
    }

    async fn prepare(&self, job: &Job, object: &mut ObjectRecord) -> Result<Batches, JobError> {
        if object.metadata.is_none() {
            return Err(JobError::RecordsLost);
        }
        if object.storing_since.is_none() {
            if !index::has_begun_storing(&self.staging, job.item_id()).await? {
                upload::require_same(&self.receiving, job.item()).await?;
                index::begin_storing(&self.staging, job.item_id()).await?;
            }
            object.storing_since = Some(self.clock.now());
        }
        Ok(Batches::All)
    }

    async fn run_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError> {
        let targets = object.storage_option().targets();
        let files = files
            .iter_mut()
            .map(|file| self.store(job, object, targets, file).boxed());
        let stored = side_by_side(files.collect(), AT_A_TIME).await;
        if stored.is_err() {
            // The copies that were under way are dropped, wherever they were.
            self.preservation.abort_left_open().await;
        }
        if matches!(stored, Err(JobError::Halt { .. })) {
            // So that Copy To Staging looks at every batch again when an operator says so.
            job.clear_done(&[QueueName::IngestStagingUploader]).await?;
        }
        stored
    }
}

impl IngestPreservationUploader {
    /// Makes the copies of one file that are not there yet.
    async fn store(
        &self,
        job: &Job,
        object: &ObjectRecord,
        targets: &[StorageTarget],
        file: &mut FileRecord,
    ) -> Result<(), JobError> {
        let Some(digests) = file.digests.filter(|_| file.needs_saving()) else {
            return Ok(());
        };
        let order = self.order(job, object, file, &digests)?;
        // Of an option that the object turned out not to have. Nobody counts on that copy.
        file.copies.retain(|copy| targets.contains(&copy.target));
        for target in targets {
            if file.copies.iter().any(|copy| copy.target == *target) {
                continue;
            }
            job.may_stop()?;
            let method = self
                .preservation
                .store(*target, &self.staging, &order)
                .await
                .map_err(|error| explain(error, &file.path))?;
            file.copies.push(StoredCopy {
                target: *target,
                stored_at: self.clock.now(),
                verified_at: None,
                verification_method: Some(method),
            });
        }
        Ok(())
    }

    fn order(
        &self,
        job: &Job,
        object: &ObjectRecord,
        file: &FileRecord,
        digests: &Digests,
    ) -> Result<CopyOrder, JobError> {
        let item = job.item_id();
        let uuid = file
            .uuid(self.namespace, item)
            .ok_or(JobError::RecordsLost)?;
        let content_type = file
            .format
            .as_ref()
            .map_or(UNKNOWN_MEDIA_TYPE, |format| format.media_type.as_str());
        let metadata = user_metadata(&object.institution, &object.identifier, &file.path, digests)
            .map_err(|fault| {
                JobError::halt(format!(
                    "S3 cannot carry the metadata of {}: {fault}",
                    file.path
                ))
            })?;
        Ok(CopyOrder {
            from: self.namespace.staging_key(item, file.tar_offset),
            to: ObjectKey::from(uuid),
            size: file.size,
            crc64nvme: digests.crc64nvme,
            content_type: content_type.to_owned(),
            metadata,
        })
    }
}

/// What a failed copy means at this stage.
fn explain(error: StorageError, path: &str) -> JobError {
    if matches!(error, StorageError::NotFound { .. }) {
        // Staging was complete two stages ago: this is loss, and asking again would hide it.
        return JobError::halt(format!(
            "{path} is no longer in staging. Requeue the item at Copy To Staging to stage it again."
        ));
    }
    if matches!(error, StorageError::AlreadyThere { .. }) {
        return JobError::halt(format!(
            "preservation storage holds other bytes under the key of {path}. Nothing was \
             overwritten; find out who wrote that object."
        ));
    }
    error.into()
}

#[cfg(test)]
mod tests;
