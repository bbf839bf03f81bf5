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
    Clock, Digests, FileRecord, Namespace, ObjectKey, ObjectRecord, QueueName, StoredCopy,
    VerificationMethod,
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
        let wanted = object.storage_option().targets().len();
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
    /// Verifies one file; what is wrong with its copies goes to `faults`.
    async fn look_at(
        &self,
        job: &Job,
        wanted: usize,
        file: &mut FileRecord,
        faults: &Mutex<Vec<String>>,
    ) -> Result<(), JobError> {
        match self.verify(job, wanted, file).await {
            Ok(()) => Ok(()),
            Err(CopyFault::Unanswered(error)) => Err(error.into()),
            Err(CopyFault::Stopped) => Err(JobError::Stopped),
            // The record is older than the stage: the work store lost its last moments.
            Err(CopyFault::Unmade) => Err(JobError::RecordsLost),
            Err(fault @ (CopyFault::Missing { .. } | CopyFault::Differs { .. })) => {
                let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
                faults.push(fault.to_string());
                Ok(())
            }
        }
    }

    /// Stamps the copies of `file` that match, and stops at the first that does not.
    async fn verify(
        &self,
        job: &Job,
        wanted: usize,
        file: &mut FileRecord,
    ) -> Result<(), CopyFault> {
        let Some(digests) = file.digests.filter(|_| file.needs_saving()) else {
            return Ok(());
        };
        if file.copies.len() != wanted {
            return Err(CopyFault::Unmade);
        }
        let Some(uuid) = file.uuid(self.namespace, job.item_id()) else {
            return Ok(());
        };
        let key = ObjectKey::from(uuid);
        let (path, size) = (file.path.clone(), file.size);
        let mut lost = None;
        for copy in &mut file.copies {
            if copy.verified_at.is_some() {
                continue;
            }
            if job.may_stop().is_err() {
                return Err(CopyFault::Stopped);
            }
            match self.prove(copy, &key, &path, (size, &digests)).await {
                Ok(method) => {
                    copy.verification_method = Some(method);
                    copy.verified_at = Some(self.clock.now());
                }
                Err(CopyFault::Missing { path, target }) => {
                    lost = Some(CopyFault::Missing { path, target });
                    copy.verification_method = None;
                }
                Err(fault) => return Err(fault),
            }
        }
        // Struck from the record, so that Store makes it again when an operator says so.
        file.copies
            .retain(|copy| copy.verification_method.is_some());
        lost.map_or(Ok(()), Err)
    }

    async fn prove(
        &self,
        copy: &StoredCopy,
        key: &ObjectKey,
        path: &str,
        (size, digests): (u64, &Digests),
    ) -> Result<VerificationMethod, CopyFault> {
        let differs = |what: String| CopyFault::Differs {
            path: path.to_owned(),
            target: copy.target,
            what,
        };
        let found = match self.preservation.head(copy.target, key).await {
            Ok(found) => found,
            // The copy was made a whole stage ago, so "not there" is an answer, not a delay.
            // Asking again would hide a lost copy behind quiet retries.
            Err(StorageError::NotFound { .. }) => {
                return Err(CopyFault::Missing {
                    path: path.to_owned(),
                    target: copy.target,
                });
            }
            Err(error) => return Err(CopyFault::Unanswered(error)),
        };
        if found.size != size {
            return Err(differs(format!("{} bytes instead of {size}", found.size)));
        }
        let (held, method) = if let Some(crc) = found.crc64nvme {
            (
                crc,
                copy.verification_method
                    .unwrap_or(VerificationMethod::Carried),
            )
        } else {
            let read = self.preservation.read_back(copy.target, key, size);
            (
                read.await.map_err(CopyFault::Unanswered)?,
                VerificationMethod::ReadBack,
            )
        };
        if held != digests.crc64nvme {
            return Err(differs("other bytes".to_owned()));
        }
        Ok(method)
    }
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

#[derive(Debug, thiserror::Error)]
enum CopyFault {
    #[error("the record does not name every copy")]
    Unmade,
    #[error("{target} has no copy of {path}, but one was stored")]
    Missing {
        path: String,
        target: muniment_model::StorageTarget,
    },
    #[error("the copy of {path} in {target} holds {what}")]
    Differs {
        path: String,
        target: muniment_model::StorageTarget,
        what: String,
    },
    #[error("could not learn whether the copy is there")]
    Unanswered(#[source] StorageError),
    #[error("told to stop")]
    Stopped,
}

#[cfg(test)]
mod tests;
