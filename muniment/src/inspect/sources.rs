//! The places that know of an item, and what each of them says. All are asked for reading only.
//!
//! A person waits for the answer, so each place has a few seconds.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use muniment_model::registry::WorkItem;
use muniment_model::{Chain, WorkItemId};
use muniment_objects::{Connections, StagingBucket};
use muniment_registry_client::{ClientError, RegistryClient};
use muniment_work::{ItemView, WorkError, WorkLocation, WorkView};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::document::{EventsToCome, IndexPart, Inspection, NotKnown, Registered, WorkPart};
use super::summary::{self, Summary};
use crate::error::CommandError;
use crate::item::ItemName;
use crate::up::WORK;
use crate::up::instance::Instance;

/// As long as `muniment status` waits for a page.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How many items of the work store are looked at in one step.
const ITEMS_MAX: usize = 1_000;

pub(super) struct Sources {
    registry: RegistryClient,
    staging: StagingBucket,
    /// The staging bucket is there only while `muniment up` runs.
    is_staging_ours: bool,
    /// `None` where no `muniment up` has made one yet.
    work: Option<Result<Box<dyn WorkView>, WorkError>>,
}

/// What the registry says of the item.
struct FromRegistry {
    registered: Registered,
    not_known: Vec<NotKnown>,
    answers: bool,
}

impl Sources {
    /// Of a data folder. Only that there is one is looked at: a place that is away is told of later.
    pub(super) async fn open(folder: &Path) -> Result<Self, CommandError> {
        let instance = Instance::read(folder)?;
        let registry = instance.registry.settings().connect();
        let connections = Connections::new(CancellationToken::new());
        let file = folder.join(WORK);
        let work = if file.exists() {
            Some(WorkLocation::Sqlite(file).look().await)
        } else {
            None
        };
        Ok(Self {
            registry: registry.map_err(CommandError::registry)?,
            staging: instance.staging().connect(&connections),
            is_staging_ours: !instance.is_elsewhere(),
            work,
        })
    }

    /// Which item is meant: by the registry, or where that is away by the work store, which has the open
    /// items that have begun.
    pub(super) async fn find(&self, name: &ItemName) -> Result<WorkItemId, CommandError> {
        if let ItemName::Id(id) = name {
            return Ok(*id);
        }
        let found = timeout(SILENCE_MAX, name.find(&self.registry)).await;
        match found.unwrap_or(Err(CommandError::RegistrySilent)) {
            Ok(item) => Ok(item.id),
            Err(away @ (CommandError::RegistryAway(_) | CommandError::RegistrySilent)) => {
                self.find_in_work(name).await?.ok_or(away)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_in_work(&self, name: &ItemName) -> Result<Option<WorkItemId>, CommandError> {
        let Some(Ok(work)) = &self.work else {
            return Ok(None);
        };
        let mut found = Vec::new();
        let mut after = WorkItemId::default();
        loop {
            let items = work.items_after(after, ITEMS_MAX).await;
            let items = items.map_err(CommandError::Work)?;
            let Some(last) = items.last() else { break };
            after = *last;
            for item in items {
                let view = work.item(item).await.map_err(CommandError::Work)?;
                if let Ok(Some(object)) = &view.object
                    && name.is_of(&object.institution, object.tar.key.as_str())
                {
                    found.push(item);
                }
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            [_, ..] => {
                let ids: Vec<_> = found.iter().map(ToString::to_string).collect();
                Err(CommandError::SeveralItems {
                    name: name.to_string(),
                    ids: ids.join(", "),
                })
            }
        }
    }

    /// Everything that is known of the item, with up to `files_max` of its files.
    pub(super) async fn inspect(
        &self,
        id: WorkItemId,
        files_max: Option<usize>,
        now: DateTime<Utc>,
    ) -> Inspection {
        let mut from = self.ask_registry(id).await;
        let staged_index = self.index(id, &mut from).await;
        let mut inspection = Inspection {
            work_item_id: id,
            inspected_at: now,
            not_known: from.not_known,
            registry: from.registered,
            work_store: WorkPart::default(),
            staged_index,
            events_to_come: EventsToCome::default(),
            files: None,
            files_left_out: None,
        };
        self.add_work(&mut inspection, files_max).await;
        inspection
    }

    async fn ask_registry(&self, id: WorkItemId) -> FromRegistry {
        let mut from = FromRegistry {
            registered: Registered::default(),
            not_known: Vec::new(),
            answers: true,
        };
        match in_time(self.registry.work_item(id)).await {
            Ok(item) => from.registered.work_item = item,
            Err(error) => {
                from.answers = false;
                from.not_known.push(not_known("registry", &error));
                return from;
            }
        }
        if from.registered.work_item.is_some() {
            match in_time(self.registry.recorded(id)).await {
                Ok(recorded) => from.registered.recorded = Some(recorded),
                Err(error) => from.not_known.push(not_known("recorded", &error)),
            }
        }
        from
    }

    async fn index(&self, id: WorkItemId, from: &mut FromRegistry) -> Option<IndexPart> {
        let reason = if from.answers || !self.is_staging_ours {
            match timeout(SILENCE_MAX, workers::index::look(&self.staging, id)).await {
                Ok(Ok(view)) => {
                    return Some(IndexPart {
                        batches: view.batches,
                        end: view.has_end,
                        storing: view.is_storing,
                        returns: view.returns,
                        restagings: view.restagings,
                    });
                }
                Ok(Err(error)) => Chain(&error).to_string(),
                Err(_elapsed) => "the S3 endpoint has not answered for 10 s".to_owned(),
            }
        } else {
            "not asked, as the registry does not answer: both are parts of `muniment up`".to_owned()
        };
        from.not_known.push(NotKnown {
            source: "staged_index",
            reason,
        });
        None
    }

    async fn add_work(&self, inspection: &mut Inspection, files_max: Option<usize>) {
        let not_known = &mut inspection.not_known;
        let unreadable = |error: &WorkError| NotKnown {
            source: "work_store",
            reason: Chain(error).to_string(),
        };
        let work = match &self.work {
            None => return,
            Some(Ok(work)) => work,
            Some(Err(error)) => return not_known.push(unreadable(error)),
        };
        let view = match work.item(inspection.work_item_id).await {
            Ok(view) => view,
            Err(error) => return not_known.push(unreadable(&error)),
        };
        let item = inspection.registry.work_item.as_ref();
        let mut summary = Summary::new(item, &view, files_max.unwrap_or_default());
        let mut failed = None;
        for batch in view.batches.keys() {
            match work.files(inspection.work_item_id, *batch).await {
                Ok(records) => summary.add(*batch, &records),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let summary = summary.finish();
        inspection.work_store = of_work(&view, item, not_known);
        not_known.extend(failed.map(|error| NotKnown {
            source: "file_records",
            reason: Chain(&error).to_string(),
        }));
        inspection.work_store.files = summary.counts;
        inspection.events_to_come = summary.events;
        if files_max.is_some() {
            inspection.files = Some(summary.files);
            inspection.files_left_out = Some(summary.files_left_out);
        }
    }
}

/// All but the files.
fn of_work(view: &ItemView, item: Option<&WorkItem>, not_known: &mut Vec<NotKnown>) -> WorkPart {
    let mut unreadable = |source, error: &WorkError| {
        not_known.push(NotKnown {
            source,
            reason: Chain(error).to_string(),
        });
    };
    let object = match &view.object {
        Ok(object) => object.as_ref().map(summary::of_object),
        Err(error) => {
            unreadable("object", error);
            None
        }
    };
    let checkpoint = match &view.checkpoint {
        Ok(checkpoint) => checkpoint.as_ref().map(summary::of_checkpoint),
        Err(error) => {
            unreadable("checkpoint", error);
            None
        }
    };
    let messages = view.messages.iter();
    WorkPart {
        object,
        batches: summary::of_batches(view),
        checkpoint,
        messages: messages
            .map(|message| summary::of_message(message, item))
            .collect(),
        ..WorkPart::default()
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, CommandError> {
    match timeout(SILENCE_MAX, answer).await {
        Ok(answer) => answer.map_err(CommandError::of_operator),
        Err(_elapsed) => Err(CommandError::RegistrySilent),
    }
}

fn not_known(source: &'static str, error: &CommandError) -> NotKnown {
    NotKnown {
        source,
        reason: Chain(error).to_string(),
    }
}
