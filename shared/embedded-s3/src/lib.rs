//! An S3 endpoint over a folder, for one machine and for tests.
//!
//! Requests arrive over HTTP, `s3s` reads and authenticates them, [`service`] answers them from the
//! [`store`] (SQLite: keys, metadata, references) and the [`blobs`] (files: bytes).
//!
//! ```text
//! HTTP ───> s3s ─> service ─> store ─> index.sqlite
//!                     │          └──> the one writer: one commit for many requests
//!                     └─> intake, reading ─> blobs/…
//! ```
//!
//! What was answered is durable: it survives `kill -9` and a power cut. Requests may be repeated as
//! on the real service. Opening a folder again is its recovery.
//!
//! Cannot do: versions, tags, access lists, encryption, thawing of cold classes, virtual-hosted
//! addressing, TLS, or protection from clients that mean harm. It is meant for loopback.

mod blobs;
mod checksums;
mod conditions;
mod intake;
mod limits;
mod listing;
mod multipart;
mod service;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muniment_sqlite::OpenError;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use store::buckets::CreateBucket;
use store::{Store, StoreError};

/// The one key pair the endpoint accepts.
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

/// An open folder. Cheap to clone; when the last clone is dropped, the folder is free again.
#[derive(Clone)]
pub struct EmbeddedS3 {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    credentials: Credentials,
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
    /// Opens the folder, making it if needed, and repairs what a crash left.
    pub async fn open(folder: &Path, credentials: Credentials) -> Result<Self, EmbeddedS3Error> {
        let mut tasks = JoinSet::new();
        let store = Store::open(folder, &mut tasks).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                credentials,
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
        let service = service::build(self.inner.store.clone(), &self.inner.credentials);
        muniment_http_server::serve(listener, service, &limits::SERVER, &stop).await;
    }
}
