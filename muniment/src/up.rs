//! `muniment up`: the whole system in one process, staying up until it is told to stop.

mod folder;
pub mod instance;
pub mod lock;
mod services;
mod settings;
mod system;
mod tasks;
mod wiring;

use std::path::Path;

use muniment_runtime::Shutdown;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::terminal::Terminal;

use instance::Instance;
pub use system::{Options, StartFault, System, SystemDied};

/// Starts S3 endpoint, registry and workers, and keeps them running
///
/// Everything is in one folder, and nothing else is needed. Where to reach it and the keys are printed
/// and kept in DIR/instance.json. Stop it with Ctrl-C: bags on their way go on at the next start, and
/// so they do after a crash.
#[derive(Debug, clap::Args)]
pub struct UpSettings {
    #[command(flatten)]
    data: DataSettings,

    /// An institution that deposits; repeat it for more. Those that are there stay
    /// [default: test.edu and example.edu in a new folder]
    #[arg(long = "institution", value_name = "DOMAIN")]
    institutions: Vec<String>,

    /// Port of the S3 endpoint [default: a free one]
    #[arg(long, env = "MUNIMENT_S3_PORT", value_name = "PORT")]
    s3_port: Option<u16>,

    /// Port of the registry [default: a free one]
    #[arg(long, env = "MUNIMENT_REGISTRY_PORT", value_name = "PORT")]
    registry_port: Option<u16>,

    /// Host in the recorded URLs of copies: a name that stays true when ports change
    /// [default: the one of the last start, at first storage.muniment.localhost]
    #[arg(long, env = "MUNIMENT_STORAGE_HOST", value_name = "HOST")]
    storage_host: Option<String>,
}

pub async fn run(settings: &UpSettings, terminal: &Terminal) -> Result<Outcome, CommandError> {
    let options = Options {
        s3_port: settings.s3_port,
        registry_port: settings.registry_port,
        institutions: settings.institutions.clone(),
        storage_host: settings.storage_host.clone(),
        shutdown: Shutdown::default(),
        folder: settings.data.folder()?,
    };
    let shutdown = options.shutdown.clone();
    // Before anything starts, so that a stop during the start is not lost.
    let mut signals = JoinSet::new();
    let follower = shutdown.clone();
    signals.spawn(async move { follower.follow_signals().await });

    let system = System::start(&options).await?;
    terminal.say(summary(system.instance(), &options.folder));
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
    match died {
        Some(died) => Err(died.into()),
        None => Ok(Outcome::AllWell),
    }
}

/// What a person needs to begin.
fn summary(instance: &Instance, folder: &Path) -> String {
    let mut lines = vec![
        format!("Muniment is ready (pid {})", instance.pid),
        String::new(),
        format!("  Data folder    {}", folder.display()),
        format!("  S3 endpoint    {}", instance.s3.endpoint),
        format!("    region       {}", instance.s3.region),
        format!("    access key   {}", instance.s3.access_key),
        format!("    secret key   {}", instance.s3.secret_key),
        format!("  Registry       {}", instance.registry.url),
        format!("    user         {}", instance.registry.user),
        format!("    API key      {}", instance.registry.api_key),
        String::new(),
    ];
    for institution in &instance.institutions {
        let (name, bucket) = (&institution.identifier, &institution.receiving_bucket);
        lines.push(format!("  Bags of {name} go to the bucket {bucket}"));
    }
    lines.push(String::new());
    lines.push(format!(
        "All of this is in {}. Stop with Ctrl-C.",
        folder.join("instance.json").display()
    ));
    lines.join("\n")
}
