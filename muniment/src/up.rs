//! `muniment up`: the whole system in one process, staying up until it is told to stop.

pub mod depositor;
mod folder;
pub mod instance;
mod keys;
pub mod lock;
mod plan;
mod services;
mod settings;
mod store;
mod summary;
mod system;
mod tasks;
mod wiring;

use std::io;
use std::path::{Path, PathBuf};

use muniment_embedded_s3::Copies;
use muniment_runtime::Shutdown;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::room;
use crate::terminal::Terminal;

pub(crate) use settings::{INSTITUTION_BYTES_MAX, REGISTRY_TIMEOUT};
use store::StoreSettings;
pub use store::{StoreError, StoreKeys, StoreOptions};
use summary::summary;
pub(crate) use system::WORK;
pub use system::{Options, StartError, System, SystemDied};

/// Starts S3 endpoint, registry and workers, and keeps them running
///
/// Everything is in one folder, and nothing else is needed; with --s3, bags and copies are in an S3 store
/// elsewhere. Where to reach it and the operator's keys, which are good for everything, are printed and kept
/// in DIR/instance.json. Each depositor has keys that are good for its institution alone, and is given
/// DIR/depositors/DOMAIN.json, which has them. Stop it with Ctrl-C: bags on their way go on at the next
/// start, and so they do after a crash.
#[derive(Debug, clap::Args)]
pub struct UpSettings {
    #[command(flatten)]
    data: DataSettings,

    #[command(flatten)]
    store: StoreSettings,

    /// An institution that deposits; repeat it for more. Those that are there stay
    /// [default: test.edu and example.edu in a new folder]
    #[arg(long = "institution", value_name = "DOMAIN")]
    institutions: Vec<String>,

    /// Port of the S3 endpoint [default: the one of the last start, at first a free one]
    #[arg(long, env = "MUNIMENT_S3_PORT", value_name = "PORT")]
    s3_port: Option<u16>,

    /// Port of the registry [default: the one of the last start, at first a free one]
    #[arg(long, env = "MUNIMENT_REGISTRY_PORT", value_name = "PORT")]
    registry_port: Option<u16>,

    /// Host in the recorded URLs of copies: a name that stays true when ports change
    /// [default: the one of the last start, at first storage.muniment.localhost]
    #[arg(long, env = "MUNIMENT_STORAGE_HOST", value_name = "HOST")]
    storage_host: Option<String>,

    /// Keep the copies of a file in one place on the disk: half the space, but what damages one copy
    /// damages all. Without it every copy has bytes of its own. Copies that exist stay as they are
    #[arg(long, env = "MUNIMENT_SHARE_COPIES")]
    share_copies: bool,

    /// When stopped, write to this file how often each worker asked S3, registry and work store for what,
    /// and how many bytes went there and back, as JSON
    #[arg(long, env = "MUNIMENT_CALLS", value_name = "FILE")]
    calls: Option<PathBuf>,
}

pub async fn run(settings: &UpSettings, terminal: &Terminal) -> Result<Outcome, CommandError> {
    let options = Options {
        store: settings.store.options(),
        s3_port: settings.s3_port,
        registry_port: settings.registry_port,
        institutions: settings.institutions.clone(),
        storage_host: settings.storage_host.clone(),
        copies: if settings.share_copies {
            Copies::Shared
        } else {
            Copies::Apart
        },
        shutdown: Shutdown::default(),
        folder: settings.data.folder()?,
    };
    let shutdown = options.shutdown.clone();
    // Before anything starts, so that a stop during the start is not lost.
    let mut signals = JoinSet::new();
    let follower = shutdown.clone();
    signals.spawn(async move { follower.follow_signals().await });

    let system = match System::start(&options).await {
        Ok(system) => system,
        Err(error) => {
            tell_if_full(&options, terminal);
            return Err(error.into());
        }
    };
    terminal.say_lines(summary(system.instance(), &options));
    let died = tokio::select! {
        () = shutdown.soft.cancelled() => None,
        died = system.died() => Some(died),
        failed = signals.join_next() => match failed {
            Some(Ok(Err(source))) => return Err(CommandError::Signals(source)),
            Some(Ok(Ok(())) | Err(_)) | None => None,
        },
    };
    terminal.tell("stopping: bags on their way go on at the next start");
    // A second signal, followed meanwhile, drops the jobs that still run.
    system.stop().await;
    if let Some(file) = &settings.calls {
        write_calls(&system, file)?;
    }
    died.map_or(Ok(Outcome::AllWell), |died| Err(died.into()))
}

fn write_calls(system: &System, file: &Path) -> Result<(), CommandError> {
    let written = serde_json::to_vec_pretty(&system.meters().counts())
        .map_err(io::Error::from)
        .and_then(|json| std::fs::write(file, json));
    written.map_err(|source| CommandError::Calls {
        file: file.to_owned(),
        source,
    })
}

/// A start has to write, and what fails first without room seldom says why.
fn tell_if_full(options: &Options, terminal: &Terminal) {
    let folder = &options.folder;
    if room::is_full(folder) {
        let folder = folder.display();
        terminal.tell(format_args!(
            "the disk of {folder} is full: make room, and start again"
        ));
    }
}
