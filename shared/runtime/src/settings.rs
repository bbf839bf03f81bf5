//! Settings that every worker process has, and why a worker may fail to start.

use std::net::SocketAddr;
use std::sync::Arc;

use muniment_model::Clock;
use muniment_objects::InvalidSettings;
use muniment_registry_client::{ClientError, RegistrySettings};
use muniment_work::{WorkError, WorkSettings};

use crate::clock::SystemClock;
use crate::protection::AgentAddress;
use crate::services::Services;
use crate::shutdown::Shutdown;
use crate::sweep::SweepFailed;

/// What a worker that has a process of its own is told beside its own settings
#[derive(Debug, clap::Args)]
pub struct ProcessSettings {
    #[command(flatten)]
    pub registry: RegistrySettings,

    #[command(flatten)]
    pub work: WorkSettings,

    /// The name of this host or container, unique among those that run at one time
    #[arg(long, env = "HOSTNAME", default_value = "localhost")]
    pub node: String,

    /// Where /health, /ready and /metrics are served, as 0.0.0.0:9100; nowhere unless given
    ///
    /// /health answers 200 as long as the process lives, and says whether it is ready and whether it is
    /// draining; /ready answers 503 before it has connected and once it was told to stop; /metrics is for
    /// Prometheus. All of it is open to who reaches the address, and none of it says anything about bags.
    #[arg(long, env = "MUNIMENT_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Where the ECS agent is, which is asked not to end this task while it works; ECS sets the variable
    #[arg(long, env = "ECS_AGENT_URI", value_name = "URL")]
    pub ecs_agent: Option<AgentAddress>,
}

impl ProcessSettings {
    pub async fn connect(&self, shutdown: &Shutdown) -> Result<Services, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let work = self.work.connect(Arc::clone(&clock)).await?;
        let registry = self.registry.connect()?;
        Ok(Services::new(
            work,
            &registry,
            clock,
            self.node.as_str(),
            shutdown,
        ))
    }
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
    #[error("the settings are not complete")]
    Settings(#[from] clap::Error),
    #[error("the registry has no institution {0}; make it first")]
    NoInstitution(String),
    #[error("cannot listen on {address}; choose another --listen")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Sweep(#[from] SweepFailed),
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot start the async runtime")]
    Runtime(#[source] std::io::Error),
}
