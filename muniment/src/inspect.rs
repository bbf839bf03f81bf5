//! `muniment inspect`: everything that is known of one work item, from all places that know of it.
//!
//! It reads only. A place that does not answer hides none of the others: what could not be asked is part of
//! the answer. `sources` asks, `summary` counts, `document` is the answer, `text` shows it to people.

mod document;
mod sources;
mod summary;
mod text;

use muniment_model::Clock as _;
use muniment_runtime::SystemClock;

use crate::Outcome;
use crate::access::Installation;
use crate::error::CommandError;
use crate::item::ItemName;
use crate::terminal::Terminal;
use document::Inspection;
use sources::Sources;

/// Shows everything that is known of one work item; for operators
///
/// It reads the registry's row, the work store of the data folder (the record of the object, its files by
/// state, batches, the checkpoint of pass one, messages and leases), what the index in the staging bucket
/// has, and says which PREMIS events will be recorded when the item goes on. It changes nothing, and may be
/// used while `muniment up` runs. Where that does not run, the registry and the staging bucket cannot be asked:
/// it says so, and shows what the work store has.
#[derive(Debug, clap::Args)]
#[command(after_long_help = ABOUT_THE_ANSWER)]
pub(crate) struct InspectSettings {
    /// The id of a work item, as `muniment status` shows it; or the name of a bag (photos, photos.tar,
    /// test.edu/photos) of which exactly one item has not ended
    #[arg(value_name = "ITEM")]
    item: ItemName,

    /// Show the file records, too, at most this many of them [default with --files alone: 100]
    #[arg(
        long,
        value_name = "COUNT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100"
    )]
    files: Option<usize>,

    /// Print the same facts as one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    installation: Installation,
}

const ABOUT_THE_ANSWER: &str = "\
Examples:
  muniment inspect 12                   why is item 12 where it is?
  muniment inspect test.edu/photos      the one item of that bag that has not ended
  muniment inspect 12 --files=1000      with up to 1,000 of its files
  muniment inspect 12 --json | jq .work_store.messages

The members of the JSON document; one that is not known is null, and `not_known` says why:
  work_item_id, inspected_at
  not_known[]       source (registry, recorded, work_store, object, checkpoint, file_records,
                    staged_index), reason
  registry          work_item (the registry's row), recorded (intellectual_object_id, files,
                    storage_records)
  work_store        object (identifier, bucket, key, etag, size, last_modified, storage_option, batches,
                    files, payload_files, payload_bytes, errors, warnings, registered_id, storing_since,
                    recorded_id), files (records, folders, digested, staged, repeated, unchanged, to_save,
                    copies and verified by storage target), batches[] (batch, files, size_bytes, done_by[]),
                    checkpoint (tar_offset, batch, in_batch, files, inside), messages[] (queue, batch, state, due_at,
                    lease, attempts, vanished, vanished_alone, files, size_bytes)
  .. lease          until, holder (node, pid), alone, published_again
  staged_index      batches[], end, storing, returns, restagings
  events_to_come    object and files (numbers by event type), total, may_change, none_because
  files[]           with --files: path, batch, kind, size, state, copies[], events_to_come
  files_left_out    how many more there are

A message without batch is the planner of its step. Attempts and vanished holders count since the last
progress; an attempt under way is counted. `holder` is known of planners only. Events of a batch that is just
being recorded are among those to come.

Exit code 0 when the item is known anywhere, 1 when it is not or could not be looked for, 2 for arguments
that cannot be understood.";

pub(crate) async fn run(
    settings: &InspectSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    if settings.installation.instance.is_some() {
        return Err(CommandError::NeedsDataFolder);
    }
    let sources = Sources::open(&settings.installation.data.folder()?).await?;
    let item = sources.find(&settings.item).await?;
    let now = SystemClock.now();
    let inspection: Inspection = sources.inspect(item, settings.files, now).await;
    if !inspection.is_known() {
        return Err(inspection.unknown());
    }
    if settings.json {
        let text = serde_json::to_string_pretty(&inspection).map_err(CommandError::Json)?;
        terminal.say_lines(text);
    } else {
        terminal.say_lines(text::render(&inspection).trim_end());
    }
    Ok(Outcome::AllWell)
}
