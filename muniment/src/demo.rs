//! `muniment demo`: the whole system on a fresh folder, and sample bags that go all the way.
//!
//! It starts what `muniment up` starts, deposits through the same door as any depositor, and judges
//! each ending by what the registry says. Nothing in the system knows that it is a demo.

mod progress;
mod report;
mod samples;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use muniment_bagit::build::BagBuilder;
use muniment_model::registry::{IntellectualObject, WorkItem};
use muniment_model::{Clock, ObjectIdentifier};
use muniment_registry_client::ClientError;
use muniment_runtime::SystemClock;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::access::{self, Deposits};
use crate::data_folder::DataSettings;
use crate::deposit::Bag;
use crate::error::CommandError;
use crate::follow::{self, FollowFault, Follower, Upload};
use crate::terminal::Terminal;
use crate::up::{Options, System};
use crate::{Outcome, deposit, table};

use progress::Line;
use report::Played;
use samples::{Form, INSTITUTIONS, Sample};
use writing::Written;

/// Often enough to see the stages pass, and a small part of one core.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The whole demo takes less than a minute. What has not ended by then stands still.
const SAMPLE_LIMIT: Duration = Duration::from_mins(3);
/// How many bags are written and uploaded at a time; more would only share the same disk.
const UPLOADS_MAX: usize = 3;

/// Starts everything on a fresh folder, deposits sample bags, and shows how each one ends
///
/// The bags are good ones by both profiles with every storage option, one of each common mistake, a
/// re-ingest and a large one. Exit code 0 only if each ended as it should. The folder is kept.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoSettings {
    /// A new or empty folder for the demo [default: a new one in ~/.local/share/muniment/demo]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) async fn run(
    settings: &DemoSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let folder = settings.fresh_folder(SystemClock.now())?;
    let began = Instant::now();
    let options = Options {
        institutions: INSTITUTIONS.map(str::to_owned).to_vec(),
        ..Options::on(folder.clone())
    };
    let system = System::start(&options).await?;
    let ready = table::duration(began.elapsed());
    terminal.say(format_args!("Data folder  {}", folder.display()));
    terminal.say(format_args!(
        "S3           {}",
        system.instance().s3.endpoint
    ));
    terminal.say(format_args!(
        "Registry     {}",
        system.instance().registry.url
    ));
    terminal.say(format_args!("Ready        after {ready}\n"));

    let stage = Arc::new(Stage::new(system, &folder, terminal.clone())?);
    let played = play_all(&stage).await;
    stage.system.stop().await;
    let played = played?;

    terminal.say(report::table(&played));
    terminal.say(report::findings(&played));
    let verdict = report::verdict(&played, began.elapsed());
    terminal.say(&verdict.text);
    terminal.say(report::where_to_look(&folder));
    Ok(verdict.outcome)
}

impl DemoSettings {
    /// A folder that holds nothing yet.
    fn fresh_folder(&self, now: DateTime<Utc>) -> Result<PathBuf, CommandError> {
        let Some(folder) = &self.data else {
            let name = format!("{}-{}", now.format("%Y-%m-%dT%H%M%S"), std::process::id());
            return Ok(DataSettings::default().folder()?.join("demo").join(name));
        };
        // A folder that cannot be read is not there, or will be complained about when it is used.
        let is_empty =
            std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty {
            return Err(CommandError::NotFresh {
                folder: folder.clone(),
            });
        }
        Ok(folder.clone())
    }
}

/// Where the samples are played.
struct Stage {
    system: System,
    samples_folder: PathBuf,
    deposits: Vec<(&'static str, Deposits)>,
    uploads: Semaphore,
    terminal: Terminal,
}

impl Stage {
    fn new(system: System, folder: &Path, terminal: Terminal) -> Result<Self, CommandError> {
        let instance = system.instance();
        let stop = system.shutdown().hard.clone();
        let mut deposits = Vec::new();
        for name in INSTITUTIONS {
            let bucket = access::receiving_bucket(instance, Some(name))?;
            let connected = Deposits::new(&instance.receiving(), bucket, stop.clone());
            deposits.push((name, connected));
        }
        Ok(Self {
            system,
            samples_folder: folder.join("samples"),
            deposits,
            uploads: Semaphore::new(UPLOADS_MAX),
            terminal,
        })
    }

    fn deposits_of(&self, sample: &Sample) -> Option<&Deposits> {
        let mut deposits = self.deposits.iter();
        deposits
            .find(|(name, _)| *name == sample.institution)
            .map(|(_, deposits)| deposits)
    }
}

/// All samples at once, as depositors do. Answers in the order of the samples.
async fn play_all(stage: &Arc<Stage>) -> Result<Vec<Played>, CommandError> {
    let mut playing = JoinSet::new();
    let samples = samples::all();
    let widest = samples.iter().map(|sample| sample.name.len()).max();
    let mut bars = Vec::new();
    for (n, sample) in samples.into_iter().enumerate() {
        let line = Line::new(sample.name, widest.unwrap_or_default(), &stage.terminal);
        bars.push(line.bar());
        let stage = Arc::clone(stage);
        playing.spawn(async move {
            let played = play(&stage, &sample, &line).await;
            played.map(|played| (n, played))
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = playing.join_next().await {
        all.push(joined.map_err(CommandError::Task)??);
    }
    all.sort_by_key(|(n, _)| *n);
    bars.iter().for_each(ProgressBar::finish_and_clear);
    Ok(all.into_iter().flat_map(|(_, played)| played).collect())
}

/// One sample: its deposit, and for a re-ingest the second one after the first has ended.
async fn play(stage: &Stage, sample: &Sample, line: &Line) -> Result<Vec<Played>, CommandError> {
    let first = deposit_once(stage, sample, &sample.bag(), line).await?;
    let mut played = vec![first];
    if let Some(bag) = sample.second_bag() {
        let mut second = deposit_once(stage, sample, &bag, line).await?;
        second.name = format!("{} (again)", sample.name);
        played.push(second);
    }
    Ok(played)
}

async fn deposit_once(
    stage: &Stage,
    sample: &Sample,
    bag: &BagBuilder,
    line: &Line,
) -> Result<Played, CommandError> {
    let turn = stage.uploads.acquire().await;
    line.say("being written");
    let written = write(bag, sample.form, &stage.samples_folder).await?;
    let began = Instant::now();
    line.say("being uploaded");
    let tar = deposit::of_tar(&written.path)?;
    let tar_bytes = tar.size;
    let upload = upload(stage, sample, tar).await?;
    drop(turn);
    line.say("uploaded");
    let item = match timeout(SAMPLE_LIMIT, watch(stage, &upload, line)).await {
        Ok(item) => Some(item?),
        Err(_elapsed) => None,
    };
    let object = match &item {
        Some(item) => recorded(stage, sample, item).await?,
        None => None,
    };
    let played = Played {
        name: sample.name.to_owned(),
        institution: sample.institution,
        expected: sample.expected,
        item,
        object,
        tar_files: written.files,
        tar_bytes,
        took: began.elapsed(),
    };
    line.end(&played);
    Ok(played)
}

/// Puts a tar into the bucket of the sample's institution.
async fn upload(stage: &Stage, sample: &Sample, tar: Bag) -> Result<Upload, CommandError> {
    let Some(deposits) = stage.deposits_of(sample) else {
        unreachable!("every sample belongs to one of the demo's institutions");
    };
    let key = tar.key.clone();
    let after = follow::newest(stage.system.registry(), &deposits.name, &key).await?;
    let etag = deposit::upload(&deposits.bucket, tar, &ProgressBar::hidden()).await?;
    Ok(Upload {
        bucket: deposits.name.clone(),
        key,
        etag,
        after,
    })
}

/// Shows each look at an upload, until the last.
async fn watch(stage: &Stage, upload: &Upload, line: &Line) -> Result<WorkItem, FollowFault> {
    let mut follower = Follower::new(stage.system.registry(), upload, LOOK_EVERY);
    loop {
        let item = follower.look().await?;
        line.show(&item, stage.system.work().as_ref()).await;
        if follow::is_over(&item) {
            return Ok(item);
        }
    }
}

/// The object that a bag became, if it became one.
async fn recorded(
    stage: &Stage,
    sample: &Sample,
    item: &WorkItem,
) -> Result<Option<IntellectualObject>, CommandError> {
    let identifier = ObjectIdentifier::new(sample.institution, sample.name);
    let object: Result<_, ClientError> = stage.system.registry().object(&identifier).await;
    let object = object.map_err(CommandError::registry)?;
    Ok(object.filter(|object| object.work_item_id == item.id))
}

/// Writes and digests, so not on a thread that others wait for.
async fn write(bag: &BagBuilder, form: Form, folder: &Path) -> Result<Written, CommandError> {
    let (bag, folder) = (bag.clone(), folder.to_path_buf());
    let failed = folder.clone();
    let mut task = JoinSet::new();
    task.spawn_blocking(move || writing::write(&bag, form, &folder));
    match task.join_next().await {
        Some(joined) => {
            joined
                .map_err(CommandError::Task)?
                .map_err(|source| CommandError::Samples {
                    folder: failed,
                    source,
                })
        }
        None => unreachable!("a task was spawned"),
    }
}
