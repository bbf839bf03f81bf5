//! What a job is about, and what of it is looked at and written: a work item of the registry, or a
//! file, of which nothing is written at all.

use std::time::Duration;

use async_trait::async_trait;
use muniment_model::registry::WorkItem;
use muniment_model::{FileId, QueueName, WorkItemId};
use muniment_registry_client::ClientError;
use muniment_work::{Claim, Message};
use tracing::{debug, info, warn};

use crate::gate::{Gate, decide};
use crate::item_write::{Holder, ItemWrite};
use crate::items::ItemCache;
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
        }
    }
}

/// Whether a claim's subject is to be worked on.
pub enum Admission<S> {
    Take(S),
    /// This planner is published instead.
    Publish(QueueName),
    /// The message goes, and with it what an ended item has left.
    Drop {
        leftovers: bool,
    },
    /// The item changes under our hands; look again later.
    Later(Duration),
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Yes,
    /// The subject has gone elsewhere meanwhile; what we know of it is worthless.
    MovedOn,
}

/// What a job is about. Implemented by [`WorkItem`] and [`FileId`].
#[async_trait]
pub trait Subject: Sized + Send + Sync + 'static {
    /// Looks at the subject of a claim, and marks it as started.
    async fn admit(desk: &Desk, claim: &Claim) -> Result<Admission<Self>, JobError>;

    /// Writes what follows from a job.
    async fn write(desk: &Desk, claim: &Claim, write: &ItemWrite) -> Result<Written, JobError>;
}

#[async_trait]
impl Subject for FileId {
    async fn admit(_desk: &Desk, claim: &Claim) -> Result<Admission<Self>, JobError> {
        Ok(match claim.message.subject {
            muniment_work::Subject::File(file) => Admission::Take(file),
            muniment_work::Subject::Item(_) => Admission::Drop { leftovers: false },
        })
    }

    async fn write(_desk: &Desk, _claim: &Claim, _write: &ItemWrite) -> Result<Written, JobError> {
        Ok(Written::Yes)
    }
}

#[async_trait]
impl Subject for WorkItem {
    async fn admit(desk: &Desk, claim: &Claim) -> Result<Admission<Self>, JobError> {
        let message = &claim.message;
        let muniment_work::Subject::Item(id) = message.subject else {
            return Ok(Admission::Drop { leftovers: false });
        };
        let found = desk.item_for(id, message).await?;
        match decide(found.as_ref(), desk.queue, message.batch) {
            Gate::Publish(queue) => return Ok(Admission::Publish(queue)),
            Gate::Drop(reason) => {
                debug!(worker = %desk.queue, work_item = %id, reason, "dropped");
                let leftovers = found.is_none_or(|item| item.status.is_ended());
                return Ok(Admission::Drop { leftovers });
            }
            Gate::Take => {}
        }
        let Some(item) = found else {
            return Ok(Admission::Drop { leftovers: true });
        };
        if message.batch.is_some() || desk.holder.holds(&item) {
            return Ok(Admission::Take(item));
        }
        let holder = desk.holder.clone();
        let written = desk
            .write_item(claim, item, &ItemWrite::Started { holder })
            .await?;
        Ok(match written {
            Some(started) => Admission::Take(started),
            None => Admission::Later(WRITTEN_BY_OTHERS_DELAY),
        })
    }

    async fn write(desk: &Desk, claim: &Claim, write: &ItemWrite) -> Result<Written, JobError> {
        let muniment_work::Subject::Item(id) = claim.message.subject else {
            return Ok(Written::MovedOn);
        };
        let found = match desk.items.recent(id) {
            Some(item) => Some(item),
            None => desk.services.registry.work_item(id).await?,
        };
        let Some(item) = found.filter(|item| decide(Some(item), desk.queue, None) == Gate::Take)
        else {
            info!(worker = %desk.queue, work_item = %id, "the work item has moved on");
            return Ok(Written::MovedOn);
        };
        let written = desk.write_item(claim, item, write).await?;
        Ok(written.map_or(Written::MovedOn, |_item| Written::Yes))
    }
}

impl Desk {
    async fn item_for(
        &self,
        id: WorkItemId,
        message: &Message,
    ) -> Result<Option<WorkItem>, JobError> {
        if message.batch.is_some()
            && let Some(seen) = self.items.recent(id)
        {
            return Ok(Some(seen));
        }
        let item = self.services.registry.work_item(id).await?;
        if let Some(item) = &item {
            self.items.remember(item);
        }
        Ok(item)
    }

    /// Writes the item with `If-Match`. When it was written by another meanwhile, looks again and
    /// writes only if the item is still at this stage and the lease still ours.
    async fn write_item(
        &self,
        claim: &Claim,
        mut item: WorkItem,
        write: &ItemWrite,
    ) -> Result<Option<WorkItem>, JobError> {
        let id = item.id;
        for _ in 0..WRITE_TRIES_MAX {
            let wanted = write.apply(&item, self.services.clock.now());
            match self.services.registry.update_work_item(&wanted).await {
                Ok(written) => {
                    self.items.remember(&written);
                    return Ok(Some(written));
                }
                Err(ClientError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.items.forget(id);
            self.services.work.renew(&claim.lease).await?;
            match self.services.registry.work_item(id).await? {
                Some(fresh) if decide(Some(&fresh), self.queue, None) == Gate::Take => item = fresh,
                Some(_) | None => return Ok(None),
            }
        }
        warn!(work_item = %id, "the work item is written by others all the time");
        Ok(None)
    }
}
