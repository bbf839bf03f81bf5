//! Takes the object's lock, and compares the bag with what the registry holds of the object.
//!
//! Stage Reingest Check, after Validate: the last stage of the ones that may still end any way.
//! From here to its end this is the one open work item of its object. Files whose bytes the
//! registry knows are marked unchanged and neither stored nor recorded again, if each of their
//! copies answers; a changed file will take a new key. An object keeps its storage option for as
//! long as it is active.
//!
//! Idempotent: it only asks, and the lock is the same when taken twice. What an earlier
//! attempt of this very item recorded is recognised, the object by its work item and files by
//! their derived uuids, and not taken for an older version.
//!
//! It halts where the settings of a storage option are missing, or make URLs that the registry refuses:
//! this is the last step before files are stored.

use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::{BATCH_MAX, GenericFile, RecordState, WorkItem};
use muniment_model::{
    Algorithm, BatchNumber, Digests, FileRecord, FindingCode, Findings, Namespace, ObjectKey,
    ObjectRecord, QueueName, RegisteredFile, RegisteredObject, Stamp, StorageOption,
};
use muniment_objects::{PreservationBuckets, PreservationSettings};
use muniment_registry_client::{LockAnswer, RegistryClient};
use muniment_runtime::{Completed, Job, JobError, Services, StartError, Worker};
use tracing::info;
use uuid::Uuid;

use crate::rows::check::require_urls;

mod copies;

/// How long an item waits before it asks for the lock again.
const LOCK_DELAY: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    preservation: PreservationSettings,
}

pub struct ReingestManager {
    registry: RegistryClient,
    preservation: PreservationBuckets,
    namespace: Namespace,
}

#[async_trait]
impl Worker for ReingestManager {
    const QUEUE: QueueName = QueueName::ReingestManager;
    const ABOUT: &'static str =
        "Takes the object's lock and compares the bag with what is recorded";
    type Subject = WorkItem;
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            registry: services.registry.clone(),
            preservation: settings.preservation.connect(&services.s3)?,
            namespace: services.registry.installation().await?.namespace,
        })
    }

    async fn may_begin(&self, job: &Job) -> Result<(), JobError> {
        self.take_lock(job, &job.object().await?).await
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        let mut object = job.object().await?;
        if let Some(registered) = self.registered(job.item(), &mut object).await? {
            let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
            let found = self.compare(job, &object, &registered, batches).await?;
            info!(work_item = %job.item_id(), object = %object.identifier,
                unchanged = found.unchanged, changed = found.changed, new = found.new,
                "the bag was compared with what is recorded of the object");
        }
        require_urls(self.urls_to_be(&object)?)?;
        object.stamp = Stamp::ReingestChecked;
        job.save_object(&object).await?;
        Ok(Completed::step())
    }
}

impl ReingestManager {
    /// What the URLs of a file's copies will look like: they differ in the uuid.
    fn urls_to_be(&self, object: &ObjectRecord) -> Result<Vec<String>, JobError> {
        let key = ObjectKey::from(Uuid::nil());
        let targets = object.storage_option().targets().iter();
        let urls = targets.map(|target| Ok(self.preservation.url(*target, &key)?));
        urls.collect()
    }

    async fn take_lock(&self, job: &Job, object: &ObjectRecord) -> Result<(), JobError> {
        let answer = self
            .registry
            .take_lock(job.item_id(), &object.identifier)
            .await?;
        match answer {
            LockAnswer::Taken => Ok(()),
            LockAnswer::HeldBy(holder) => Err(JobError::Wait {
                note: format!(
                    "Waiting for work item {holder}, which is working on {}",
                    object.identifier
                ),
                after: LOCK_DELAY,
            }),
        }
    }

    /// The object as the registry has it; `None` when it has none yet.
    async fn registered(
        &self,
        item: &WorkItem,
        object: &mut ObjectRecord,
    ) -> Result<Option<RegisteredObject>, JobError> {
        let Some(found) = self.registry.object(&object.identifier).await? else {
            object.registered = None;
            return Ok(None);
        };
        // Recorded, with its events, by an attempt of this item whose records were lost.
        if found.work_item_id == item.id {
            object.recorded_id = Some(found.id);
        }
        let chosen = object
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.storage_option);
        let registered = RegisteredObject {
            id: found.id,
            storage_option: if found.state == RecordState::Active {
                found.storage_option
            } else {
                chosen.unwrap_or(found.storage_option)
            },
        };
        if let Some(chosen) = chosen
            && chosen != registered.storage_option
        {
            warn_of_forced_option(&mut object.findings, registered.storage_option, chosen);
        }
        object.registered = Some(registered.clone());
        Ok(Some(registered))
    }

    /// Marks the files of every batch; two batches to a question.
    async fn compare(
        &self,
        job: &Job,
        object: &ObjectRecord,
        registered: &RegisteredObject,
        batches: u32,
    ) -> Result<Compared, JobError> {
        let per_call = u32::try_from(BATCH_MAX / muniment_work::BATCH_FILES_MAX).unwrap_or(1);
        let mut compared = Compared::default();
        let mut first = 0;
        while first < batches {
            job.may_stop()?;
            let end = batches.min(first + per_call);
            let mut held = Vec::new();
            for number in first..end {
                let batch = BatchNumber(number);
                held.push((batch, job.files(batch).await?));
            }
            let identifiers: Vec<String> = held
                .iter()
                .flat_map(|(_, files)| files)
                .filter(|file| file.kind.is_preserved() && !file.repeated)
                .map(|file| object.identifier.file(&file.path))
                .collect();
            let known = self
                .registry
                .lookup_files(registered.id, &identifiers)
                .await?;
            for (batch, files) in &mut held {
                for file in files.iter_mut() {
                    self.mark(job, object, file, &known);
                }
                copies::require_copies(&self.preservation, job, object, files).await?;
                compared.add(files);
                job.save_batch(*batch, files).await?;
            }
            first = end;
        }
        Ok(compared)
    }

    fn mark(&self, job: &Job, object: &ObjectRecord, file: &mut FileRecord, known: &[GenericFile]) {
        let identifier = object.identifier.file(&file.path);
        let row = known.iter().find(|row| row.identifier == identifier);
        file.registered = match (row, &file.digests) {
            (Some(row), Some(digests)) if file.kind.is_preserved() && !file.repeated => {
                let ours = file.uuid(self.namespace, job.item_id());
                if ours == Some(row.uuid) {
                    of_earlier_attempt(row)
                } else {
                    Some(of_older_version(row, digests))
                }
            }
            _ => None,
        };
    }
}

/// Once: the step may be done again, on findings that have the warning already or are made anew.
fn warn_of_forced_option(findings: &mut Findings, kept: StorageOption, chosen: StorageOption) {
    const CODE: FindingCode = FindingCode::StorageOptionForced;
    if findings.iter().all(|finding| finding.code != CODE) {
        findings.warning(
            CODE,
            "",
            format_args!("The object is stored as {kept} and stays so; {chosen} is not applied"),
        );
    }
}

/// How many of the files that a bag has to preserve are what the registry knows of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    unchanged: u64,
    changed: u64,
    new: u64,
}

impl Compared {
    fn add(&mut self, files: &[FileRecord]) {
        let preserved = files
            .iter()
            .filter(|file| file.kind.is_preserved() && !file.repeated);
        for file in preserved {
            let count = match &file.registered {
                Some(known) if known.unchanged => &mut self.unchanged,
                Some(_) => &mut self.changed,
                None => &mut self.new,
            };
            *count += 1;
        }
    }
}

/// What a row that an earlier attempt of this very item wrote means: nothing, unless it replaced an
/// older version.
fn of_earlier_attempt(row: &GenericFile) -> Option<RegisteredFile> {
    let replaced = row
        .storage_records
        .iter()
        .any(|copy| copy.superseded_at.is_some());
    replaced.then_some(RegisteredFile {
        id: row.id,
        uuid: row.uuid,
        unchanged: false,
    })
}

fn of_older_version(row: &GenericFile, digests: &Digests) -> RegisteredFile {
    RegisteredFile {
        id: row.id,
        uuid: row.uuid,
        unchanged: row.state == RecordState::Active && has_same_bytes(row, digests),
    }
}

/// Compares by the strongest digest that the registry has of the bytes the file has now. Those of former
/// versions do not count, whatever their dates: bytes may go from one to another and back.
fn has_same_bytes(row: &GenericFile, digests: &Digests) -> bool {
    let strongest_first = [
        Algorithm::Sha512,
        Algorithm::Sha256,
        Algorithm::Md5,
        Algorithm::Sha1,
    ];
    for algorithm in strongest_first {
        let present = row.checksums.iter().find(|checksum| {
            checksum.algorithm == algorithm
                && checksum.version == Some(row.uuid)
                && checksum.superseded_at.is_none()
        });
        if let Some(checksum) = present {
            return checksum.digest == digests.hex(algorithm);
        }
    }
    false
}

#[cfg(test)]
mod tests;
