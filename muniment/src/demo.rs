//! `muniment demo`: the whole system on a fresh folder, and sample bags that go all the way.
//!
//! It starts what `muniment up` starts, deposits by S3 like any depositor, and judges
//! each ending by what the registry says. Nothing in the system knows that it is a demo.

mod progress;
mod report;
mod samples;
mod writing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use muniment_bag_builder::BagBuilder;
use muniment_model::registry::{IntellectualObject, WorkItem};
use muniment_model::{Clock, ObjectIdentifier};
use muniment_objects::Connections;
use muniment_runtime::SystemClock;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout};

use crate::access;
use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::follow::{self, FollowError, Follower, Upload};
use crate::terminal::Terminal;
use crate::up::{Options, System};
use crate::{Outcome, deposit, table};

use progress::Line;
use report::Played;
use samples::{Form, INSTITUTIONS, Sample};
use writing::Written;

/// Often enough to see the stages pass, and a small part of one core.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The whole demo takes seconds, on a busy machine minutes. What has not ended by then never does.
const SAMPLE_LIMIT: Duration = Duration::from_mins(10);
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
    let instance = system.instance();
    terminal.say(format_args!("Data folder  {}", folder.display()));
    terminal.say(format_args!("S3           {}", instance.s3.endpoint));
    terminal.say(format_args!("Registry     {}", instance.registry.url));
    terminal.say_lines(format_args!("Ready        after {ready}\n"));

    let stage = Arc::new(Stage {
        connections: Connections::new(system.shutdown().hard.clone()),
        system,
        samples_folder: folder.join("samples"),
        uploads: Semaphore::new(UPLOADS_MAX),
        terminal: terminal.clone(),
    });
    let played = play_all(&stage).await;
    stage.system.stop().await;
    let played = played?;

    terminal.say_lines(report::table(&played));
    terminal.say_lines(report::findings(&played));
    let verdict = report::verdict(&played, began.elapsed());
    terminal.say_lines(&verdict.text);
    terminal.say_lines(report::where_to_look(&folder));
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
        let holds_something =
            std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        let folder = folder.clone();
        if holds_something {
            return Err(CommandError::NotFresh { folder });
        }
        Ok(folder)
    }
}

/// Where the samples are played.
struct Stage {
    system: System,
    samples_folder: PathBuf,
    connections: Connections,
    uploads: Semaphore,
    terminal: Terminal,
}

/// All samples at once, as depositors do. Answers in the order of the samples.
async fn play_all(stage: &Arc<Stage>) -> Result<Vec<Played>, CommandError> {
    let mut playing = JoinSet::new();
    let samples = samples::all();
    let widest = samples.iter().map(|sample| sample.name.len()).max();
    let mut bars = Vec::new();
    for (n, sample) in samples.into_iter().enumerate() {
        let mut line = Line::new(sample.name, widest.unwrap_or_default(), &stage.terminal);
        bars.push(line.bar());
        let stage = Arc::clone(stage);
        playing.spawn(async move {
            let played = play(&stage, &sample, &mut line).await;
            played.map(|played| (n, played))
        });
    }
    let mut all = BTreeMap::new();
    while let Some(joined) = playing.join_next().await {
        all.extend([joined.map_err(CommandError::Task)??]);
    }
    bars.iter().for_each(ProgressBar::finish_and_clear);
    Ok(all.into_values().flatten().collect())
}

/// One sample: its deposit, and for a re-ingest the second one after the first has ended.
async fn play(
    stage: &Stage,
    sample: &Sample,
    line: &mut Line,
) -> Result<Vec<Played>, CommandError> {
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
    line: &mut Line,
) -> Result<Played, CommandError> {
    let permit = stage.uploads.acquire().await;
    line.say("being written");
    let written = write(bag, sample.form, &stage.samples_folder).await?;
    let began = Instant::now();
    line.say("being uploaded");
    let tar = deposit::of_tar(&written.path)?;
    let tar_bytes = tar.size;
    let instance = stage.system.instance();
    let bucket = access::receiving_bucket(instance, Some(sample.institution))?;
    let bucket = instance
        .receiving()
        .connect_depositor(&stage.connections, bucket);
    let (key, hidden) = (tar.key.clone(), ProgressBar::hidden());
    let stop = &stage.system.shutdown().soft;
    let upload = deposit::upload(&bucket, tar, &hidden, stop);
    let registry = stage.system.registry();
    let upload = deposit::upload_to_follow(registry, bucket.name(), key, upload).await?;
    drop(permit);
    line.say("uploaded");
    let watched = timeout(SAMPLE_LIMIT, watch(stage, &upload, line)).await;
    let item = watched.ok().transpose()?;
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

/// Shows each look at an upload, until the last.
async fn watch(stage: &Stage, upload: &Upload, line: &mut Line) -> Result<WorkItem, FollowError> {
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
    let object = stage.system.registry().object(&identifier).await;
    let object = object.map_err(CommandError::registry)?;
    Ok(object.filter(|object| object.work_item_id == item.id))
}

/// Writes and digests, so not on a thread that others wait for.
async fn write(bag: &BagBuilder, form: Form, folder: &Path) -> Result<Written, CommandError> {
    let (bag, folder) = (bag.clone(), folder.to_path_buf());
    let written = spawn_blocking(move || {
        let written = writing::write(&bag, form, &folder);
        written.map_err(|source| CommandError::Samples { folder, source })
    });
    written.await.map_err(CommandError::Task)?
}
