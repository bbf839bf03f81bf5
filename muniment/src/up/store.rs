//! Which S3 store a data folder belongs to, for good: the one in the folder itself, or one elsewhere.
//!
//! Decided from what the command line names and what the folder remembers, before anything is touched. A folder
//! that went on with another store would look for its copies where they are not, and for its staged files among
//! those of others. An address may change all the same: a store elsewhere is known by its marker
//! ([`claim`]), not by where it answers.

mod claim;
mod error;
mod marker;
mod settings;

use std::path::Path;

use muniment_embedded_s3::Copies;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use error::StoreError;
pub(super) use settings::StoreSettings;

use super::instance::{FORMAT, FORMAT_EMBEDDED, Instance, InstanceError, S3Access};
use super::keys;
use super::system::{Options, was_in_use};
pub(super) use claim::claim;
use marker::Remembered;

/// Everything that signs requests wants a region; a folder has none, nor have most stores.
pub(super) const REGION: &str = "us-east-1";

/// The store that the command line names; nothing where it names none.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    pub url: Option<Url>,
    /// `None`: the one of the last start.
    pub region: Option<String>,
    /// `None`: those of the last start.
    pub keys: Option<StoreKeys>,
}

/// A key pair that is good for everything in a store elsewhere.
#[derive(Clone, Debug)]
pub struct StoreKeys {
    pub access_key: SecretString,
    pub secret_key: SecretString,
}

/// Where the buckets of a data folder are.
pub(super) enum Store {
    /// In the folder, and an endpoint of ours answers for them.
    Embedded,
    Elsewhere(Elsewhere),
}

pub(super) struct Elsewhere {
    pub(super) access: S3Access,
    /// What the marker in the store has to say.
    pub(super) id: String,
    /// Whether the folder was in use, so that there must be a marker.
    pub(super) was_in_use: bool,
}

impl Store {
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Embedded => None,
            Self::Elsewhere(elsewhere) => Some(&elsewhere.id),
        }
    }

    /// An older version would start an endpoint of its own on a folder whose buckets are elsewhere.
    pub(super) fn format(&self) -> u32 {
        match self {
            Self::Embedded => FORMAT_EMBEDDED,
            Self::Elsewhere(_) => FORMAT,
        }
    }
}

/// What a folder remembers of its store.
enum Known {
    Nothing,
    Embedded,
    Elsewhere(Past),
}

/// As the last start left it.
struct Past {
    id: String,
    endpoint: Url,
    region: String,
    keys: Option<StoreKeys>,
    was_in_use: bool,
}

/// The store of this start.
pub(super) fn decide(options: &Options, last: Option<&Instance>) -> Result<Store, StoreError> {
    let known = Known::of(&options.folder, last)?;
    let store = choose(&options.store, known, &options.folder)?;
    if let Store::Elsewhere(elsewhere) = &store {
        only_embedded(options, &elsewhere.access.endpoint)?;
    }
    Ok(store)
}

impl Known {
    fn of(folder: &Path, last: Option<&Instance>) -> Result<Self, InstanceError> {
        let was_in_use = last.is_some() || was_in_use(folder);
        if let Some(last) = last {
            return Ok(match &last.store_id {
                None => Self::Embedded,
                Some(id) => Self::Elsewhere(Past {
                    id: id.clone(),
                    endpoint: last.s3.endpoint.clone(),
                    region: last.s3.region.clone(),
                    keys: Some(StoreKeys {
                        access_key: last.s3.access_key.as_str().into(),
                        secret_key: last.s3.secret_key.as_str().into(),
                    }),
                    was_in_use,
                }),
            });
        }
        // Its first start was killed, or `instance.json` is gone, and the keys with it.
        if let Some(remembered) = Remembered::find(folder)? {
            return Ok(Self::Elsewhere(Past {
                id: remembered.id,
                endpoint: remembered.endpoint,
                region: remembered.region,
                keys: None,
                was_in_use,
            }));
        }
        if folder.join(super::services::S3).exists() {
            return Ok(Self::Embedded);
        }
        Ok(Self::Nothing)
    }
}

/// Pure, so that its tests list every row.
fn choose(asked: &StoreOptions, known: Known, folder: &Path) -> Result<Store, StoreError> {
    let past = match (known, &asked.url) {
        (Known::Embedded, Some(url)) => {
            return Err(StoreError::Embedded {
                folder: folder.to_owned(),
                url: shown(url),
            });
        }
        (Known::Nothing | Known::Embedded, None) => {
            if asked.keys.is_some() || asked.region.is_some() {
                return Err(StoreError::NotNamed);
            }
            return Ok(Store::Embedded);
        }
        (Known::Nothing, Some(url)) => Past {
            id: keys::new_id(),
            endpoint: url.clone(),
            region: REGION.to_owned(),
            keys: None,
            was_in_use: false,
        },
        (Known::Elsewhere(past), _) => past,
    };
    let endpoint = asked.url.clone().unwrap_or(past.endpoint);
    let Some(keys) = asked.keys.clone().or(past.keys) else {
        return Err(StoreError::NoKeys {
            url: shown(&endpoint),
        });
    };
    if !is_address(&endpoint) {
        return Err(StoreError::Address {
            url: shown(&endpoint),
        });
    }
    Ok(Store::Elsewhere(Elsewhere {
        access: S3Access {
            endpoint,
            region: asked.region.clone().unwrap_or(past.region),
            access_key: keys.access_key.expose_secret().to_owned(),
            secret_key: keys.secret_key.expose_secret().to_owned(),
        },
        id: past.id,
        was_in_use: past.was_in_use,
    }))
}

/// Whether it can be asked, and holds nothing that must not be shown.
fn is_address(url: &Url) -> bool {
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain && matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Without what may be a secret.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let (scheme, port) = (url.scheme(), port.unwrap_or_default());
    format!("{scheme}://{host}{port}{}", url.path())
}

/// Options that say how our own endpoint answers say nothing where it does not run.
fn only_embedded(options: &Options, endpoint: &Url) -> Result<(), StoreError> {
    let what = match (options.s3_port, options.copies) {
        (Some(_), _) => "--s3-port",
        (None, Copies::Shared) => "--share-copies",
        (None, Copies::Apart) => return Ok(()),
    };
    Err(StoreError::OnlyEmbedded {
        what,
        url: shown(endpoint),
    })
}

#[cfg(test)]
mod tests;
