//! Why a data folder cannot go on with a store, in words that say what to do next.

use std::path::PathBuf;
use std::time::Duration;

use muniment_model::BucketName;
use muniment_objects::{Denial, StorageError};

use crate::up::instance::InstanceError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{folder} keeps its bags and copies in itself, for good, and cannot go on in the S3 store at {url}; start it \
         without --s3, or name a new folder with --data", folder = folder.display()
    )]
    Embedded { folder: PathBuf, url: String },
    #[error(
        "keys to an S3 store, or its region, were given, and no store; name it with --s3 URL, or leave them out"
    )]
    NotNamed,
    #[error(
        "the keys to the S3 store at {url} are wanted: give them with --s3-access-key and --s3-secret-key"
    )]
    NoKeys { url: String },
    #[error(
        "{url} cannot be the address of an S3 store: it has to be http:// or https:// and a host, without user, \
         password and query"
    )]
    Address { url: String },
    #[error(
        "{what} is for the endpoint of the data folder, and this one has its S3 store at {url}"
    )]
    OnlyEmbedded { what: &'static str, url: String },
    #[error(transparent)]
    Folder(#[from] InstanceError),

    #[error("no S3 store answers at {url}; is it running, and is that its address?")]
    Away {
        url: String,
        source: Box<StorageError>,
    },
    #[error(
        "the S3 store at {url} does not know these keys; give the right ones with --s3-access-key and --s3-secret-key"
    )]
    Keys {
        url: String,
        source: Box<StorageError>,
    },
    #[error("the keys to the S3 store at {url} may not {act}")]
    Rights {
        url: String,
        act: String,
        source: Box<StorageError>,
    },
    #[error("the S3 store at {url} has another region than {region}; name it with --s3-region")]
    Region {
        url: String,
        region: String,
        source: Box<StorageError>,
    },
    #[error(
        "the S3 store at {url} has another time than this machine; set the clock of the one that is wrong"
    )]
    Clock {
        url: String,
        source: Box<StorageError>,
    },
    #[error("the S3 store at {url} cannot {act}")]
    Unable {
        url: String,
        act: String,
        source: Box<StorageError>,
    },
    #[error(
        "the S3 store at {url} replaces an object where it is asked to create one (If-None-Match): copies would not be \
         safe there"
    )]
    Replaces { url: String },
    #[error("the S3 store at {url} has not done within {} s what a start asks of it", limit.as_secs())]
    Slow { url: String, limit: Duration },

    #[error(
        "the S3 store at {url} belongs to another data folder ({owner}), as the object {marker} says; a store belongs \
         to one folder"
    )]
    Taken {
        url: String,
        marker: String,
        owner: String,
    },
    #[error(
        "the S3 store at {url} is not the one that {folder} has its bags and copies in: it has no object {marker} that \
         says so", folder = folder.display()
    )]
    Another {
        url: String,
        marker: String,
        folder: PathBuf,
    },
    #[error(
        "the object {marker} in the S3 store at {url} is no marker of muniment; find out who wrote it"
    )]
    NoMarker { url: String, marker: String },
    #[error(
        "the bucket {bucket} in the S3 store at {url} holds something already, and nothing says that it belongs to this \
         data folder; a store is begun with empty buckets, or none"
    )]
    InUse { url: String, bucket: BucketName },
}

impl StoreError {
    /// What it means that the store did not do this for us.
    pub(super) fn of(source: StorageError, url: &str, region: &str, act: String) -> Self {
        let (url, source) = (url.to_owned(), Box::new(source));
        match source.denial() {
            Some(Denial::Keys) => Self::Keys { url, source },
            Some(Denial::Rights) => Self::Rights { url, act, source },
            Some(Denial::Clock) => Self::Clock { url, source },
            Some(Denial::Region) => Self::Region {
                url,
                region: region.to_owned(),
                source,
            },
            None if is_silence(&source) => Self::Away { url, source },
            None => Self::Unable { url, act, source },
        }
    }
}

/// Whether nothing at all came back.
fn is_silence(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::Unreachable { .. } | StorageError::Silent { .. } | StorageError::Reset { .. }
    )
}
