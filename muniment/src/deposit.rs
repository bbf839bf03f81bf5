//! `muniment deposit`: uploads bags over S3, and waits for their endings when told to.

mod bags;
mod folder_tar;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muniment_model::{BucketName, ObjectKey, Status, WorkItemId};
use muniment_objects::DepositBucket;
use muniment_registry_client::RegistryClient;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::access::{BucketAccess, Installation, RegistryAccess};
use crate::error::CommandError;
use crate::follow::{self, Follower, Upload};
use crate::table;
use crate::terminal::{BYTES_BAR, Terminal, one_line};

pub(crate) use bags::{Bag, BagFault, find, of_tar};
pub(crate) use upload::{UploadError, upload};

/// How often the registry is asked about one upload.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many uploads it is asked about at a time: a thousand bags must not be a thousand requests
/// a second. The others wait, which does not change how they end.
const FOLLOWED_MAX: usize = 16;

/// Uploads bags to a receiving bucket
///
/// Each FILE is a tar. A FOLDER is one bag if it holds a bagit.txt, and is packed while it is
/// uploaded; otherwise the tar files in it are uploaded. The bag's name is that of the file or folder.
/// To replace a bag, deposit the new one under the same name.
///
/// A depositor names the file it was given (`--instance FILE`) and needs nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct DepositSettings {
    /// Tar files, bag folders, folders of tar files
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,

    /// Whose bags these are [default: the depositor's own, or the first institution of the data folder]
    #[arg(long, value_name = "DOMAIN")]
    institution: Option<String>,

    /// Wait until each bag has ended; exit code 0 only if all are Success
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    installation: Installation,

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
    let bucket = settings
        .bucket
        .connect(&settings.installation, institution)?;
    if settings.wait {
        let registry = settings.registry.connect(&settings.installation)?;
        return upload_and_wait(bags, &bucket, registry, terminal).await;
    }
    for bag in bags {
        upload_visibly(bag, &bucket, terminal).await?;
    }
    Ok(Outcome::AllWell)
}

/// Uploads one bag after the other, while those already uploaded are followed. One that cannot be
/// uploaded is the last one; those before it are followed to their endings all the same.
async fn upload_and_wait(
    bags: Vec<Bag>,
    bucket: &DepositBucket,
    registry: RegistryClient,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let followed = Arc::new(Semaphore::new(FOLLOWED_MAX));
    let mut endings = JoinSet::new();
    let mut failed = None;
    for bag in bags {
        let key = bag.key.clone();
        let upload = upload_visibly(bag, bucket, terminal);
        let upload = upload_to_follow(&registry, bucket.name(), key.clone(), upload);
        let upload = match upload.await {
            Ok(upload) => upload,
            Err(error) => {
                if !endings.is_empty() {
                    terminal.tell(format_args!(
                        "{key}: not uploaded; waiting for the bags before it"
                    ));
                }
                failed = Some(error);
                break;
            }
        };
        let (registry, followed, terminal) =
            (registry.clone(), Arc::clone(&followed), terminal.clone());
        endings.spawn(async move {
            // Never closed; if it were, more would be followed at a time than are allowed.
            let _permit = followed.acquire().await;
            show_ending(&registry, &upload, &terminal).await
        });
    }
    let outcome = wait_for_all(endings).await;
    failed.map_or(outcome, Err)
}

/// Makes an upload so that it can be followed.
pub(crate) async fn upload_to_follow(
    registry: &RegistryClient,
    bucket: &BucketName,
    key: ObjectKey,
    upload: impl Future<Output = Result<Option<String>, UploadError>>,
) -> Result<Upload, CommandError> {
    // Asked for before the upload, or the item of this one could count as an earlier one.
    let after = follow::newest(registry, bucket, &key).await?;
    let etag = upload.await?;
    Ok(Upload {
        bucket: bucket.clone(),
        key,
        etag,
        after,
    })
}

/// Waits until every bag has ended. One that cannot be followed does not end the others' wait.
async fn wait_for_all(
    mut endings: JoinSet<Result<Outcome, CommandError>>,
) -> Result<Outcome, CommandError> {
    let mut outcome = Ok(Outcome::AllWell);
    while let Some(ended) = endings.join_next().await {
        outcome = match (outcome, ended.map_err(CommandError::Task).flatten()) {
            (Err(first), _) => Err(first),
            (Ok(Outcome::NotAll), Ok(_)) => Ok(Outcome::NotAll),
            (Ok(_), ended) => ended,
        };
    }
    outcome
}

async fn upload_visibly(
    bag: Bag,
    bucket: &DepositBucket,
    terminal: &Terminal,
) -> Result<Option<String>, UploadError> {
    let (key, size) = (bag.key.clone(), bag.size);
    let bar = terminal.bar(size, BYTES_BAR);
    bar.set_message(one_line(&key));
    let etag = upload(bucket, bag, &bar).await;
    bar.finish_and_clear();
    let etag = etag?;
    let (bucket, size) = (bucket.name(), table::bytes(size));
    terminal.tell(format_args!("{key}: uploaded {size} to {bucket}"));
    Ok(etag)
}

/// Says each step to standard error and the ending to standard output.
async fn show_ending(
    registry: &RegistryClient,
    upload: &Upload,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let key = &upload.key;
    let line = terminal.bar(0, "{spinner} {msg}");
    line.set_message(one_line(format_args!("{key}: waiting for its work item")));
    let mut last = None;
    let mut follower = Follower::new(registry, upload, LOOK_EVERY);
    let ended = loop {
        let looked = follower.look().await;
        let Ok(item) = &looked else { break looked };
        line.tick();
        let step = Some((item.stage, item.status));
        let WorkItemId(id) = item.id;
        let text = format!("{key}: {} (work item {id}, {})", item.stage, item.status);
        let is_over = follow::is_over(item);
        // A new line for each step where none can be drawn again.
        if terminal.is_live() {
            line.set_message(one_line(text));
        } else if last != step && !is_over {
            terminal.tell(text);
        }
        if is_over {
            break looked;
        }
        last = step;
    };
    line.finish_and_clear();
    let item = ended?;
    terminal.say(format_args!("{key}: {}, {}", item.status, item.note));
    if item.status == Status::Success {
        return Ok(Outcome::AllWell);
    }
    Ok(Outcome::NotAll)
}

#[cfg(test)]
mod tests;
