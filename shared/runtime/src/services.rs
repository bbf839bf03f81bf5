//! What the workers of one process share.

use std::sync::Arc;

use muniment_meter::{Meter, Meters};
use muniment_model::Clock;
use muniment_objects::Connections;
use muniment_registry_client::RegistryClient;
use muniment_work::WorkStore;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::outages::Outages;
use crate::protection::Busy;
use crate::shutdown::Shutdown;

/// What every worker is given. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub work: Arc<dyn WorkStore>,
    pub registry: RegistryClient,
    /// One set of connections per endpoint and credentials, for all workers of the process.
    pub s3: Arc<Connections>,
    pub clock: Arc<dyn Clock>,
    /// What each worker of the process has asked of the services.
    pub meters: Meters,
    /// The name of this host or container, unique among those that run at one time.
    pub node: String,
    /// The meter of the worker that these services are for.
    pub(crate) meter: Meter,
    /// Ends every wait for a service: the hard phase of the shutdown.
    pub stop: CancellationToken,
    /// Held for reading by every job, and for writing by one that has to run alone.
    pub(crate) jobs: Arc<RwLock<()>>,
    pub(crate) outages: Arc<Outages>,
    pub(crate) busy: Busy,
}

impl Services {
    /// A registry that does not answer holds up no stop: its client hears of the soft phase.
    pub fn new(
        work: Arc<dyn WorkStore>,
        registry: &RegistryClient,
        clock: Arc<dyn Clock>,
        node: impl Into<String>,
        shutdown: &Shutdown,
    ) -> Self {
        Self {
            work,
            registry: registry.with_stop(shutdown.soft.clone()),
            s3: Arc::new(Connections::new(shutdown.hard.clone())),
            clock,
            meters: Meters::default(),
            meter: Meter::default(),
            node: node.into(),
            stop: shutdown.hard.clone(),
            jobs: Arc::new(RwLock::new(())),
            outages: Arc::default(),
            busy: Busy::default(),
        }
    }

    /// The same services for one worker, by whose name its calls are counted.
    #[must_use]
    pub(crate) fn of_worker(&self, worker: &'static str) -> Self {
        let meter = self.meters.of(worker);
        Self {
            work: self.work.metered(meter.clone()),
            registry: self.registry.metered(meter.clone()),
            s3: Arc::new(self.s3.metered(meter.clone())),
            meter,
            ..self.clone()
        }
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub fn work(&self) -> Arc<dyn WorkStore> {
        Arc::clone(&self.work)
    }
}
