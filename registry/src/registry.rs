//! The registry as a thing to hold: opened once, set up, served.
//!
//! Idempotent: opening brings the schema up to date and keeps what is there; the `ensure`
//! functions find what they made before. Issuing a key is the exception: it replaces the last one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muniment_model::registry::Institution;
use muniment_model::{Clock, InstitutionId, Namespace};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, App};
use crate::rules::access::Role;
use crate::serve;
use crate::store::{Store, StoreError};

/// Where the records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file on a local disk, made when it is absent. No second process may serve from it.
    SqliteFile(PathBuf),
}

impl From<PathBuf> for Database {
    fn from(file: PathBuf) -> Self {
        Self::SqliteFile(file)
    }
}

impl From<&Path> for Database {
    fn from(file: &Path) -> Self {
        Self::SqliteFile(file.to_owned())
    }
}

/// Opening, setting up or serving did not work.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("could not open the registry's database {0}", database.display())]
    Open {
        database: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("could not set up {what} in the registry")]
    SetUp {
        what: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every user but an administrator belongs to an institution.
    #[error("{email} needs an institution to be {role}")]
    NoInstitution { email: String, role: Role },
}

/// The registry. Clones share one database.
#[derive(Clone)]
pub struct Registry {
    store: Store,
    namespace: Namespace,
}

impl Registry {
    /// Opens the database, makes or updates its schema, and on the first opening gives the
    /// installation its namespace.
    pub async fn open(
        database: impl Into<Database>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RegistryError> {
        let Database::SqliteFile(file) = database.into();
        let unusable = |source| RegistryError::Open {
            database: file.clone(),
            source,
        };
        let store = Store::open(&file, clock).await;
        let store = store.map_err(|source| unusable(source.into()))?;
        let namespace = store.namespace().await;
        let namespace = namespace.map_err(|source| unusable(source.into()))?;
        Ok(Self { store, namespace })
    }

    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// The institution with this identifier, made if it is not there; name, kind and buckets are
    /// set as given.
    pub async fn ensure_institution(
        &self,
        new: &Institution,
    ) -> Result<Institution, RegistryError> {
        let made = self.store.ensure_institution(new).await;
        made.map_err(|source| set_up(&new.identifier, source))
    }

    /// The user with this e-mail address, made if it is not there; role and institution are set as
    /// given. Only an administrator has no institution.
    pub async fn ensure_user(
        &self,
        email: &str,
        role: Role,
        institution: Option<InstitutionId>,
    ) -> Result<(), RegistryError> {
        if role != Role::Admin && institution.is_none() {
            return Err(RegistryError::NoInstitution {
                email: email.to_owned(),
                role,
            });
        }
        let made = self.store.ensure_user(email, role, institution).await;
        made.map_err(|source| set_up(email, source))
    }

    /// A new key for the user, shown this once. The one before stops working.
    pub async fn issue_api_key(&self, email: &str) -> Result<String, RegistryError> {
        let key = api::new_key();
        self.set_api_key(email, &key).await?;
        Ok(key)
    }

    /// Makes this the user's key: one that [`Self::issue_api_key`] gave out before, kept elsewhere
    /// since. It must be as hard to guess as those.
    pub async fn set_api_key(&self, email: &str, key: &str) -> Result<(), RegistryError> {
        let digest = api::digest_of(key);
        let set = self.store.set_api_key_digest(email, &digest).await;
        set.map_err(|source| set_up(email, source))
    }

    /// Answers requests until `stop` fires, then closes the database.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> Result<(), RegistryError> {
        let app = api::router(App {
            store: self.store.clone(),
            namespace: self.namespace,
        });
        serve::serve(listener, app, &stop).await;
        self.store.close().await;
        Ok(())
    }
}

fn set_up(what: &str, source: StoreError) -> RegistryError {
    RegistryError::SetUp {
        what: what.to_owned(),
        source: Box::new(source),
    }
}
