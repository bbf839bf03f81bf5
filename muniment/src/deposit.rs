//! `muniment deposit`: uploads bags over S3, and waits for their endings when told to.

mod bags;
mod folder_tar;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use muniment_model::registry::WorkItem;
use muniment_model::{ObjectKey, Status, WorkItemId};
use muniment_registry_client::RegistryClient;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::access::{BucketAccess, Deposits, RegistryAccess};
use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::follow::{self, FollowFault, Follower, Upload};
use crate::table;
use crate::terminal::Terminal;

pub(crate) use bags::{Bag, BagFault, find, of_tar};
pub(crate) use upload::{UploadFault, upload};

/// How often the registry is asked about one upload.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many uploads it is asked about at a time: a thousand bags must not be a thousand requests
/// a second. The others wait, which does not change how they end.
const FOLLOWED_MAX: usize = 16;
const BAR: &str =
    "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";

/// Uploads bags to a receiving bucket
///
/// Each FILE is a tar. A FOLDER is one bag if it holds a bagit.txt, and is packed while it is
/// uploaded; otherwise the tar files in it are uploaded. The bag's name is that of the file or folder.
/// To replace a bag, deposit the new one under the same name.
#[derive(Debug, clap::Args)]
pub(crate) struct DepositSettings {
    /// Tar files, bag folders, folders of tar files
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,

    /// Whose bags these are [default: the first institution of the data folder]
    #[arg(long, value_name = "DOMAIN")]
    institution: Option<String>,

    /// Wait until each bag has ended; exit code 0 only if all are Success
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    data: DataSettings,

    #[command(flatten)]
    bucket: BucketAccess,

    #[command(flatten)]
    registry: RegistryAccess,
}

pub(crate) async fn run(
    settings: &DepositSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let bags = find(&settings.paths)?;
    let institution = settings.institution.as_deref();
    let stop = CancellationToken::new();
    let deposits = settings.bucket.connect(&settings.data, institution, stop)?;
    if settings.wait {
        let registry = settings.registry.connect(&settings.data)?;
        return upload_and_wait(bags, &deposits, registry, terminal).await;
    }
    for bag in bags {
        upload_visibly(bag, &deposits, terminal).await?;
    }
    Ok(Outcome::AllWell)
}

/// Uploads one bag after the other, while those already uploaded are followed. One that cannot be
/// uploaded is the last one; those before it are followed to their endings all the same.
async fn upload_and_wait(
    bags: Vec<Bag>,
    deposits: &Deposits,
    registry: RegistryClient,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let followed = Arc::new(Semaphore::new(FOLLOWED_MAX));
    let mut endings = JoinSet::new();
    let mut failed = None;
    for bag in bags {
        let key = bag.key.clone();
        let upload = match upload_to_follow(bag, deposits, &registry, terminal).await {
            Ok(upload) => upload,
            Err(fault) => {
                if !endings.is_empty() {
                    terminal.tell(format_args!(
                        "{key}: not uploaded; waiting for the bags before it"
                    ));
                }
                failed = Some(fault);
                break;
            }
        };
        let (registry, followed, terminal) =
            (registry.clone(), Arc::clone(&followed), terminal.clone());
        endings.spawn(async move {
            // Never closed; were it, following without a turn would be the worst of it.
            let _turn = followed.acquire().await;
            show_ending(&registry, &upload, &terminal).await
        });
    }
    let outcome = wait_for_all(endings).await;
    failed.map_or(outcome, Err)
}

async fn upload_to_follow(
    bag: Bag,
    deposits: &Deposits,
    registry: &RegistryClient,
    terminal: &Terminal,
) -> Result<Upload, CommandError> {
    let (bucket, key) = (deposits.name.clone(), bag.key.clone());
    // Asked for before the upload, or the item of this one could count as an earlier one.
    let after = follow::newest(registry, &bucket, &key).await?;
    let etag = upload_visibly(bag, deposits, terminal).await?;
    Ok(Upload {
        bucket,
        key,
        etag,
        after,
    })
}

/// Waits until every bag has ended. One that cannot be followed does not end the others' wait.
async fn wait_for_all(
    mut endings: JoinSet<Result<WorkItem, FollowFault>>,
) -> Result<Outcome, CommandError> {
    let mut outcome = Ok(Outcome::AllWell);
    while let Some(ended) = endings.join_next().await {
        let item = match ended {
            Ok(Ok(item)) => Ok(item),
            Ok(Err(fault)) => Err(fault.into()),
            Err(fault) => Err(CommandError::Task(fault)),
        };
        outcome = match (outcome, item) {
            (Err(first), _) => Err(first),
            (Ok(_), Err(fault)) => Err(fault),
            (Ok(_), Ok(item)) if item.status != Status::Success => Ok(Outcome::NotAll),
            (Ok(so_far), Ok(_)) => Ok(so_far),
        };
    }
    outcome
}

async fn upload_visibly(
    bag: Bag,
    deposits: &Deposits,
    terminal: &Terminal,
) -> Result<Option<String>, CommandError> {
    let (key, size) = (bag.key.clone(), bag.size);
    let bar = terminal.bar(size, BAR);
    bar.set_message(key.to_string());
    let etag = upload(&deposits.bucket, bag, &bar).await;
    bar.finish_and_clear();
    let etag = etag?;
    let (bucket, size) = (&deposits.name, table::bytes(size));
    terminal.tell(format_args!("{key}: uploaded {size} to {bucket}"));
    Ok(etag)
}

/// Says each step to standard error and the ending to standard output.
async fn show_ending(
    registry: &RegistryClient,
    upload: &Upload,
    terminal: &Terminal,
) -> Result<WorkItem, FollowFault> {
    let bar = Spinner::new(&upload.key, terminal);
    let item = bar.until_ended(registry, upload).await;
    bar.line.finish_and_clear();
    let item = item?;
    terminal.say(format_args!(
        "{}: {}, {}",
        upload.key, item.status, item.note
    ));
    Ok(item)
}

/// A line about one upload: drawn again and again, or a new one for every step.
struct Spinner<'a> {
    key: &'a ObjectKey,
    terminal: &'a Terminal,
    line: ProgressBar,
}

impl<'a> Spinner<'a> {
    fn new(key: &'a ObjectKey, terminal: &'a Terminal) -> Self {
        let line = terminal.bar(0, "{spinner} {msg}");
        line.set_message(format!("{key}: waiting for its work item"));
        Self {
            key,
            terminal,
            line,
        }
    }

    async fn until_ended(
        &self,
        registry: &RegistryClient,
        upload: &Upload,
    ) -> Result<WorkItem, FollowFault> {
        let mut follower = Follower::new(registry, upload, LOOK_EVERY);
        let mut last = None;
        loop {
            let item = follower.look().await?;
            self.line.tick();
            let step = Some((item.stage, item.status));
            if last != step {
                self.step(&item);
            }
            if follow::is_over(&item) {
                return Ok(item);
            }
            last = step;
        }
    }

    fn step(&self, item: &WorkItem) {
        let (key, WorkItemId(id)) = (self.key, item.id);
        let text = format!("{key}: {} (work item {id}, {})", item.stage, item.status);
        if self.terminal.is_live() {
            self.line.set_message(text);
        } else if !follow::is_over(item) {
            self.terminal.tell(text);
        }
    }
}

#[cfg(test)]
mod tests;
