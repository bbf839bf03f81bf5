//! What a job is about, and what of it is looked at and written: a work item of the registry, or a
//! file, of which nothing is written at all.

use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{BatchNumber, Dependency, FileId, QueueName, Status, WorkItemId};
use muniment_registry_client::ClientError;
use muniment_work::{Claim, Message};
use tracing::{debug, warn};

use crate::gate::{Gate, decide};
use crate::item_write::{Holder, ItemWrite};
use crate::items::{ItemCache, SEEN_WITHIN, SEEN_WITHIN_OUTAGE, WaitingNotes};
use crate::job::JobError;
use crate::services::Services;

/// Another writer of the same item is rare (an operator); more than a few in a row is a fault.
const WRITE_TRIES_MAX: u32 = 3;
/// How long an item rests that was written by others all the time.
const WRITTEN_BY_OTHERS_DELAY: Duration = Duration::from_secs(1);

/// What a subject's look and writes need.
pub struct Desk {
    pub(crate) services: Services,
    pub(crate) queue: QueueName,
    pub(crate) holder: Holder,
    items: ItemCache,
    waiting: WaitingNotes,
}

impl Desk {
    pub(crate) fn new(services: Services, queue: QueueName) -> Self {
        let holder = Holder {
            node: services.node.clone(),
            pid: i64::from(std::process::id()),
        };
        Self {
            services,
            queue,
            holder,
            items: ItemCache::default(),
            waiting: WaitingNotes::default(),
        }
    }
}

/// What becomes of a claim whose subject is not, or no longer, to be worked on here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// The item is at another stage: its planner is published, and the message goes.
    Publish(QueueName),
    /// The message goes, and with it what an ended item has left.
    Drop { leftovers: bool },
    /// The item changes under our hands; look again later.
    Later(Duration),
}

/// What a job is about. Implemented by [`WorkItem`] and [`FileId`].
#[async_trait]
pub trait Subject: Clone + Sized + Send + Sync + 'static {
    /// Whether the registry has to answer before the job can begin.
    fn asks_registry(desk: &Desk, message: &Message) -> bool;

    /// Looks at the subject of a claim.
    async fn look(desk: &Desk, claim: &Claim) -> Result<Result<Self, Aside>, JobError>;

    /// Marks it as started.
    async fn start(desk: &Desk, claim: &Claim, seen: Self)
    -> Result<Result<Self, Aside>, JobError>;

    /// Writes what follows from a job. When the subject has gone elsewhere meanwhile, what the job
    /// came to is worthless, and nothing is written.
    async fn write(
        desk: &Desk,
        claim: &Claim,
        write: &ItemWrite,
    ) -> Result<Result<(), Aside>, JobError>;
}

const NOT_MINE: Aside = Aside::Drop { leftovers: false };

#[async_trait]
impl Subject for FileId {
    fn asks_registry(_desk: &Desk, _message: &Message) -> bool {
        false
    }

    async fn look(_desk: &Desk, claim: &Claim) -> Result<Result<Self, Aside>, JobError> {
        Ok(match claim.message.subject {
            muniment_work::Subject::File(file) => Ok(file),
            muniment_work::Subject::Item(_) => Err(NOT_MINE),
        })
    }

    async fn start(
        _desk: &Desk,
        _claim: &Claim,
        seen: Self,
    ) -> Result<Result<Self, Aside>, JobError> {
        Ok(Ok(seen))
    }

    async fn write(
        _desk: &Desk,
        _claim: &Claim,
        _write: &ItemWrite,
    ) -> Result<Result<(), Aside>, JobError> {
        Ok(Ok(()))
    }
}

#[async_trait]
impl Subject for WorkItem {
    fn asks_registry(desk: &Desk, message: &Message) -> bool {
        match (message.subject, message.batch) {
            (muniment_work::Subject::Item(id), Some(_batch)) => desk.seen_here(id).is_none(),
            (muniment_work::Subject::Item(_), None) => true,
            (muniment_work::Subject::File(_), _) => false,
        }
    }

    async fn look(desk: &Desk, claim: &Claim) -> Result<Result<Self, Aside>, JobError> {
        let message = &claim.message;
        match message.subject {
            muniment_work::Subject::Item(id) => desk.item_for(id, message.batch).await,
            muniment_work::Subject::File(_) => Ok(Err(NOT_MINE)),
        }
    }

    async fn start(
        desk: &Desk,
        claim: &Claim,
        seen: Self,
    ) -> Result<Result<Self, Aside>, JobError> {
        if claim.message.batch.is_some() || desk.holder.holds(&seen) {
            return Ok(Ok(seen));
        }
        let holder = desk.holder.clone();
        desk.write_item(claim, seen, &ItemWrite::Started { holder })
            .await
    }

    async fn write(
        desk: &Desk,
        claim: &Claim,
        write: &ItemWrite,
    ) -> Result<Result<(), Aside>, JobError> {
        let muniment_work::Subject::Item(id) = claim.message.subject else {
            return Ok(Err(NOT_MINE));
        };
        let found = match desk.seen_here(id) {
            Some(item) => Ok(item),
            None => desk.ask(id).await?,
        };
        let written = match found {
            Ok(item) if !desk.is_news(&item, write) => return Ok(Ok(())),
            Ok(item) => desk.write_item(claim, item, write).await?,
            Err(aside) => Err(aside),
        };
        Ok(written.map(|_item| ()))
    }
}

impl Desk {
    /// The item, if it is at this worker's stage. Batches arrive by the hundred and begin on what
    /// was seen last.
    async fn item_for(
        &self,
        id: WorkItemId,
        batch: Option<BatchNumber>,
    ) -> Result<Result<WorkItem, Aside>, JobError> {
        match batch.and_then(|_batch| self.seen_here(id)) {
            Some(seen) => Ok(Ok(seen)),
            None => self.ask(id).await,
        }
    }

    /// What was seen last, if the item was here then. That it was elsewhere is no answer: it may
    /// have been sent back since.
    fn seen_here(&self, id: WorkItemId) -> Option<WorkItem> {
        let within = if self.services.outages.is_away(&Dependency::Registry) {
            SEEN_WITHIN_OUTAGE
        } else {
            SEEN_WITHIN
        };
        self.items
            .seen(id, within)
            .filter(|item| decide(Some(item), self.queue) == Gate::Take)
    }

    /// The bag's size, which a batch's message does not say.
    pub(crate) fn bag_bytes(&self, message: &Message) -> u64 {
        let seen = match message.subject {
            muniment_work::Subject::Item(id) => self.items.seen(id, SEEN_WITHIN_OUTAGE),
            muniment_work::Subject::File(_) => None,
        };
        seen.map_or(message.size_bytes, |item| item.size)
    }

    async fn ask(&self, id: WorkItemId) -> Result<Result<WorkItem, Aside>, JobError> {
        let found = self.services.registry.work_item(id).await?;
        self.services.outages.is_back(&Dependency::Registry);
        if let Some(item) = &found {
            self.items.remember(item);
        }
        let leftovers = found.as_ref().is_none_or(|item| item.status.is_ended());
        Ok(match decide(found.as_ref(), self.queue) {
            Gate::Take => found.ok_or(Aside::Drop { leftovers }),
            Gate::Publish(queue) => Err(Aside::Publish(queue)),
            Gate::Drop(reason) => {
                debug!(worker = %self.queue, work_item = %id, reason, "dropped");
                Err(Aside::Drop { leftovers })
            }
        })
    }

    /// Whether a write is worth its call. An item that waits is looked at every few seconds: it is
    /// written when it has something else to say, and at most once a minute.
    fn is_news(&self, item: &WorkItem, write: &ItemWrite) -> bool {
        let ItemWrite::Waiting { attempt: None, .. } = write else {
            return true;
        };
        if item.status != Status::Pending {
            return true;
        }
        let wanted = write.apply(item, self.services.clock.now());
        let says_so = WorkItem {
            date_processed: wanted.date_processed,
            ..item.clone()
        };
        wanted != says_so && self.waiting.may_write(item.id)
    }

    /// Writes the item with `If-Match`. When it was written by another meanwhile, looks again and
    /// writes only if the item is still at this stage and the lease still ours.
    async fn write_item(
        &self,
        claim: &Claim,
        mut item: WorkItem,
        write: &ItemWrite,
    ) -> Result<Result<WorkItem, Aside>, JobError> {
        let id = item.id;
        for _ in 0..WRITE_TRIES_MAX {
            let wanted = write.apply(&item, self.services.clock.now());
            match self.services.registry.update_work_item(&wanted).await {
                Ok(written) => {
                    self.services.outages.is_back(&Dependency::Registry);
                    self.items.remember(&written);
                    return Ok(Ok(written));
                }
                Err(ClientError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.items.forget(id);
            self.services.work.renew(&claim.lease).await?;
            match self.ask(id).await? {
                Ok(fresh) => item = fresh,
                Err(aside) => return Ok(Err(aside)),
            }
        }
        warn!(work_item = %id, "the work item is written by others all the time");
        Ok(Err(Aside::Later(WRITTEN_BY_OTHERS_DELAY)))
    }
}
