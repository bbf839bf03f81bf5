//! The two services that everything speaks to: the S3 endpoint and the registry.
//!
//! Both are started at the same time, listen on loopback only, and have their buckets, institutions
//! and users before they answer the first request. Idempotent: what is there stays, and keys
//! come back from the last `instance.json`.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use muniment_embedded_s3::{Credentials, EmbeddedS3, EmbeddedS3Error};
use muniment_model::registry::{Institution, InstitutionKind};
use muniment_model::{BucketName, Clock, InvalidName, StorageTarget};
use muniment_registry::{Registry, RegistryError, Role};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use url::Url;

use super::instance::{FORMAT, Instance, InstitutionAccess, RegistryAccess, S3Access};
use super::keys::{self, new_access_key, new_secret_key};
use super::settings::RECEIVING_PREFIX;
use super::system::{Options, REGISTRY, StartError};
use super::tasks::Tasks;

/// Everything that signs requests wants a region; a folder has none.
const REGION: &str = "us-east-1";
/// The institution that runs the installation. Uploads in stray buckets are shown as its own.
pub(super) const OPERATOR: &str = "muniment.org";
const OPERATOR_USER: &str = "system@muniment.org";
/// What a new folder begins with when nobody named any.
const FIRST_INSTITUTIONS: [&str; 2] = ["test.edu", "example.edu"];
/// `.localhost` belongs to this machine for good (RFC 6761), so the URLs can never belong to
/// another.
const STORAGE_HOST: &str = "storage.muniment.localhost";

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
    clock: Arc<dyn Clock>,
) -> Result<(Endpoints, Instance, S3Access), StartError> {
    let plan = plan(options, last)?;
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
    let ((s3, s3_listener), (registry, registry_listener)) = tokio::try_join!(
        open_s3(options, &plan, &internal, s3_port),
        open_registry(options, &plan, registry_port, clock)
    )?;
    let mut instance = plan;
    instance.s3.endpoint = url_of(&s3_listener)?;
    instance.registry.url = url_of(&registry_listener)?;
    instance.started_at = started_at;

    let stop = CancellationToken::new();
    let mut tasks = Tasks::default();
    let (s3_stop, registry_stop) = (stop.clone(), stop.clone());
    tasks.spawn("the S3 endpoint", async move {
        s3.serve(s3_listener, s3_stop).await;
    });
    tasks.spawn("the registry", async move {
        if let Err(cause) = registry.serve(registry_listener, registry_stop).await {
            error!(?cause, "the registry failed");
        }
    });
    let endpoints = Endpoints {
        stop,
        tasks: Mutex::new(tasks),
    };
    let of_workers = S3Access {
        access_key: internal.access_key,
        secret_key: internal.secret_key,
        ..instance.s3.clone()
    };
    Ok((endpoints, instance, of_workers))
}

/// The instance as it will be: names and keys of the last start, new ones where there are none.
/// Addresses and time follow once they are known.
fn plan(options: &Options, last: Option<&Instance>) -> Result<Instance, StartError> {
    let mut institutions = last.map_or_else(Vec::new, |last| last.institutions.clone());
    let mut named = options.institutions.clone();
    if institutions.is_empty() && named.is_empty() {
        named = FIRST_INSTITUTIONS.map(str::to_owned).to_vec();
    }
    for known in &mut institutions {
        if known.s3_access_key.is_empty() {
            known.s3_access_key = new_access_key();
            known.s3_secret_key = new_secret_key();
        }
    }
    for identifier in &named {
        let is_known = |known: &InstitutionAccess| known.identifier == *identifier;
        if !institutions.iter().any(is_known) {
            institutions.push(institution(identifier)?);
        }
    }
    let nowhere = Url::parse("http://localhost/").map_err(|_never| ours("http://localhost/"))?;
    Ok(Instance {
        format: FORMAT,
        s3: S3Access {
            endpoint: nowhere.clone(),
            region: REGION.to_owned(),
            access_key: last.map_or_else(new_access_key, |last| last.s3.access_key.clone()),
            secret_key: last.map_or_else(new_secret_key, |last| last.s3.secret_key.clone()),
        },
        registry: RegistryAccess {
            url: nowhere,
            user: OPERATOR_USER.to_owned(),
            api_key: last.map_or_else(new_secret_key, |last| last.registry.api_key.clone()),
        },
        institutions,
        staging_bucket: bucket("staging")?,
        records_bucket: bucket("records")?,
        preservation_buckets: StorageTarget::ALL
            .iter()
            .map(|target| Ok((*target, bucket(&format!("preservation-{target}"))?)))
            .collect::<Result<_, ServiceError>>()?,
        storage_host: options
            .storage_host
            .clone()
            .or_else(|| last.map(|last| last.storage_host.clone()))
            .unwrap_or_else(|| STORAGE_HOST.to_owned()),
        pid: std::process::id(),
        started_at: chrono::DateTime::UNIX_EPOCH,
    })
}

fn institution(identifier: &str) -> Result<InstitutionAccess, StartError> {
    let refused = |source: InvalidName| StartError::Institution {
        institution: identifier.to_owned(),
        source,
    };
    let bucket = |prefix| BucketName::new(format!("{prefix}{identifier}")).map_err(refused);
    Ok(InstitutionAccess {
        identifier: identifier.to_owned(),
        receiving_bucket: bucket(RECEIVING_PREFIX)?,
        restore_bucket: bucket("restore.")?,
        user: format!("depositor@{identifier}"),
        api_key: new_secret_key(),
        s3_access_key: new_access_key(),
        s3_secret_key: new_secret_key(),
    })
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
    let folder = options.folder.join("s3");
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

fn bucket(name: &str) -> Result<BucketName, ServiceError> {
    BucketName::new(name).map_err(|_never| ours(name))
}

fn ours(what: &str) -> ServiceError {
    ServiceError::Ours {
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_begins_with_two_institutions_unless_others_are_named() {
        let rows: [(&[&str], &[&str]); 2] = [
            (&[], &["test.edu", "example.edu"]),
            (&["library.org"], &["library.org"]),
        ];

        for (named, expected) in rows {
            let plan = plan(&options(named), None).expect("a plan");
            assert_eq!(names(&plan), expected);
        }
    }

    #[test]
    fn a_later_start_keeps_names_and_keys_and_adds_to_them() {
        let first = plan(&options(&[]), None).expect("a plan");

        let later = plan(&options(&["library.org", "test.edu"]), Some(&first)).expect("a plan");

        assert_eq!(names(&later), ["test.edu", "example.edu", "library.org"]);
        assert!(later.institutions.starts_with(&first.institutions));
        assert!(later.s3 == first.s3);
        assert!(later.registry == first.registry);
        assert_eq!(later.storage_host, first.storage_host);
    }

    #[test]
    fn what_an_older_version_left_without_keys_is_given_some() {
        let mut first = plan(&options(&[]), None).expect("a plan");
        let kept = first.institutions[1].clone();
        first.institutions[0].s3_access_key.clear();
        first.institutions[0].s3_secret_key.clear();

        let later = plan(&options(&[]), Some(&first)).expect("a plan");

        let made = &later.institutions[0];
        let lengths = (made.s3_access_key.len(), made.s3_secret_key.len());
        assert_eq!(lengths, (20, 40));
        assert!(later.institutions[1] == kept);
    }

    #[test]
    fn the_storage_host_stays_until_another_is_given() {
        let mut options = options(&[]);
        options.storage_host = Some("storage.library.org".to_owned());
        let first = plan(&options, None).expect("a plan");
        options.storage_host = None;

        let later = plan(&options, Some(&first)).expect("a plan");

        assert_eq!(later.storage_host, "storage.library.org");
    }

    #[test]
    fn what_no_bucket_can_be_called_is_no_institution() {
        for identifier in ["Test.EDU", "a b", "", "../x", &"x".repeat(60)] {
            let error = plan(&options(&[identifier]), None).err();
            assert!(
                matches!(error, Some(StartError::Institution { .. })),
                "{identifier}"
            );
        }
    }

    fn options(institutions: &[&str]) -> Options {
        Options {
            institutions: institutions.iter().map(ToString::to_string).collect(),
            ..Options::on("/nowhere")
        }
    }

    fn names(plan: &Instance) -> Vec<&str> {
        let institutions = plan.institutions.iter();
        institutions.map(|one| one.identifier.as_str()).collect()
    }
}
