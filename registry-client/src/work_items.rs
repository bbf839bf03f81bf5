//! Work items: one upload each, updated under their version.

use chrono::{DateTime, Utc};
use muniment_model::registry::{Listing, ObjectLock, Recorded, TakeLock, WorkItem};
use muniment_model::{Action, InstitutionId, ObjectIdentifier, Stage, Status, WorkItemId};
use reqwest::StatusCode;

use crate::exchange::Call;
use crate::paging::{Order, PageRequest};
use crate::{ClientError, RegistryClient};

/// What became of a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeItem {
    New(WorkItem),
    /// The upload had its item already; this is it.
    Existing(WorkItem),
}

impl MadeItem {
    pub fn into_item(self) -> WorkItem {
        match self {
            Self::New(item) | Self::Existing(item) => item,
        }
    }
}

/// Who holds the lock of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockAnswer {
    /// Ours, until the item ends.
    Taken,
    /// This item's. It, or an item that came before ours, must end first.
    HeldBy(WorkItemId),
}

/// Which work items to list. Empty means all.
#[derive(Clone, Debug, Default)]
pub struct WorkItemQuery {
    pub institution: Option<InstitutionId>,
    pub action: Option<Action>,
    pub bucket: Option<String>,
    pub name: Option<String>,
    pub etag: Option<String>,
    pub stages: Vec<Stage>,
    pub statuses: Vec<Status>,
    pub needs_admin_review: Option<bool>,
    pub object_id: Option<i64>,
    /// Only items with a greater id: for reading all of a list that changes meanwhile.
    pub after_id: Option<WorkItemId>,
    /// By default the last updated come first.
    pub order: Option<Order>,
}

impl WorkItemQuery {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        let mut push = |name, value: Option<String>| {
            if let Some(value) = value {
                query.push((name, value));
            }
        };
        push("institution_id", self.institution.map(|id| id.to_string()));
        push("action", self.action.map(|action| action.to_string()));
        push("bucket", self.bucket.clone());
        push("name", self.name.clone());
        push("etag", self.etag.clone());
        for stage in &self.stages {
            push("stage__in", Some(stage.to_string()));
        }
        for status in &self.statuses {
            push("status__in", Some(status.to_string()));
        }
        push(
            "needs_admin_review",
            self.needs_admin_review.map(|review| review.to_string()),
        );
        push(
            "intellectual_object_id",
            self.object_id.map(|id| id.to_string()),
        );
        push("id__gt", self.after_id.map(|id| id.to_string()));
        push("sort", self.order.as_ref().map(Order::parameter));
        query
    }
}

impl RegistryClient {
    pub async fn work_item(&self, id: WorkItemId) -> Result<Option<WorkItem>, ClientError> {
        let call = Call::get(format!("items/show/{id}"));
        self.fetch_if_any(&call).await
    }

    /// Makes the item, or finds the one that the same upload has.
    ///
    /// Idempotent: an ingest is known by bucket, key, etag and last-modified.
    pub async fn create_work_item(&self, item: &WorkItem) -> Result<MadeItem, ClientError> {
        let call = Call::post(format!("items/create/{}", item.institution_id), item)?;
        let answer = self.exchange(&call).await?;
        let stored = answer.read()?;
        Ok(if answer.status == StatusCode::CREATED {
            MadeItem::New(stored)
        } else {
            MadeItem::Existing(stored)
        })
    }

    /// Replaces the item, if it still is at the version that `item` has.
    ///
    /// Idempotent: when an answer was lost, the repetition finds a newer version. It is ours if
    /// it is the next one and says what we sent.
    pub async fn update_work_item(&self, item: &WorkItem) -> Result<WorkItem, ClientError> {
        let call = Call::put(format!("items/update/{}", item.id), item)?.if_match(item.version);
        let refused = match self.fetch(&call).await {
            Ok(stored) => return Ok(stored),
            Err(error @ ClientError::VersionConflict { .. }) => error,
            Err(error) => return Err(error),
        };
        match self.work_item(item.id).await? {
            Some(stored) if stored.version == item.version + 1 && says_the_same(&stored, item) => {
                Ok(stored)
            }
            Some(_) | None => Err(refused),
        }
    }

    pub async fn work_items(
        &self,
        query: &WorkItemQuery,
        page: PageRequest,
    ) -> Result<Listing<WorkItem>, ClientError> {
        self.page("items", query.parameters(), page).await
    }

    /// Every item that a worker is to touch, in the order of their ids, a page at a time. Suspended
    /// items are left out: they wait for an operator.
    pub fn open_work_items(&self) -> OpenItems {
        OpenItems {
            client: self.clone(),
            after: Some(WorkItemId(0)),
        }
    }

    /// Asks for the lock of the object. Idempotent: who has it keeps it.
    pub async fn take_lock(
        &self,
        id: WorkItemId,
        object: &ObjectIdentifier,
    ) -> Result<LockAnswer, ClientError> {
        let ask = TakeLock {
            object_identifier: object.as_str().to_owned(),
        };
        let call = Call::post(format!("items/take_lock/{id}"), &ask)?.or(StatusCode::CONFLICT);
        let answer = self.exchange(&call).await?;
        if answer.status != StatusCode::CONFLICT {
            answer.read::<ObjectLock>()?;
            return Ok(LockAnswer::Taken);
        }
        match serde_json::from_slice::<ObjectLock>(&answer.body) {
            Ok(lock) => Ok(LockAnswer::HeldBy(lock.holder)),
            // A conflict of another kind, or a page of something in front of the registry.
            Err(_no_lock) => Err(answer.into_error()),
        }
    }

    /// What this item has recorded so far: its object, and how many files and copies.
    pub async fn recorded(&self, id: WorkItemId) -> Result<Recorded, ClientError> {
        self.fetch(&Call::get(format!("items/recorded/{id}"))).await
    }
}

/// The open items, a page at a time. Pages follow each other by id, so an item that ends meanwhile
/// hides no other.
pub struct OpenItems {
    client: RegistryClient,
    /// The last id seen; `None` after the last page.
    after: Option<WorkItemId>,
}

impl OpenItems {
    /// The next page, never empty; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<WorkItem>>, ClientError> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let query = WorkItemQuery {
            statuses: vec![Status::Pending, Status::Started],
            after_id: Some(after),
            order: Some(Order::Ascending("id")),
            ..WorkItemQuery::default()
        };
        let listing = self.client.work_items(&query, PageRequest::LONGEST).await?;
        self.after = match listing.results.last() {
            // A page that does not go forward would be asked for again for ever.
            Some(last) if last.id > after && !listing.next.is_empty() => Some(last.id),
            Some(_) | None => None,
        };
        Ok((!listing.results.is_empty()).then_some(listing.results))
    }
}

/// Whether a stored item holds what was sent: all but what the registry itself sets. Times are
/// stored in microseconds.
fn says_the_same(stored: &WorkItem, sent: &WorkItem) -> bool {
    let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
    micros(stored.queued_at) == micros(sent.queued_at)
        && micros(stored.stage_started_at) == micros(sent.stage_started_at)
        && stored.status == sent.status
        && stored.stage == sent.stage
        && stored.intended_status == sent.intended_status
        && stored.note == sent.note
        && stored.reason == sent.reason
        && stored.outcome == sent.outcome
        && stored.retry == sent.retry
        && stored.node == sent.node
        && stored.pid == sent.pid
        && stored.needs_admin_review == sent.needs_admin_review
        && stored.intellectual_object_id == sent.intellectual_object_id
        && stored.size == sent.size
}
