//! An S3 endpoint over a folder, for one machine and for tests.
//!
//! Requests arrive over HTTP, [`front`] looks at what they are signed for, `s3s` reads and authenticates
//! them, [`service`] answers them from the [`store`] (SQLite: keys, metadata, references) and the
//! [`blobs`] (files: bytes).
//!
//! ```text
//! HTTP ─> front ─> s3s ─> service ─> store ─> index.sqlite
//!                           │          └──> the one writer: one commit for many requests
//!                           └─> intake, reading ─> blobs/…
//! ```
//!
//! Each bucket has bytes of its own: a copy from another bucket is written anew, so that what happens
//! to one does not happen to the other, unless [`Copies::Shared`] is asked for. A whole object whose
//! bytes changed on the disk is never answered to its end.
//!
//! What was answered is durable: it survives `kill -9` and a power cut. Requests may be repeated as
//! on the real service. Opening a folder again is its recovery.
//!
//! The key it is opened with is good for everything; others may be good for the objects of a few buckets
//! only ([`Key`]).
//!
//! A bucket keeps versions when a client tells it to, as on S3: every version has its bytes until it is
//! deleted itself.
//!
//! Objects in `GLACIER` and `DEEP_ARCHIVE` are read once they are restored, which takes as long as on S3 or
//! as [`Options::thaw`] says. No class makes a difference to the bytes on the disk.
//!
//! Cannot do: access lists, encryption, virtual-hosted addressing, TLS, or protection from clients that mean
//! harm. It is meant for loopback.

mod blobs;
mod checksums;
mod clock;
mod cold;
mod conditions;
mod front;
mod intake;
mod limits;
mod listing;
mod multipart;
mod readings;
mod service;
mod store;
mod tags;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muniment_sqlite::OpenError;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use cold::Thaw;
use store::buckets::CreateBucket;
use store::{Store, StoreError};

/// A key pair.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// A key pair that the endpoint accepts, and what it is good for.
#[derive(Clone, Debug)]
pub struct Key {
    pub credentials: Credentials,
    pub reach: Reach,
}

/// What a key is good for. Everything else is answered with 403 `AccessDenied`, be it there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// The objects of these buckets, as the source of a copy too. The buckets themselves can be neither
    /// made, deleted nor told to keep versions, and no other is listed.
    Buckets(HashSet<String>),
}

/// How the endpoint treats bytes, and whom it answers.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub copies: Copies,
    /// The keys beside the one it is opened with.
    pub more_keys: Vec<Key>,
    /// Buckets in which a HEAD that asks for checksums reads the object, and says what it read. In the
    /// others the checksums are those the object was stored with.
    pub read_back: HashSet<String>,
    /// The regions that requests may be signed for; any when there are none.
    pub regions: HashSet<String>,
    /// How long it takes until a cold object can be read.
    pub thaw: Thaw,
    pub clock: Clock,
}

/// Whether a copy in another bucket has bytes of its own. Within one bucket bytes are shared always:
/// it is one place, and a copy there protects from nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copies {
    #[default]
    Apart,
    /// One file for all of them: half the space, and a damaged file damages every copy.
    Shared,
}

/// An open folder. Cheap to clone; when the last clone is dropped, the folder is free again.
#[derive(Clone)]
pub struct EmbeddedS3 {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    credentials: Credentials,
    options: Options,
    /// The writer and the remover of files; they end with this.
    _tasks: JoinSet<()>,
}

/// Why the endpoint could not start or make a bucket.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedS3Error {
    #[error("could not use the folder {}", folder.display())]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("another process uses the folder {}", folder.display())]
    InUse { folder: PathBuf },
    #[error("could not open the database of the endpoint")]
    Open(#[from] OpenError),
    #[error("could not use the database of the endpoint")]
    Database(#[from] sqlx::Error),
    #[error("{name} is not a name for a bucket")]
    BucketName { name: String },
    #[error("could not make the bucket {name}")]
    Bucket {
        name: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EmbeddedS3 {
    /// Opens the folder, making it if needed, and repairs what a crash left. These credentials are good
    /// for everything.
    pub async fn open(folder: &Path, credentials: Credentials) -> Result<Self, EmbeddedS3Error> {
        Self::open_with(folder, credentials, Options::default()).await
    }

    /// As [`Self::open`], with more keys, or bytes treated in another way. Objects that share bytes
    /// already go on doing so.
    pub async fn open_with(
        folder: &Path,
        credentials: Credentials,
        options: Options,
    ) -> Result<Self, EmbeddedS3Error> {
        let mut tasks = JoinSet::new();
        let store = Store::open(folder, options.clock.clone(), &mut tasks).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                credentials,
                options,
                _tasks: tasks,
            }),
        })
    }

    /// Makes the bucket, unless it is there.
    pub async fn create_bucket(&self, name: &str) -> Result<(), EmbeddedS3Error> {
        if !s3s::path::check_bucket_name(name) {
            return Err(EmbeddedS3Error::BucketName {
                name: name.to_owned(),
            });
        }
        let create = CreateBucket {
            name: name.to_owned(),
        };
        match self.inner.store.submit(create).await {
            Ok(()) | Err(StoreError::BucketExists) => Ok(()),
            Err(error) => Err(EmbeddedS3Error::Bucket {
                name: name.to_owned(),
                source: error.into(),
            }),
        }
    }

    /// Serves until `stop` is cancelled, then lets running requests finish within a bounded time.
    /// One that is dropped leaves nothing: its change is committed or it is not, and a file nobody
    /// refers to goes away.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let Inner {
            store,
            credentials,
            options,
            ..
        } = &*self.inner;
        let service = service::build(store.clone(), credentials, options);
        let front = front::Front::new(service, options.regions.clone());
        muniment_http_server::serve(listener, front, &limits::SERVER, &stop).await;
    }
}
