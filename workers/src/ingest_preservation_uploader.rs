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
//! A staged file that is gone, or has other bytes than pass one staged, is never copied: it is removed,
//! and the item goes back to have it staged again. Every copy is ordered on the condition that its
//! source still has the etag that was recorded when it was staged, because a store that copies by itself
//! would leave the wrong bytes under a key that nothing can overwrite. When that fails, or a copy does not
//! have our checksum, what is staged is looked at, etag and bytes. Only of files whose etag is not recorded,
//! by an older version or for a store that names none, the head is asked for before the first copy.
//!
//! It cannot delete or overwrite anything in preservation storage.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use muniment_formats::UNKNOWN_MEDIA_TYPE;
use muniment_model::{
    Clock, Digests, FileRecord, Namespace, ObjectKey, ObjectRecord, QueueName, Stage,
    StorageTarget, StoredCopy,
};
use muniment_objects::{
    CopyOrder, PreservationBuckets, PreservationSettings, ReceivingBuckets, ReceivingSettings,
    StagingBucket, StagingSettings, StorageError, user_metadata,
};
use muniment_runtime::{BatchWorker, Batches, Job, JobError, Services, StartError};

use crate::index::{self, Return};
use crate::staged::{STAGING_UNSTABLE, StagedFault, StagedFile};
use crate::{side_by_side, unless_stopped, upload};

/// Files of one batch that are copied at a time. Server-side copies cost us nothing but requests, and a
/// distant store takes tens of milliseconds for each; streamed ones are bounded by the S3 layer.
const AT_A_TIME: usize = 64;

/// How often an item goes back to have changed files staged again. Several batches may find some of
/// them at a time, and each of them counts.
const RESTAGINGS_MAX: u32 = 10;

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
        self.require_staged(job, targets, files, Look::AtHead)
            .await?;
        let copies = files
            .iter_mut()
            .map(|file| self.store(job, object, targets, file).boxed());
        let Err(unstored) = side_by_side(copies.collect(), AT_A_TIME).await else {
            return Ok(());
        };
        // The copies that were under way are dropped, wherever they were.
        self.preservation.abort_left_open().await;
        let error = match unstored {
            Unstored::Suspect(error) => {
                self.require_staged(job, targets, files, Look::AtBytes)
                    .await?;
                error
            }
            Unstored::Job(error) => error,
        };
        if matches!(error, JobError::Halt { .. }) {
            // So that Copy To Staging looks at every batch again when an operator says so.
            job.clear_done(&[QueueName::IngestStagingUploader]).await?;
        }
        Err(error)
    }
}

/// How closely a staged file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Its size, and its checksum where the store reports one; only of a file without a recorded
    /// etag, whose copies have no condition.
    AtHead,
    AtBytes,
}

/// Why a file was not stored.
#[derive(Debug)]
enum Unstored {
    /// What is staged may be to blame.
    Suspect(JobError),
    Job(JobError),
}

impl From<JobError> for Unstored {
    fn from(error: JobError) -> Self {
        Self::Job(error)
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
    ) -> Result<(), Unstored> {
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
            let stored = async {
                let stored = self.preservation.store(*target, &self.staging, &order);
                stored.await.map_err(|error| explain(error, &file.path))
            };
            let method = unless_stopped(job, stored).await?;
            file.copies.push(StoredCopy {
                target: *target,
                stored_at: self.clock.now(),
                verified_at: None,
                verification_method: Some(method),
            });
        }
        Ok(())
    }

    /// Removes what is not as pass one staged it, of the files that lack a copy, and sends the item
    /// back to have it staged again.
    async fn require_staged(
        &self,
        job: &Job,
        targets: &[StorageTarget],
        files: &[FileRecord],
        look: Look,
    ) -> Result<(), JobError> {
        let changed = Mutex::new(Vec::new());
        let looks = files
            .iter()
            .filter(|file| lacks_copies(file, targets))
            .filter(|file| look == Look::AtBytes || file.staged_etag.is_none())
            .map(|file| self.look_at(job, file, look, &changed).boxed());
        side_by_side(looks.collect(), AT_A_TIME).await?;
        let changed = changed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if changed.is_empty() {
            return Ok(());
        }
        for key in &changed {
            job.require_lease()?;
            self.staging.remove(key).await?;
        }
        Err(self.back_to_staging(job).await?)
    }

    async fn look_at(
        &self,
        job: &Job,
        file: &FileRecord,
        look: Look,
        changed: &Mutex<Vec<ObjectKey>>,
    ) -> Result<(), JobError> {
        job.may_stop()?;
        let key = self.namespace.staging_key(job.item_id(), file.tar_offset);
        if !self.is_staged(job, &key, file, look).await? {
            changed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(key);
        }
        Ok(())
    }

    /// Its etag is asked for first: a copy is made of no other, whatever the bytes, and of an empty file
    /// nothing is read.
    async fn is_staged(
        &self,
        job: &Job,
        key: &ObjectKey,
        file: &FileRecord,
        look: Look,
    ) -> Result<bool, JobError> {
        let expected = file.digests.map(|digests| digests.crc64nvme);
        match (self.staging.head(key).await, &file.staged_etag) {
            (Ok(head), Some(etag)) if *etag != head.etag => return Ok(false),
            (Ok(head), _) if look == Look::AtHead => {
                return Ok(head.size == file.size
                    && (head.crc64nvme.is_none() || head.crc64nvme == expected));
            }
            (Ok(_), _) => {}
            (Err(StorageError::NotFound(_)), _) => return Ok(false),
            (Err(error), _) => return Err(error.into()),
        }
        let mut bytes = StagedFile::open(&self.staging, key, file.size, expected);
        loop {
            job.may_stop()?;
            match bytes.next().await {
                Ok(Some(_block)) => {}
                Ok(None) => return Ok(true),
                Err(StagedFault::Changed) => return Ok(false),
                Err(StagedFault::Unanswered(error)) => return Err(error.into()),
            }
        }
    }

    async fn back_to_staging(&self, job: &Job) -> Result<JobError, JobError> {
        let to = Return::ToCopyToStaging;
        job.clear_done(&[QueueName::IngestStagingUploader]).await?;
        let returns = index::count_return(&self.staging, job.item_id(), to).await?;
        if returns >= RESTAGINGS_MAX {
            index::forget_returns(&self.staging, job.item_id(), to).await?;
            return Ok(JobError::halt(STAGING_UNSTABLE));
        }
        Ok(JobError::GoBack {
            stage: Stage::CopyToStaging,
            note: "A file changed in our staging bucket; it is staged again".to_owned(),
        })
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
            etag: file.staged_etag.clone(),
            to: ObjectKey::from(uuid),
            size: file.size,
            crc64nvme: digests.crc64nvme,
            content_type: content_type.to_owned(),
            metadata,
        })
    }
}

fn lacks_copies(file: &FileRecord, targets: &[StorageTarget]) -> bool {
    let has = |target: &StorageTarget| file.copies.iter().any(|copy| copy.target == *target);
    file.needs_saving() && file.digests.is_some() && !targets.iter().all(has)
}

/// What a failed copy means at this stage.
fn explain(error: StorageError, path: &str) -> Unstored {
    if matches!(error, StorageError::AlreadyThere { .. }) {
        return Unstored::Job(JobError::halt(format!(
            "preservation storage holds other bytes under the key of {path}. Nothing was \
             overwritten; find out who wrote that object."
        )));
    }
    if let StorageError::NotFound(_) | StorageError::Superseded(_) = error {
        return Unstored::Suspect(JobError::retry(error));
    }
    if matches!(
        error,
        StorageError::DamagedOnTheWay { .. } | StorageError::WrongSize { .. }
    ) {
        return Unstored::Suspect(error.into());
    }
    Unstored::Job(error.into())
}

#[cfg(test)]
mod tests;
