//! Looks into containers (zip, OLE2) whose first bytes do not tell their format.
//!
//! Stage Format Identification. Pass one has identified every file from its first and last bytes
//! already. The signatures that need a look inside a container are PRONOM's, which this program
//! does not read yet; so pass one's answer stays, and the item goes on.
//!
//! Idempotent: it has no effects.

use async_trait::async_trait;
use muniment_model::QueueName;
use muniment_model::registry::WorkItem;
use muniment_runtime::{Completed, Job, JobError, Services, StartError, Worker};

/// It has none of its own
#[derive(Debug, clap::Args)]
pub struct Settings {}

pub struct IngestFormatIdentifier;

#[async_trait]
impl Worker for IngestFormatIdentifier {
    const QUEUE: QueueName = QueueName::IngestFormatIdentifier;
    const ABOUT: &'static str = "Looks into containers whose first bytes do not tell their format";
    type Subject = WorkItem;
    type Settings = Settings;

    async fn connect(_settings: &Settings, _services: &Services) -> Result<Self, StartError> {
        Ok(Self)
    }

    async fn run(&self, _job: &Job) -> Result<Completed, JobError> {
        Ok(Completed::step())
    }
}
