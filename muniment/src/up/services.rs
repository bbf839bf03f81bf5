//! The two services that everything speaks to: the S3 endpoint, unless the store is elsewhere, and the registry.
//!
//! Both are started at the same time, listen on loopback only, and have their buckets, institutions
//! and users before they answer the first request. Idempotent: what is there stays.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use muniment_embedded_s3::{Credentials, EmbeddedS3, EmbeddedS3Error};
use muniment_model::Clock;
use muniment_model::registry::{Institution, InstitutionKind};
use muniment_registry::{Registry, RegistryError, Role};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use url::Url;

use super::instance::{Instance, RegistryAccess, S3Access};
use super::keys::{self, new_access_key, new_secret_key};
use super::system::{Options, REGISTRY, StartError};
use super::tasks::Tasks;

/// The S3 endpoint's folder in the data folder.
pub(super) const S3: &str = "s3";
/// The institution that runs the installation. Uploads in stray buckets are shown as its own.
pub(super) const OPERATOR: &str = "muniment.org";

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("cannot listen on port {port}; is something else using it?")]
    Port { port: u16, source: std::io::Error },
    #[error("cannot start the S3 endpoint")]
    S3(#[from] EmbeddedS3Error),
    #[error("cannot start the registry")]
    Registry(#[from] RegistryError),
    /// A name or address that this program chose itself.
    #[error("{what} is not a valid name or address")]
    Ours { what: String },
}

/// The running services.
pub(super) struct Endpoints {
    stop: CancellationToken,
    tasks: Mutex<Tasks>,
}

impl Endpoints {
    /// Answers which one has ended. After a stop, both have.
    pub(super) async fn died(&self) -> &'static str {
        let ended = self.tasks.lock().await.next_ended().await;
        ended.unwrap_or("a service")
    }

    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.lock().await.all_ended().await;
    }
}

/// Starts both, and says how to reach them, and with which key the workers do.
pub(super) async fn start(
    options: &Options,
    last: Option<&Instance>,
    plan: Instance,
    clock: Arc<dyn Clock>,
) -> Result<(Endpoints, Instance, S3Access), StartError> {
    // Known to this process alone, so nothing that is given out or renewed concerns the workers.
    let internal = Credentials {
        access_key: new_access_key(),
        secret_key: new_secret_key(),
    };
    let started_at = clock.now();
    let port_of = |url: &Url| url.port().filter(|port| *port != 0);
    let s3_port = Port {
        wanted: options.s3_port,
        last: last.and_then(|last| port_of(&last.s3.endpoint)),
    };
    let registry_port = Port {
        wanted: options.registry_port,
        last: last.and_then(|last| port_of(&last.registry.url)),
    };
    let embedded = async {
        if plan.is_elsewhere() {
            return Ok(None);
        }
        let opened = open_s3(options, &plan, &internal, s3_port).await;
        opened.map(Some)
    };
    let (embedded, (registry, registry_listener)) = tokio::try_join!(
        embedded,
        open_registry(options, &plan, registry_port, clock)
    )?;
    let mut instance = plan;
    instance.registry.url = url_of(&registry_listener)?;
    instance.started_at = started_at;

    let stop = CancellationToken::new();
    let mut tasks = Tasks::default();
    let mut of_workers = instance.s3.clone();
    if let Some((s3, listener)) = embedded {
        instance.s3.endpoint = url_of(&listener)?;
        of_workers = S3Access {
            access_key: internal.access_key,
            secret_key: internal.secret_key,
            ..instance.s3.clone()
        };
        let s3_stop = stop.clone();
        tasks.spawn("the S3 endpoint", async move {
            s3.serve(listener, s3_stop).await;
        });
    }
    let registry_stop = stop.clone();
    tasks.spawn("the registry", async move {
        if let Err(cause) = registry.serve(registry_listener, registry_stop).await {
            error!(?cause, "the registry failed");
        }
    });
    let endpoints = Endpoints {
        stop,
        tasks: Mutex::new(tasks),
    };
    Ok((endpoints, instance, of_workers))
}

async fn open_s3(
    options: &Options,
    plan: &Instance,
    internal: &Credentials,
    port: Port,
) -> Result<(EmbeddedS3, TcpListener), ServiceError> {
    let preserved = plan.preservation_buckets.values();
    let s3_options = muniment_embedded_s3::Options {
        copies: options.copies,
        // What Storage Validation is told must be true of the bytes, not of an index.
        read_back: preserved.map(ToString::to_string).collect(),
        regions: regions(plan),
        more_keys: keys::given_out(plan),
        ..muniment_embedded_s3::Options::default()
    };
    let folder = options.folder.join(S3);
    let s3 = EmbeddedS3::open_with(&folder, internal.clone(), s3_options).await?;
    for bucket in plan.buckets() {
        s3.create_bucket(bucket.as_str()).await?;
    }
    Ok((s3, listen(port).await?))
}

/// The one depositors are told, and those that the clients of the preservation buckets use.
fn regions(plan: &Instance) -> HashSet<String> {
    let of_targets = plan.preservation_buckets.keys();
    of_targets
        .map(|target| target.region().to_owned())
        .chain([plan.s3.region.clone()])
        .collect()
}

async fn open_registry(
    options: &Options,
    plan: &Instance,
    port: Port,
    clock: Arc<dyn Clock>,
) -> Result<(Registry, TcpListener), ServiceError> {
    let registry = Registry::open(options.folder.join(REGISTRY), clock).await?;
    set_up(&registry, plan).await?;
    Ok((registry, listen(port).await?))
}

/// Makes institutions, users and keys that are not there yet.
async fn set_up(registry: &Registry, plan: &Instance) -> Result<(), RegistryError> {
    let operator = Institution {
        name: "Muniment".to_owned(),
        identifier: OPERATOR.to_owned(),
        // It deposits nothing, so it has no buckets.
        ..Institution::default()
    };
    registry.ensure_institution(&operator).await?;
    let RegistryAccess { user, api_key, .. } = &plan.registry;
    registry.ensure_user(user, Role::Admin, None).await?;
    registry.set_api_key(user, api_key).await?;
    for access in &plan.institutions {
        let institution = Institution {
            name: access.identifier.clone(),
            identifier: access.identifier.clone(),
            kind: InstitutionKind::Member,
            receiving_bucket: access.receiving_bucket.to_string(),
            restore_bucket: access.restore_bucket.to_string(),
            ..Institution::default()
        };
        let made = registry.ensure_institution(&institution).await?;
        let (depositor, role) = (&access.user, Role::InstitutionalUser);
        registry.ensure_user(depositor, role, Some(made.id)).await?;
        registry.set_api_key(depositor, &access.api_key).await?;
    }
    Ok(())
}

/// Where to listen: where it was asked for, else where clients found it the last time, else anywhere.
#[derive(Clone, Copy)]
struct Port {
    wanted: Option<u16>,
    last: Option<u16>,
}

async fn listen(port: Port) -> Result<TcpListener, ServiceError> {
    let Port { wanted, last } = port;
    if let (None, Some(before)) = (wanted, last) {
        match bind(before).await {
            Ok(bound) => return Ok(bound),
            Err(error) => {
                warn!(port = before, %error, "the port of the last start is taken: there is a new one");
            }
        }
    }
    bind(wanted.unwrap_or(0)).await
}

async fn bind(port: u16) -> Result<TcpListener, ServiceError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|source| ServiceError::Port { port, source })
}

fn url_of(listener: &TcpListener) -> Result<Url, ServiceError> {
    let address = listener.local_addr();
    let address = address.map_err(|source| ServiceError::Port { port: 0, source })?;
    let text = format!("http://{address}/");
    Url::parse(&text).map_err(|_never| ours(&text))
}

pub(super) fn ours(what: &str) -> ServiceError {
    ServiceError::Ours {
        what: what.to_owned(),
    }
}
