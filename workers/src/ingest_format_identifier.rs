//! Looks into containers (zip, OLE2) whose first bytes do not tell their format.
//!
//! Stage Format Identification. Pass one has identified every file from its first and last bytes
//! already. The signatures that need a look inside a container are PRONOM's, which this program
//! does not read yet; so pass one's answer stands, and the item goes on.
//!
//! Safe to repeat: it has no effects.

use async_trait::async_trait;
use muniment_model::{Queue, Stage};
use muniment_runtime::{Completed, Job, JobError, JobSpec, Step, Worker};

pub struct IngestFormatIdentifier;

#[async_trait]
impl Worker for IngestFormatIdentifier {
    const SPEC: JobSpec = JobSpec {
        queue: Queue::IngestFormatIdentifier,
        next: Some(Stage::Store),
        attempts_max: 3,
        retry_delay: crate::RETRY_DELAY,
    };

    async fn run(&self, _job: &Job) -> Result<Step, JobError> {
        Ok(Step::Completed(Completed::with_note(
            "Finished file format identification",
        )))
    }
}
