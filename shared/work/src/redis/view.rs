//! The look at a Redis: it reads the item's slot and then the queue's. It is for people, and nothing is decided by it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use muniment_model::{BatchNumber, FileRecord, QueueName, WorkItemId};

use super::{RedisUrl, RedisWork};
use crate::view::{ItemView, WorkView};
use crate::{QueuedMessage, Records as _, WorkError};

/// A work store to look at.
pub(crate) struct RedisView {
    store: RedisWork,
}

impl RedisView {
    pub(crate) async fn open(url: &RedisUrl, name: &str) -> Result<Self, WorkError> {
        let store = RedisWork::open(url, name).await?;
        Ok(Self::of(store))
    }

    pub(crate) fn of(store: RedisWork) -> Self {
        Self { store }
    }
}

#[async_trait]
impl WorkView for RedisView {
    async fn item(&self, item: WorkItemId) -> Result<ItemView, WorkError> {
        let object = readable(self.store.object(item).await)?;
        let checkpoint = readable(self.store.checkpoint(item).await)?;
        let batches = self.store.batch_sizes(item).await?;
        let mut done = BTreeMap::new();
        for queue in QueueName::ALL {
            let marked = self.store.done_batches(item, *queue).await?;
            if !marked.is_empty() {
                done.insert(*queue, marked);
            }
        }
        let mut scripts = self.store.scripts();
        let entries = self.store.call("view", 0, scripts.entries_of(item)).await?;
        Ok(ItemView {
            object,
            checkpoint,
            batches,
            done,
            messages: entries.into_iter().map(QueuedMessage::from).collect(),
        })
    }

    async fn files(
        &self,
        item: WorkItemId,
        batch: BatchNumber,
    ) -> Result<Vec<FileRecord>, WorkError> {
        self.store.files(item, batch).await
    }

    async fn items_after(
        &self,
        after: WorkItemId,
        max: usize,
    ) -> Result<Vec<WorkItemId>, WorkError> {
        self.store.items_after(after, max).await
    }
}

/// A record that cannot be read hides nothing else; a server that does not answer hides all.
fn readable<T>(read: Result<T, WorkError>) -> Result<Result<T, WorkError>, WorkError> {
    match read {
        Err(error @ (WorkError::UnknownSchema { .. } | WorkError::Unreadable { .. })) => {
            Ok(Err(error))
        }
        read => read.map(Ok),
    }
}
