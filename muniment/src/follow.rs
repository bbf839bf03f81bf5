//! Waits for the ending of an upload or of a work item, by the registry alone.
//!
//! A work item is known by bucket, key and etag; those that were there before the upload began are
//! not it, so the same bytes can be deposited twice and each deposit finds its own item. Reads only.

use std::time::Duration;

use muniment_model::registry::WorkItem;
use muniment_model::{BucketName, ObjectKey, Status, WorkItemId};
use muniment_registry_client::{ClientError, Order, PageRequest, RegistryClient, WorkItemQuery};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::error::CommandError;
use crate::item::ItemName;

/// The bucket reader of a large installation looks every few minutes. Who waits longer than this
/// for an item waits for nothing.
const APPEARS_WITHIN: Duration = Duration::from_mins(15);

/// What was put where.
#[derive(Clone, Debug)]
pub struct Upload {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// Without quotes; `None` when the upload was gone before it could be asked for.
    pub etag: Option<String>,
    /// The newest item of this bucket and key before the upload.
    pub after: WorkItemId,
}

#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("cannot ask the registry how {key} goes")]
    Registry { key: ObjectKey, source: ClientError },
    #[error(
        "no work item has appeared for {key} within {} minutes; is a bucket reader running?",
        APPEARS_WITHIN.as_secs() / 60
    )]
    NeverSeen { key: ObjectKey },
}

impl FollowError {
    fn registry(key: &ObjectKey) -> impl FnOnce(ClientError) -> Self {
        move |source| Self::Registry {
            key: key.clone(),
            source,
        }
    }
}

/// The newest item for this bucket and key, to tell those of earlier uploads from the next one.
pub async fn newest(
    registry: &RegistryClient,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<WorkItemId, FollowError> {
    let query = WorkItemQuery {
        order: Some(Order::Descending("id")),
        ..query_for(bucket, key)
    };
    let newest = first(registry, &query, key).await?;
    Ok(newest.map(|item| item.id).unwrap_or_default())
}

/// Looks at the work item of one upload, again and again.
pub struct Follower<'a> {
    registry: &'a RegistryClient,
    upload: &'a Upload,
    ticks: Interval,
    began: Instant,
    known: Option<WorkItemId>,
}

impl<'a> Follower<'a> {
    pub fn new(registry: &'a RegistryClient, upload: &'a Upload, period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            registry,
            upload,
            ticks,
            began: Instant::now(),
            known: None,
        }
    }

    /// The item at the next look. Waits for the item to appear; call it until [`is_over`].
    pub async fn look(&mut self) -> Result<WorkItem, FollowError> {
        let key = &self.upload.key;
        let query = WorkItemQuery {
            etag: self.upload.etag.clone(),
            after_id: Some(self.upload.after),
            order: Some(Order::Ascending("id")),
            ..query_for(&self.upload.bucket, key)
        };
        loop {
            self.ticks.tick().await;
            let item = match self.known {
                Some(id) => {
                    let item = self.registry.work_item(id).await;
                    item.map_err(FollowError::registry(key))?
                }
                None => first(self.registry, &query, key).await?,
            };
            if let Some(item) = item {
                self.known = Some(item.id);
                return Ok(item);
            }
            if self.began.elapsed() > APPEARS_WITHIN {
                return Err(FollowError::NeverSeen { key: key.clone() });
            }
        }
    }
}

/// Waits until the item has ended or an operator has to act, and answers what it is then. `on_step` is told
/// of each stage and status that is seen on the way.
pub(crate) async fn to_its_end(
    registry: &RegistryClient,
    mut item: WorkItem,
    period: Duration,
    on_step: impl Fn(&WorkItem),
) -> Result<WorkItem, CommandError> {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    while !is_over(&item) {
        let step = Some((item.stage, item.status));
        if last != step {
            on_step(&item);
            last = step;
        }
        ticks.tick().await;
        item = ItemName::Id(item.id).find(registry).await?;
    }
    Ok(item)
}

/// Whether waiting longer is in vain: the item has ended, or an operator has to act.
pub fn is_over(item: &WorkItem) -> bool {
    item.status.is_ended() || item.status == Status::Suspended
}

fn query_for(bucket: &BucketName, key: &ObjectKey) -> WorkItemQuery {
    WorkItemQuery {
        bucket: Some(bucket.to_string()),
        name: Some(key.to_string()),
        ..WorkItemQuery::default()
    }
}

async fn first(
    registry: &RegistryClient,
    query: &WorkItemQuery,
    key: &ObjectKey,
) -> Result<Option<WorkItem>, FollowError> {
    let page = PageRequest {
        page: 1,
        per_page: 1,
    };
    let listing = registry.work_items(query, page).await;
    let listing = listing.map_err(FollowError::registry(key))?;
    Ok(listing.results.into_iter().next())
}
