//! Why a command ended without doing what it was asked to, in words that say what to do next.

use std::path::PathBuf;

use muniment_model::{BucketName, WorkItemId};
use muniment_registry_client::ClientError;
use muniment_work::WorkError;
use url::Url;

use crate::data_folder::NoHome;
use crate::deposit::{BagFault, UploadError};
use crate::follow::FollowError;
use crate::up::instance::InstanceError;
use crate::up::lock::LockError;
use crate::up::{StartError, SystemDied};

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("muniment cannot start")]
    Start(#[from] StartError),
    #[error(transparent)]
    Died(#[from] SystemDied),
    #[error(
        "the registry does not answer; if it is the one of a data folder, is `muniment up` running?"
    )]
    RegistryAway(#[source] ClientError),
    #[error(
        "the registry has not answered for 10 s; if it is the one of a data folder, look whether \
         `muniment up` says anything, and whether its disk is full"
    )]
    RegistrySilent,
    #[error("the registry could not be asked")]
    Registry(#[source] ClientError),
    #[error(
        "this takes an operator's keys: those of `instance.json` in the data folder (`--data DIR`), not \
         those of a depositor's file"
    )]
    NotOperator(#[source] ClientError),
    #[error(
        "this reads the data folder, which only its operator can: name the data folder with `--data DIR` and \
         no `--instance`"
    )]
    NeedsDataFolder,
    #[error("the work store cannot be read")]
    Work(#[source] WorkError),
    #[error("nothing is known of work item {id}: {reasons}")]
    NothingKnown { id: WorkItemId, reasons: String },
    #[error("there is no work item {id}; `muniment status` lists them")]
    NoSuchItem { id: WorkItemId },
    #[error("no work item is about a bag named {name}; `muniment status` lists them all")]
    NoItemOfBag { name: String },
    #[error(
        "no open work item is about {name}; name one of those that have ended by its id: {ids}"
    )]
    NoOpenItem { name: String, ids: String },
    #[error("several open work items are about {name}; name one by its id: {ids}")]
    SeveralItems { name: String, ids: String },
    /// With the registry's own words, and what an operator can do.
    #[error("the registry refuses this: {message}. To go on: {next}")]
    Refused { message: String, next: String },
    #[error("no institution {wanted} here; there are {known}")]
    UnknownInstitution { wanted: String, known: String },
    #[error(
        "this installation has its bags in the S3 store at {endpoint}, and its file has no keys to that: the operator of \
         the store makes you some that are good for the bucket {bucket}; give them with --s3-access-key and --s3-secret-key"
    )]
    NoS3Keys { endpoint: Url, bucket: BucketName },
    #[error(transparent)]
    Bag(#[from] BagFault),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error("the demo needs a fresh folder, and {} holds something already", folder.display())]
    NotFresh { folder: PathBuf },
    #[error("cannot write what was asked of other services to {}", file.display())]
    Calls {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write the sample bags to {}", folder.display())]
    Samples {
        folder: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot start the async runtime")]
    Runtime(#[source] std::io::Error),
    #[error("`--log {filter}` is no filter: write a level such as `info`, or `warn,workers=debug`")]
    LogFilter {
        filter: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
    /// A part of a command died; its log says where.
    #[error("a part of the command died")]
    Task(#[source] tokio::task::JoinError),
}

impl CommandError {
    /// The registry's answer, or that there was none.
    pub(crate) fn registry(error: ClientError) -> Self {
        if matches!(error, ClientError::Unreachable { .. }) {
            return Self::RegistryAway(error);
        }
        Self::Registry(error)
    }

    /// As [`Self::registry`], of a call that an operator's key opens.
    pub(crate) fn of_operator(error: ClientError) -> Self {
        if matches!(error, ClientError::Denied { .. }) {
            return Self::NotOperator(error);
        }
        Self::registry(error)
    }
}
