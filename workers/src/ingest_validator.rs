//! Holds the bag to BagIt and to its profile.
//!
//! Stage Validate, after pass one. Reads the manifests and the tag files from staging, joins the
//! manifests' lines with the file records, and collects every finding; payload bytes are not read
//! again. A bag with errors is rejected with all of them. Of a bag without, the registry's rows are made and
//! checked, so that nothing is stored that cannot be recorded.
//!
//! Idempotent: it reads, and writes the same findings and metadata again. When the work store
//! was lost it first makes the records again from the index. A bag that seems wrong although the
//! store had no checksum of the tar to compare our reading with is read a second time first, and so
//! is one whose manifests are not in staging as pass one staged them.
//!
//! It never reads the receiving bucket.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use muniment_bagit::validate::{
    BagCheck, BagFacts, FileFacts, JoinKey, Placed, Serialization, Verdict, Want, WantedFile,
    WantedMembers,
};
use muniment_model::registry::WorkItem;
use muniment_model::{
    BatchNumber, Clock, Crc64Nvme, FileRecord, Findings, Namespace, ObjectRecord, QueueName,
    ReadVerdict, Received, Said, Stage, Stamp,
};
use muniment_objects::{StagingBucket, StagingSettings};
use muniment_runtime::{Completed, Job, JobError, Services, StartError, Worker};
use uuid::Uuid;

use crate::index::Return;
use crate::ingest_pre_fetch::UNSTABLE;
use crate::rows::check::RowCheck;
use crate::staged::{STAGING_UNSTABLE, StagedFault, StagedFile};
use crate::{index, upload};

/// The steps after this one that keep account of their batches.
const LATER_IN_BATCHES: [QueueName; 4] = [
    QueueName::IngestStagingUploader,
    QueueName::IngestPreservationUploader,
    QueueName::IngestPreservationVerifier,
    QueueName::IngestRecorder,
];

/// How often one item may come back to be validated again. Losing a work store is a rare accident,
/// also when it happens twice in one ingest.
const RETURNS_MAX: u32 = 10;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    staging: StagingSettings,
}

pub struct IngestValidator {
    staging: StagingBucket,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Worker for IngestValidator {
    const QUEUE: QueueName = QueueName::IngestValidator;
    const ABOUT: &'static str = "Checks each bag against BagIt and its profile";
    type Subject = WorkItem;
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            staging: settings.staging.connect(&services.s3),
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        })
    }

    async fn run(&self, job: &Job) -> Result<Completed, JobError> {
        let mut object = self.load_or_rebuild(job).await?;
        if object.stamp > Stamp::Received {
            self.count_return(job).await?;
            object.stamp = Stamp::Received;
            object.metadata = None;
            // What is left of the last validation goes, so that this return counts once, however
            // often its job is begun.
            job.save_object(&object).await?;
        }
        // Whatever later steps did for records that were lost since, they do again.
        job.clear_done(&LATER_IN_BATCHES).await?;
        let received = object.received.clone().ok_or(JobError::RecordsLost)?;
        let facts = BagFacts {
            bag_name: &object.bag_name,
            object: object.identifier.as_str(),
            serialization: Serialization::Tar,
            received: &received,
        };
        let key = JoinKey(Uuid::new_v4().into_bytes());
        let mut check = BagCheck::new(facts, None, key);
        match self.drive(job, &received, &mut check).await {
            Ok(()) => {}
            Err(Halted::StagedFileChanged) => return read_again(job, object).await,
            Err(Halted::Job(error)) => {
                if matches!(error, JobError::RecordsLost) {
                    forget_reading(job, &mut object).await?;
                }
                return Err(error);
            }
        }
        let Verdict {
            mut findings,
            metadata,
        } = check.finish();
        let accepted = ObjectRecord {
            stamp: Stamp::Validated,
            findings: findings.clone(),
            metadata,
            ..object.clone()
        };
        if findings.is_valid() {
            findings.append(self.check_rows(job, &accepted).await?);
        }
        if !findings.is_valid() {
            let judged = self.read_again_or_reject(job, object, findings).await;
            return match judged {
                Err(error) => Err(upload::unless_storing(&self.staging, job.item(), error).await),
                Ok(completed) => Ok(completed),
            };
        }
        job.save_object(&accepted).await?;
        Ok(Completed::step())
    }
}

impl IngestValidator {
    /// Whether the registry will take what Record will send: found now, while the bag can be refused.
    async fn check_rows(&self, job: &Job, object: &ObjectRecord) -> Result<Findings, JobError> {
        let mut check = RowCheck::new(self.namespace, object, self.clock.now());
        check.object()?;
        let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
        for number in (0..batches).map(BatchNumber) {
            job.may_stop()?;
            check.batch(&job.files(number).await?)?;
        }
        Ok(check.finish())
    }

    /// A depositor is not blamed for a bit that flipped on our way: where no checksum of the store
    /// confirms the reading of the tar, a second one must have read the same bytes.
    async fn read_again_or_reject(
        &self,
        job: &Job,
        mut object: ObjectRecord,
        findings: Findings,
    ) -> Result<Completed, JobError> {
        let received = object.received.as_ref().ok_or(JobError::RecordsLost)?;
        if received.confirmed {
            return Err(JobError::Reject(findings));
        }
        let verdict = object
            .unstable_reads
            .compare(Said::Whole(received.crc64nvme));
        if verdict == ReadVerdict::Believed {
            return Err(JobError::Reject(findings));
        }
        forget_reading(job, &mut object).await?;
        if verdict == ReadVerdict::Unstable {
            return Err(JobError::halt(UNSTABLE));
        }
        Ok(Completed::GoTo {
            stage: Stage::Receive,
            note: "The bag is read a second time, to be sure of what seems wrong with it"
                .to_owned(),
        })
    }

    /// An item that was validated before comes back when its records were lost or are older than
    /// its stage. That is repaired, but not for ever.
    async fn count_return(&self, job: &Job) -> Result<(), JobError> {
        let returns = index::count_return(&self.staging, job.item_id(), Return::ToValidate).await?;
        if returns < RETURNS_MAX {
            return Ok(());
        }
        index::forget_returns(&self.staging, job.item_id(), Return::ToValidate).await?;
        Err(JobError::halt(format!(
            "The work records were lost {returns} times since the bag was read. Find out what \
             removes them from the work store before you requeue the item."
        )))
    }

    async fn load_or_rebuild(&self, job: &Job) -> Result<ObjectRecord, JobError> {
        if let Some(object) = job.find_object().await? {
            return Ok(object);
        }
        let object = index::end(&self.staging, job.item_id())
            .await?
            .ok_or(JobError::RecordsLost)?;
        let batches = object.received.as_ref().map_or(0, |seen| seen.batches);
        for number in (0..batches).map(BatchNumber) {
            job.may_stop()?;
            let files = index::batch(&self.staging, job.item_id(), number)
                .await?
                .ok_or(JobError::RecordsLost)?;
            job.save_batch(number, &files).await?;
        }
        // Counted when all has been made again: a worker that is killed on the way lost nothing.
        self.count_return(job).await?;
        // Last: its presence means that all batches are there.
        job.save_object(&object).await?;
        Ok(object)
    }

    /// Gives the check all that it wants.
    async fn drive(
        &self,
        job: &Job,
        received: &Received,
        check: &mut BagCheck<'_>,
    ) -> Result<(), Halted> {
        while let Some(want) = check.next_want() {
            match want {
                Want::File(file) => self.read(job, received, file).await?,
                Want::Members(mut members) => {
                    let mut files = 0;
                    for number in (0..received.batches).map(BatchNumber) {
                        job.may_stop()?;
                        files += add_batch(job, number, &mut members).await?;
                    }
                    // Records of ours that are missing must not look like files missing from the
                    // bag.
                    if files != received.files {
                        return Err(Halted::Job(JobError::RecordsLost));
                    }
                }
            }
        }
        Ok(())
    }

    async fn read(
        &self,
        job: &Job,
        received: &Received,
        mut file: WantedFile<'_, '_>,
    ) -> Result<(), Halted> {
        let Some(place) = staged(received, file.path()) else {
            file.pass_over();
            return Ok(());
        };
        let key = self.namespace.staging_key(job.item_id(), place.tar_offset);
        let mut bytes = StagedFile::open(&self.staging, &key, place.size, place.crc64nvme);
        while let Some(block) = bytes.next().await? {
            job.may_stop()?;
            file.push(&block);
        }
        Ok(())
    }
}

/// Why the check was not driven to its end.
enum Halted {
    /// A staged file is gone or not as pass one staged it.
    StagedFileChanged,
    Job(JobError),
}

impl From<JobError> for Halted {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<StagedFault> for Halted {
    fn from(fault: StagedFault) -> Self {
        match fault {
            StagedFault::Changed => Self::StagedFileChanged,
            StagedFault::Unanswered(error) => Self::Job(error.into()),
        }
    }
}

/// Where a manifest or tag file is, as pass one kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    tar_offset: u64,
    size: u64,
    crc64nvme: Option<Crc64Nvme>,
}

/// No profile that the check chooses here wants another file.
fn staged(received: &Received, path: &str) -> Option<Place> {
    let manifests = received.manifests.iter();
    let manifests = manifests.map(|file| (&file.path, file.tar_offset, file.size, file.crc64nvme));
    let tag_files = received.tag_files.iter();
    let tag_files = tag_files.map(|file| (&file.path, file.tar_offset, file.size, file.crc64nvme));
    let (_, tar_offset, size, crc64nvme) = manifests
        .chain(tag_files)
        .find(|(known, ..)| *known == path)?;
    Some(Place {
        tar_offset,
        size,
        crc64nvme,
    })
}

/// The tar is read again from its beginning: whatever changed one staged file may have changed more.
async fn read_again(job: &Job, mut object: ObjectRecord) -> Result<Completed, JobError> {
    let verdict = object.unstable_reads.count_wrong_bytes();
    forget_reading(job, &mut object).await?;
    if verdict == ReadVerdict::Unstable {
        return Err(JobError::halt(STAGING_UNSTABLE));
    }
    Ok(Completed::GoTo {
        stage: Stage::Receive,
        note: "A file changed in our staging bucket; the bag is read again".to_owned(),
    })
}

/// Makes pass one read the tar again: a record that says it is complete would be believed.
async fn forget_reading(job: &Job, object: &mut ObjectRecord) -> Result<(), JobError> {
    object.received = None;
    object.stamp = Stamp::Received;
    job.clear_records().await?;
    job.save_object(object).await
}

/// Adds the files of one batch, and marks those that repeat an earlier member. Answers how many
/// files the batch holds.
async fn add_batch(
    job: &Job,
    number: BatchNumber,
    members: &mut WantedMembers<'_>,
) -> Result<u64, JobError> {
    let mut files = job.files(number).await?;
    let mut repeated = BTreeSet::new();
    for file in &files {
        if add_file(file, members) == Placed::Repeated && !file.repeated {
            repeated.insert(file.tar_offset);
        }
    }
    let count = files.iter().filter(|file| file.digests.is_some()).count() as u64;
    if repeated.is_empty() {
        return Ok(count);
    }
    for file in &mut files {
        file.repeated |= repeated.contains(&file.tar_offset);
    }
    job.save_batch(number, &files).await?;
    Ok(count)
}

fn add_file(file: &FileRecord, members: &mut WantedMembers<'_>) -> Placed {
    let Some(digests) = &file.digests else {
        members.add_folder(&file.path);
        return Placed::Elsewhere;
    };
    members.add(&FileFacts {
        path: &file.path,
        kind: file.kind,
        tar_offset: file.tar_offset,
        digests,
    })
}

#[cfg(test)]
mod tests;
