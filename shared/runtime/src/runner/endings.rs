//! The work of a claim from its gate to its ending. See the order of effects in [`super`].

use std::time::Duration;

use muniment_model::registry::WorkItem;
use muniment_model::{BatchNumber, Queue, Status};
use muniment_registry_client::ClientError;
use muniment_work::{Claim, Message, Settlement};
use tracing::{debug, error, info, warn};

use super::{Performed, Runner};
use crate::ending::{Ending, crash_loop, ending_of};
use crate::gate::{Gate, decide};
use crate::item_writes;
use crate::job::{Final, Job, JobError, Worker};

/// Another writer of the same item is rare (an operator); more than a few in a row is a fault.
const WRITE_TRIES_MAX: u32 = 3;

/// How long a worker claims nothing after an outage. Shorter than the item itself waits, so that
/// one closed bucket does not hold up the bags of all other institutions.
const OUTAGE_PAUSE: Duration = Duration::from_secs(2);

/// What came of writing a work item.
enum Written {
    Yes(Box<WorkItem>),
    /// The item has gone somewhere else meanwhile; what we know of it is worthless.
    MovedOn,
}

impl<W: Worker> Runner<W> {
    /// Looks at the item, marks it started, and does the work.
    pub(super) async fn perform(&self, claim: &Claim) -> Performed {
        let item = match self.admit(claim).await {
            Ok(Ok(item)) => item,
            Ok(Err(settlement)) => return Performed::Gated(settlement),
            Err(error) => return Performed::Job(Err(error)),
        };
        let job = Job {
            item,
            batch: claim.message.batch,
            attempt: claim.attempt,
            lease: claim.lease,
            work: std::sync::Arc::clone(&self.services.work),
            stop: self.shutdown.soft.child_token(),
        };
        Performed::Job(self.worker.run(&job).await)
    }

    async fn admit(&self, claim: &Claim) -> Result<Result<WorkItem, Settlement>, JobError> {
        let message = &claim.message;
        if let Some(halted) = crash_loop(claim.attempt, &W::SPEC) {
            return Err(halted);
        }
        let item = self.item_for(message).await?;
        match decide(item.as_ref(), message.queue, message.batch) {
            Gate::Later(delay) => return Ok(Err(Settlement::Wait(delay))),
            Gate::Publish(queue) => {
                self.publish(message, queue, None).await?;
                return Ok(Err(Settlement::Done));
            }
            Gate::Drop(reason) => {
                debug!(worker = %W::SPEC.queue, work_item = %message.item, reason, "dropped");
                if item.is_none_or(|item| item.status.is_ended()) {
                    self.services.work.drop_item(message.item).await?;
                }
                return Ok(Err(Settlement::Done));
            }
            Gate::Take => {}
        }
        let Some(item) = item else {
            return Ok(Err(Settlement::Done));
        };
        if message.batch.is_some() || self.holder.holds(&item) {
            return Ok(Ok(item));
        }
        let now = self.services.clock.now();
        let started = self
            .write_item(claim, &item, |item| {
                item_writes::started(item, &self.holder, now)
            })
            .await?;
        match started {
            Written::Yes(started) => Ok(Ok(*started)),
            Written::MovedOn => Ok(Err(Settlement::Wait(Duration::ZERO))),
        }
    }

    async fn item_for(&self, message: &Message) -> Result<Option<WorkItem>, JobError> {
        if message.batch.is_some()
            && let Some(seen) = self.items.recent(message.item)
        {
            return Ok(Some(seen));
        }
        let item = self.services.registry.work_item(message.item).await?;
        if let Some(item) = &item {
            self.items.remember(item);
        }
        Ok(item)
    }

    /// Writes the item with `If-Match`. When somebody else wrote it meanwhile, looks again and
    /// writes only if the item is still at this stage and the lease still ours.
    async fn write_item(
        &self,
        claim: &Claim,
        item: &WorkItem,
        change: impl Fn(&WorkItem) -> WorkItem,
    ) -> Result<Written, JobError> {
        let mut current = item.clone();
        for _ in 0..WRITE_TRIES_MAX {
            let error = match self
                .services
                .registry
                .update_work_item(&change(&current))
                .await
            {
                Ok(written) => {
                    self.items.remember(&written);
                    return Ok(Written::Yes(Box::new(written)));
                }
                Err(error) => error,
            };
            if !matches!(error, ClientError::VersionConflict { .. }) {
                return Err(error.into());
            }
            self.items.forget(item.id);
            self.services.work.renew(&claim.lease).await?;
            let Some(fresh) = self.services.registry.work_item(item.id).await? else {
                return Ok(Written::MovedOn);
            };
            if decide(Some(&fresh), W::SPEC.queue, None) != Gate::Take {
                return Ok(Written::MovedOn);
            }
            current = fresh;
        }
        warn!(work_item = %item.id, "the work item is written by somebody else all the time");
        Ok(Written::MovedOn)
    }

    /// Records an ending: the item, then the next message, then the acknowledgement.
    pub(super) async fn end(
        &self,
        claim: &Claim,
        result: Result<crate::job::Step, JobError>,
    ) -> Result<(), JobError> {
        let id = claim.message.item;
        let ending = ending_of(result, claim.attempt, &W::SPEC);
        if let Ending::NeedsOperator { note } = &ending {
            error!(worker = %W::SPEC.queue, work_item = %id, note, "needs an operator");
        } else {
            debug!(worker = %W::SPEC.queue, work_item = %id, ?ending, "job ended");
        }
        if matches!(ending, Ending::Leave) {
            return Ok(());
        }
        self.services.work.renew(&claim.lease).await?;
        let settlement = self.record(claim, ending).await?;
        Ok(self.services.work.settle(&claim.lease, settlement).await?)
    }

    async fn record(&self, claim: &Claim, ending: Ending) -> Result<Settlement, JobError> {
        let message = &claim.message;
        let now = self.services.clock.now();
        match ending {
            Ending::Leave => Ok(Settlement::Done),
            Ending::Advance { to, note, intended } => {
                self.write_by_id(claim, |item| {
                    item_writes::advanced(item, to, intended, &note, now)
                })
                .await?;
                self.publish_stage(message, to.queue()).await?;
                info!(worker = %W::SPEC.queue, work_item = %message.item, stage = %to, note);
                Ok(Settlement::Done)
            }
            Ending::Split(batches) => {
                for batch in batches {
                    self.publish(message, W::SPEC.queue, Some(batch)).await?;
                }
                Ok(Settlement::Done)
            }
            Ending::BatchDone { last } => {
                if last {
                    self.publish(message, W::SPEC.queue, None).await?;
                }
                Ok(Settlement::Done)
            }
            Ending::End(end) => self.record_end(claim, &end).await,
            Ending::NeedsDepositor { note } => self.intend(claim, Status::Failed, &note).await,
            Ending::Cancel { note } => self.intend(claim, Status::Cancelled, &note).await,
            Ending::NeedsOperator { note } => {
                self.write_by_id(claim, |item| item_writes::suspended(item, &note, now))
                    .await?;
                Ok(Settlement::Done)
            }
            Ending::RetryAfter { delay, note } => self.record_retry(claim, delay, &note).await,
            Ending::Wait { delay, note } => {
                if let Some(note) = note {
                    self.write_by_id(claim, |item| item_writes::waiting(item, &note, now))
                        .await?;
                }
                Ok(Settlement::Wait(delay))
            }
            Ending::Outage { delay, cause } => {
                error!(worker = %W::SPEC.queue, work_item = %message.item, cause,
                    "a service is away; claims pause");
                self.pause_claims(OUTAGE_PAUSE);
                if message.batch.is_none() {
                    let note = format!("Waiting for a service that is away: {cause}");
                    self.write_by_id(claim, |item| item_writes::waiting(item, &note, now))
                        .await
                        .unwrap_or_else(|error| {
                            debug!(?error, "nor does the registry answer");
                            false
                        });
                }
                Ok(Settlement::Wait(delay))
            }
            Ending::HandBack => {
                if message.batch.is_none() {
                    self.write_by_id(claim, |item| item_writes::pending(item, now))
                        .await?;
                }
                Ok(Settlement::HandBack)
            }
        }
    }

    async fn record_retry(
        &self,
        claim: &Claim,
        delay: Duration,
        note: &str,
    ) -> Result<Settlement, JobError> {
        let message = &claim.message;
        warn!(worker = %W::SPEC.queue, work_item = %message.item, attempt = claim.attempt, note,
            "will be tried again");
        if message.batch.is_none() {
            let now = self.services.clock.now();
            let attempt = (claim.attempt, W::SPEC.attempts_max);
            self.write_by_id(claim, |item| {
                item_writes::retrying(item, note, attempt, now + delay, now)
            })
            .await?;
        }
        Ok(Settlement::RetryAfter(delay))
    }

    /// Writes the intended ending, which Cleanup obeys.
    async fn intend(
        &self,
        claim: &Claim,
        status: Status,
        note: &str,
    ) -> Result<Settlement, JobError> {
        let message = &claim.message;
        let now = self.services.clock.now();
        self.write_by_id(claim, |item| {
            item_writes::ending_in(item, status, note, now)
        })
        .await?;
        info!(worker = %W::SPEC.queue, work_item = %message.item, intended = %status, note);
        self.publish(message, Queue::IngestCleanup, None).await?;
        Ok(Settlement::Done)
    }

    /// The item's last write, then its records go. A crash between the two leaves a message whose
    /// claim finds the item ended and drops the records.
    async fn record_end(&self, claim: &Claim, end: &Final) -> Result<Settlement, JobError> {
        let id = claim.message.item;
        let now = self.services.clock.now();
        let written = self
            .write_by_id(claim, |item| item_writes::ended(item, end, now))
            .await?;
        self.items.forget(id);
        if written {
            info!(worker = %W::SPEC.queue, work_item = %id, status = %end.status,
                outcome = end.outcome);
            self.services.work.drop_item(id).await?;
        }
        Ok(Settlement::Done)
    }

    /// Writes the item as last seen, or as the registry has it when it was not seen lately.
    /// Answers whether it was written: not when the item has gone somewhere else meanwhile.
    async fn write_by_id(
        &self,
        claim: &Claim,
        change: impl Fn(&WorkItem) -> WorkItem,
    ) -> Result<bool, JobError> {
        let id = claim.message.item;
        let item = match self.items.recent(id) {
            Some(item) => Some(item),
            None => self.services.registry.work_item(id).await?,
        };
        let Some(item) = item else { return Ok(false) };
        if decide(Some(&item), W::SPEC.queue, None) == Gate::Take
            && let Written::Yes(_) = self.write_item(claim, &item, change).await?
        {
            return Ok(true);
        }
        info!(worker = %W::SPEC.queue, work_item = %id, "the work item has moved on");
        Ok(false)
    }

    async fn publish_stage(&self, from: &Message, queue: Option<Queue>) -> Result<(), JobError> {
        match queue {
            Some(queue) => self.publish(from, queue, None).await,
            None => Ok(()),
        }
    }

    async fn publish(
        &self,
        from: &Message,
        queue: Queue,
        batch: Option<BatchNumber>,
    ) -> Result<(), JobError> {
        let message = Message {
            queue,
            batch,
            ..from.clone()
        };
        Ok(self.services.work.publish(&message).await?)
    }
}
