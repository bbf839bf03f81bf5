//! `muniment deposit`: uploads bags over S3, and waits for their endings when told to.

mod bags;
mod folder_tar;
mod upload;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muniment_model::{BucketName, ObjectKey, Status, WorkItemId};
use muniment_objects::DepositBucket;
use muniment_registry_client::RegistryClient;
use muniment_runtime::Shutdown;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
/// To replace a bag, deposit the new one under the same name. Ctrl-C gives up the bag that is being
/// uploaded, of which nothing stays in the bucket, and says which ones are not uploaded; exit code 130.
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
    let shutdown = Shutdown::default();
    let mut signals = JoinSet::new();
    let follower = shutdown.clone();
    signals.spawn(async move { follower.follow_signals().await });

    let stop = &shutdown.soft;
    let institution = settings.institution.as_deref();
    let bucket = settings
        .bucket
        .connect(&settings.installation, institution, stop)?;
    let deposit = Deposit {
        bucket: &bucket,
        stop,
        terminal,
    };
    let deposited = async {
        if settings.wait {
            let registry = settings.registry.connect(&settings.installation)?;
            return deposit.upload_and_wait(bags, registry).await;
        }
        deposit.upload_all(bags).await
    };
    tokio::select! {
        outcome = deposited => outcome,
        // Told twice, or an abort has no answer: what is open in the bucket stays open.
        () = shutdown.hard.cancelled() => Ok(Outcome::Stopped),
        Some(Ok(Err(source))) = signals.join_next() => Err(CommandError::Signals(source)),
    }
}

/// Where bags go, and who may end that.
#[derive(Clone, Copy)]
struct Deposit<'a> {
    bucket: &'a DepositBucket,
    stop: &'a CancellationToken,
    terminal: &'a Terminal,
}

impl Deposit<'_> {
    async fn upload_all(self, bags: Vec<Bag>) -> Result<Outcome, CommandError> {
        let mut left = Left::of(&bags);
        for bag in bags {
            match self.upload_visibly(bag).await {
                Ok(_etag) => left.uploaded(),
                Err(error) => return self.ended_early(&left, error.into()),
            }
        }
        Ok(Outcome::AllWell)
    }

    /// Uploads one bag after the other, while those already uploaded are followed. One that cannot be
    /// uploaded is the last one; those before it are followed to their endings all the same.
    async fn upload_and_wait(
        self,
        bags: Vec<Bag>,
        registry: RegistryClient,
    ) -> Result<Outcome, CommandError> {
        let followed = Arc::new(Semaphore::new(FOLLOWED_MAX));
        let mut endings = JoinSet::new();
        let mut left = Left::of(&bags);
        let mut failed = None;
        for bag in bags {
            let key = bag.key.clone();
            let upload = self.upload_visibly(bag);
            let upload = upload_to_follow(&registry, self.bucket.name(), key.clone(), upload);
            let upload = match upload.await {
                Ok(upload) => upload,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            left.uploaded();
            let (registry, followed, terminal) = (
                registry.clone(),
                Arc::clone(&followed),
                self.terminal.clone(),
            );
            endings.spawn(async move {
                // Never closed; if it were, more would be followed at a time than are allowed.
                let _permit = followed.acquire().await;
                show_ending(&registry, &upload, &terminal).await
            });
        }
        let failed = failed.map(|error| self.ended_early(&left, error));
        if failed.is_some() && !endings.is_empty() && !self.stop.is_cancelled() {
            self.terminal.tell("waiting for the bags before it");
        }
        let waited = self.stop.run_until_cancelled(wait_for_all(endings)).await;
        if let Some(outcome) = waited {
            return failed.unwrap_or(outcome);
        }
        let outcome = failed.unwrap_or_else(|| Ok(self.stopped(&left)));
        if left.has_uploaded() {
            self.terminal.tell(
                "no longer waiting: what was uploaded is ingested all the same, and `muniment \
                 status` says how it ends",
            );
        }
        outcome
    }

    /// Says which bags are not deposited. Those before were named when they had been uploaded.
    fn ended_early(self, left: &Left, error: CommandError) -> Result<Outcome, CommandError> {
        for key in &left.keys {
            self.terminal.tell(format_args!("{key}: not uploaded"));
        }
        if self.stop.is_cancelled() {
            return Ok(self.stopped(left));
        }
        Err(error)
    }

    fn stopped(self, left: &Left) -> Outcome {
        self.terminal.tell(format_args!("told to stop: {left}"));
        Outcome::Stopped
    }

    async fn upload_visibly(self, bag: Bag) -> Result<Option<String>, UploadError> {
        let (key, size) = (bag.key.clone(), bag.size);
        let bar = self.terminal.bar(size, BYTES_BAR);
        bar.set_message(one_line(&key));
        let etag = upload(self.bucket, bag, &bar, self.stop).await;
        bar.finish_and_clear();
        let etag = etag?;
        let (bucket, size) = (self.bucket.name(), table::bytes(size));
        self.terminal
            .tell(format_args!("{key}: uploaded {size} to {bucket}"));
        Ok(etag)
    }
}

/// The bags that are not uploaded yet, in order.
struct Left {
    keys: VecDeque<ObjectKey>,
    all: usize,
}

impl Left {
    fn of(bags: &[Bag]) -> Self {
        Self {
            keys: bags.iter().map(|bag| bag.key.clone()).collect(),
            all: bags.len(),
        }
    }

    fn uploaded(&mut self) {
        self.keys.pop_front();
    }

    fn has_uploaded(&self) -> bool {
        self.keys.len() < self.all
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uploaded, all) = (self.all - self.keys.len(), self.all);
        write!(f, "{uploaded} of {all} bags were uploaded")
    }
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
