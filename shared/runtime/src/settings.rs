//! Settings that every worker has, and why a worker may fail to start.

use std::sync::Arc;

use muniment_model::Clock;
use muniment_objects::InvalidSettings;
use muniment_registry_client::{ClientError, RegistrySettings};
use muniment_work::{WorkError, WorkSettings};
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::runner::Services;

/// Jobs of one worker process at a time, and how it is to be known.
#[derive(Debug, clap::Args)]
pub struct RuntimeSettings {
    #[command(flatten)]
    pub registry: RegistrySettings,

    #[command(flatten)]
    pub work: WorkSettings,

    /// How many jobs this worker does at a time
    #[arg(long, env = "MUNIMENT_JOBS", default_value_t = 2)]
    pub jobs: usize,

    /// The name of this host or container, unique among those that run at one time
    #[arg(long, env = "HOSTNAME", default_value = "localhost")]
    pub node: String,
}

impl RuntimeSettings {
    pub async fn connect(&self, stop: &CancellationToken) -> Result<Services, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let work = self.work.connect(Arc::clone(&clock)).await?;
        let registry = self.registry.connect()?.with_stop(stop.clone());
        Ok(Services {
            work,
            registry,
            clock,
            node: self.node.clone(),
            stop: stop.clone(),
        })
    }
}

/// Declares that a binary's settings hold [`RuntimeSettings`] as their member `runtime`.
#[macro_export]
macro_rules! has_runtime_settings {
    ($settings:ty) => {
        impl AsRef<$crate::RuntimeSettings> for $settings {
            fn as_ref(&self) -> &$crate::RuntimeSettings {
                &self.runtime
            }
        }
    };
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the work store")]
    Work(#[from] WorkError),
    #[error("cannot use the registry")]
    Registry(#[from] ClientError),
    #[error("cannot use S3 with these settings")]
    Storage(#[from] InvalidSettings),
    #[error("the registry has no institution {0}; make it first")]
    NoInstitution(String),
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot start the async runtime")]
    Runtime(#[source] std::io::Error),
}
