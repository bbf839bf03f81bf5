//! What the workers of one process share.

use std::sync::Arc;

use muniment_model::Clock;
use muniment_objects::Connections;
use muniment_registry_client::RegistryClient;
use muniment_work::WorkStore;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::outages::Outages;

/// What every worker is given. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub work: Arc<dyn WorkStore>,
    pub registry: RegistryClient,
    /// One S3 client per endpoint and credentials, for all workers of the process.
    pub s3: Arc<Connections>,
    pub clock: Arc<dyn Clock>,
    /// The name of this host or container, unique among those that run at one time.
    pub node: String,
    /// Ends every wait for a service: the hard phase of the shutdown.
    pub stop: CancellationToken,
    /// Held for reading by every job, and for writing by one that has to run alone.
    pub(crate) jobs: Arc<RwLock<()>>,
    pub(crate) outages: Arc<Outages>,
}

impl Services {
    /// `stop` is the hard phase of the shutdown.
    pub fn new(
        work: Arc<dyn WorkStore>,
        registry: RegistryClient,
        clock: Arc<dyn Clock>,
        node: impl Into<String>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            work,
            registry,
            s3: Arc::new(Connections::new(stop.clone())),
            clock,
            node: node.into(),
            stop,
            jobs: Arc::new(RwLock::new(())),
            outages: Arc::default(),
        }
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub fn work(&self) -> Arc<dyn WorkStore> {
        Arc::clone(&self.work)
    }
}
