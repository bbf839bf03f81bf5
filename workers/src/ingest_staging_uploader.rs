//! Stages what pass one left out or lost, by reading the member's range of the tar again.
//!
//! Stage Copy To Staging. One listing, compared with the records, tells whether anything is missing of
//! what later steps read; as a rule nothing is, and the planner advances the item. A stop gives up what is
//! under way. Unchanged files of a re-ingest are not missed: nothing reads them. Those that pass one took
//! for unchanged and Reingest Check did not are staged here.
//!
//! Idempotent: keys are derived from tar offsets, every byte is compared with the digest of
//! pass one before the store takes it, and what is there already is not read again.

use std::collections::HashSet;
use std::ops::Range;

use async_trait::async_trait;
use futures::FutureExt;
use muniment_model::{
    BatchNumber, Crc64Nvme, FileRecord, KeyPrefix, Namespace, ObjectKey, ObjectRecord, QueueName,
    Tar,
};
use muniment_objects::{
    Head, ReceivingBuckets, ReceivingSettings, StagingBucket, StagingSettings, StorageError,
};
use muniment_runtime::{BatchWorker, Batches, Job, JobError, Services, StartError};
use uuid::Uuid;

use crate::{RANGE_COPY_FROM_BYTES, side_by_side, unless_stopped, upload};

/// Files of one batch that are staged at a time; each streams through a few parts of memory.
const AT_A_TIME: usize = 4;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
}

pub struct IngestStagingUploader {
    receiving: ReceivingBuckets,
    staging: StagingBucket,
    namespace: Namespace,
}

#[async_trait]
impl BatchWorker for IngestStagingUploader {
    const QUEUE: QueueName = QueueName::IngestStagingUploader;
    const ABOUT: &'static str = "Stages again what is missing in the staging bucket";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            receiving: settings.receiving.connect(&services.s3),
            staging: settings.staging.connect(&services.s3),
            namespace: services.registry.installation().await?.namespace,
        })
    }

    async fn prepare(&self, job: &Job, object: &mut ObjectRecord) -> Result<Batches, JobError> {
        let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
        let staged = self.staged(job).await?;
        for batch in (0..received.batches).map(BatchNumber) {
            job.may_stop()?;
            let files = job.files(batch).await?;
            if files.iter().any(|file| self.is_missing(job, file, &staged)) {
                return Ok(Batches::All);
            }
        }
        Ok(Batches::None)
    }

    async fn run_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError> {
        let files = files
            .iter_mut()
            .map(|file| self.stage_again(job, object, file).boxed());
        side_by_side(files.collect(), AT_A_TIME).await
    }
}

impl IngestStagingUploader {
    /// The staged files, by the uuid in their keys: 16 bytes for each, as a bag may have a million.
    async fn staged(&self, job: &Job) -> Result<HashSet<Uuid>, JobError> {
        let prefix = KeyPrefix::of(job.item_id());
        let mut listing = self.staging.list(&prefix);
        let mut staged = HashSet::new();
        while let Some(page) = listing.next_page().await? {
            job.may_stop()?;
            staged.extend(
                page.iter()
                    .filter_map(|listed| uuid_in(&prefix, &listed.key)),
            );
        }
        Ok(staged)
    }

    fn is_missing(&self, job: &Job, file: &FileRecord, staged: &HashSet<Uuid>) -> bool {
        let item = job.item_id();
        let key = self.namespace.staging_key(item, file.tar_offset);
        let uuid = uuid_in(&KeyPrefix::of(item), key.as_str());
        file.needs_staging() && uuid.is_none_or(|uuid| !staged.contains(&uuid))
    }

    async fn stage_again(
        &self,
        job: &Job,
        object: &ObjectRecord,
        file: &mut FileRecord,
    ) -> Result<(), JobError> {
        job.may_stop()?;
        let Some(digests) = file.digests.filter(|_| file.needs_staging()) else {
            return Ok(());
        };
        let key = self.namespace.staging_key(job.item_id(), file.tar_offset);
        match self.staging.head(&key).await {
            Ok(head) if is_as_staged(&head, file) => {
                // An attempt before this one may have staged it, and ended before it was recorded.
                file.staged_etag = Some(head.etag).filter(|etag| !etag.is_empty());
                return Ok(());
            }
            Ok(_) | Err(StorageError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let range = file.data_offset..file.data_offset + file.size;
        let restaged = async {
            self.restage(job, &object.tar, range, (&key, digests.crc64nvme))
                .await
                .map_err(|error| upload::explain_read(job.item(), error))
        };
        match unless_stopped(job, restaged).await {
            Ok(etag) => {
                file.staged_etag = etag;
                Ok(())
            }
            Err(lost) => Err(upload::unless_storing(&self.staging, job.item(), lost).await),
        }
    }

    async fn restage(
        &self,
        job: &Job,
        tar: &Tar,
        range: Range<u64>,
        (key, crc): (&ObjectKey, Crc64Nvme),
    ) -> Result<Option<String>, StorageError> {
        let bucket = self.receiving.bucket(tar.bucket.clone());
        let size = range.end - range.start;
        if size >= RANGE_COPY_FROM_BYTES && self.staging.can_copy_from(&bucket) {
            return self.staging.copy_range(tar, range, key, crc).await;
        }
        let mut bytes = bucket.read_range(tar, range, job.stop());
        let mut writer = self.staging.writer(key);
        while let Some(frame) = bytes.next().await? {
            writer.write(frame).await?;
        }
        Ok(writer.finish(Some(crc)).await?.etag)
    }
}

/// By the store's checksum; where it has none, by the recorded etag.
fn is_as_staged(head: &Head, file: &FileRecord) -> bool {
    let expected = file.digests.map(|digests| digests.crc64nvme);
    let is_same = || {
        let recorded = file.staged_etag.as_ref();
        recorded.is_none_or(|etag| *etag == head.etag)
    };
    head.size == file.size
        && match head.crc64nvme {
            Some(found) => Some(found) == expected,
            None => is_same(),
        }
}

/// `None` for what is no staged file, such as the index.
fn uuid_in(prefix: &KeyPrefix, key: &str) -> Option<Uuid> {
    key.strip_prefix(prefix.as_str())?.parse().ok()
}
