//! Confirms by digest that every copy we stored is there.
//!
//! Stage Storage Validation, between Store and Record. Each copy's full-object checksum, as the
//! store has it, is compared with the one pass one computed; where a store keeps none, the copy is
//! read back. A copy that is missing or differs goes to an operator.
//!
//! Idempotent: it only reads, and a copy that is stamped is not asked about again. It cannot
//! change a preservation bucket.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use muniment_model::{
    Clock, Digests, FileRecord, Namespace, ObjectKey, ObjectRecord, QueueName, StorageTarget,
    StoredCopy, VerificationMethod,
};
use muniment_objects::{PreservationBuckets, PreservationSettings, StorageError};
use muniment_runtime::{BatchWorker, Batches, Job, JobError, Services, StartError};

use crate::side_by_side;

/// Questions to the preservation buckets at a time.
const AT_A_TIME: usize = 32;
/// Enough for an operator to see the pattern; more would only repeat it.
const FAULTS_SHOWN_MAX: usize = 30;

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    preservation: PreservationSettings,
}

pub struct IngestPreservationVerifier {
    preservation: PreservationBuckets,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl BatchWorker for IngestPreservationVerifier {
    const QUEUE: QueueName = QueueName::IngestPreservationVerifier;
    const ABOUT: &'static str = "Confirms by digest that every copy we stored is there";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        Ok(Self {
            preservation: settings.preservation.connect(&services.s3)?,
            namespace: services.registry.installation().await?.namespace,
            clock: services.clock(),
        })
    }

    async fn prepare(&self, _job: &Job, _object: &mut ObjectRecord) -> Result<Batches, JobError> {
        Ok(Batches::All)
    }

    async fn run_batch(
        &self,
        job: &Job,
        object: &ObjectRecord,
        files: &mut [FileRecord],
    ) -> Result<(), JobError> {
        let wanted = object.storage_option().targets();
        let faults = Mutex::new(Vec::new());
        let files = files
            .iter_mut()
            .map(|file| self.look_at(job, wanted, file, &faults).boxed());
        side_by_side(files.collect(), AT_A_TIME).await?;
        let faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !faults.is_empty() {
            // A lost copy was struck from its record; Store has to look at the batches again.
            job.clear_done(&[QueueName::IngestPreservationUploader])
                .await?;
        }
        or_halt(faults)
    }
}

impl IngestPreservationVerifier {
    /// Stamps the copies of `file` that match. What is wrong with the others goes to `faults`.
    async fn look_at(
        &self,
        job: &Job,
        wanted: &[StorageTarget],
        file: &mut FileRecord,
        faults: &Mutex<Vec<String>>,
    ) -> Result<(), JobError> {
        let Some(digests) = file.digests.filter(|_| file.needs_saving()) else {
            return Ok(());
        };
        if !prune(&mut file.copies, wanted) {
            // The record is older than the stage: the work store lost its last moments.
            return Err(JobError::RecordsLost);
        }
        let Some(uuid) = file.uuid(self.namespace, job.item_id()) else {
            return Ok(());
        };
        let key = ObjectKey::from(uuid);
        let (path, size) = (file.path.as_str(), file.size);
        let mut missing = Vec::new();
        for copy in &mut file.copies {
            if copy.verified_at.is_some() {
                continue;
            }
            job.may_stop()?;
            let fault = match self.verify(copy, &key, size, &digests).await? {
                Ok(method) => {
                    copy.verification_method = Some(method);
                    copy.verified_at = Some(self.clock.now());
                    continue;
                }
                Err(fault) => fault,
            };
            let target = copy.target;
            let told = match fault {
                CopyFault::Missing => {
                    missing.push(target);
                    format!("{target} has no copy of {path}, but one was stored")
                }
                CopyFault::Differs(what) => format!("the copy of {path} in {target} holds {what}"),
            };
            faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(told);
        }
        // Struck from the record, so that Store makes it again when an operator says so.
        file.copies.retain(|copy| !missing.contains(&copy.target));
        Ok(())
    }

    async fn verify(
        &self,
        copy: &StoredCopy,
        key: &ObjectKey,
        size: u64,
        digests: &Digests,
    ) -> Result<Result<VerificationMethod, CopyFault>, StorageError> {
        let found = match self.preservation.head(copy.target, key).await {
            Ok(found) => found,
            // The copy was made a whole stage ago, so "not there" is an answer, not a delay.
            // Asking again would hide a lost copy behind quiet retries.
            Err(StorageError::NotFound { .. }) => return Ok(Err(CopyFault::Missing)),
            Err(error) => return Err(error),
        };
        if found.size != size {
            let what = format!("{} bytes instead of {size}", found.size);
            return Ok(Err(CopyFault::Differs(what)));
        }
        let (held, method) = if let Some(crc) = found.crc64nvme {
            let carried = VerificationMethod::Carried;
            (crc, copy.verification_method.unwrap_or(carried))
        } else {
            let read = self.preservation.read_back(copy.target, key, size);
            (read.await?, VerificationMethod::ReadBack)
        };
        Ok(if held == digests.crc64nvme {
            Ok(method)
        } else {
            Err(CopyFault::Differs("other bytes".to_owned()))
        })
    }
}

/// Drops the record of a copy where none is wanted. Whether each wanted one has a record.
fn prune(copies: &mut Vec<StoredCopy>, wanted: &[StorageTarget]) -> bool {
    copies.retain(|copy| wanted.contains(&copy.target));
    let mut wanted = wanted.iter();
    wanted.all(|target| copies.iter().any(|copy| copy.target == *target))
}

/// What is wrong with a copy.
enum CopyFault {
    Missing,
    /// What it holds.
    Differs(String),
}

fn or_halt(mut faults: Vec<String>) -> Result<(), JobError> {
    if faults.is_empty() {
        return Ok(());
    }
    // Files are asked about concurrently; the note is the same every time.
    faults.sort();
    let more = faults.len().saturating_sub(FAULTS_SHOWN_MAX);
    faults.truncate(FAULTS_SHOWN_MAX);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    Err(JobError::halt(format!(
        "{}. Requeue the item at Store to make missing copies again.",
        faults.join("; ")
    )))
}

#[cfg(test)]
mod tests;
