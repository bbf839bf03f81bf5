//! Finds uploads in the receiving buckets and makes a work item of each.
//!
//! A sweep. An upload is (bucket, key, etag, last-modified); the registry holds at most one work
//! item of each, so listing the same upload again does nothing, and the same bytes put again are a
//! new upload. What is no bag becomes an item that has already failed, with the reason, so that its
//! depositor sees it; so does what was put into a bucket that belongs to no institution, for the
//! operator.
//!
//! In a bucket that keeps versions an older upload comes to light again when a newer one of its key is
//! ingested and deleted. Its depositor had replaced it, and it must not be ingested over what replaced
//! it: it is passed over and stays in the bucket.
//!
//! Idempotent: item first, then its message; a message that was lost between the two is made
//! again by `apt_queue`. It cannot read, change or delete an upload.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muniment_model::registry::{Institution, RecordState, WorkItem};
use muniment_model::{
    Action, BucketName, Class, Classify, Clock, Dependency, InstitutionId, ObjectKey, Pipeline,
    QueueName, Stage, Status, WorkItemId, check_bag_name,
};
use muniment_objects::{Listed, ReceivingBuckets, ReceivingSettings, StorageError};
use muniment_registry_client::{MadeItem, Order, PageRequest, RegistryClient, WorkItemQuery};
use muniment_runtime::{JobError, Services, StartError, Sweep};
use muniment_work::WorkStore;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::planner_of;

/// Uploads that are remembered as known, so that a sweep asks the registry about new ones only.
/// About 200 bytes each; when there are more, all are forgotten and asked about once more.
const KNOWN_MAX: usize = 200_000;
/// Who uploads are attributed to (worker contract, 1.7).
const USER: &str = "system@aptrust.org";

#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    receiving: ReceivingSettings,

    /// The institution that runs this installation; uploads in stray buckets are shown as its own
    #[arg(long, env = "MUNIMENT_OPERATOR", default_value = "muniment.org")]
    operator: String,
}

pub struct IngestBucketReader {
    registry: RegistryClient,
    receiving: ReceivingBuckets,
    work: Arc<dyn WorkStore>,
    clock: Arc<dyn Clock>,
    /// Holds the items of uploads that belong to no institution.
    operator: InstitutionId,
    known: Known,
}

/// Uploads that have their work item.
#[derive(Default)]
struct Known(Mutex<HashSet<Identity>>);

/// Bucket, key, etag, last-modified.
type Identity = (BucketName, String, String, DateTime<Utc>);

impl Known {
    fn holds(&self, bucket: &BucketName, listed: &Listed) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&identity(bucket, listed))
    }

    fn add(&self, bucket: &BucketName, listed: &Listed) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(identity(bucket, listed));
    }
}

fn identity(bucket: &BucketName, listed: &Listed) -> Identity {
    (
        bucket.clone(),
        listed.key.clone(),
        listed.etag.clone(),
        listed.last_modified,
    )
}

/// Whether an upload is what its depositor wants ingested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is the newest one under its key, or those that replaced it came to nothing.
    Current,
    /// What replaced it is being worked on.
    Undecided,
    /// What replaced it is ingested.
    Replaced,
}

/// Decides from the items of the same key in a bucket that keeps versions.
fn place_among(items: &[WorkItem], listed: &Listed) -> Place {
    let newer = items
        .iter()
        .filter(|item| item.bag_date > Some(listed.last_modified));
    newer.fold(Place::Current, |place, item| match (place, item.status) {
        (Place::Replaced, _) | (_, Status::Success) => Place::Replaced,
        (place, Status::Failed | Status::Cancelled) => place,
        (_, Status::Pending | Status::Started | Status::Suspended) => Place::Undecided,
    })
}

/// Whose bucket it is, and why its uploads cannot be ingested, if they cannot.
struct Owner {
    institution: InstitutionId,
    refusal: Option<&'static str>,
}

#[async_trait]
impl Sweep for IngestBucketReader {
    const NAME: &'static str = "ingest_bucket_reader";
    const ABOUT: &'static str = "Finds new bags in the receiving buckets";
    const EVERY: &'static str = "1m";
    type Settings = Settings;

    async fn connect(settings: &Settings, services: &Services) -> Result<Self, StartError> {
        let registry = services.registry.clone();
        let Some(operator) = registry.institution(&settings.operator).await? else {
            return Err(StartError::NoInstitution(settings.operator.clone()));
        };
        Ok(Self {
            registry,
            receiving: settings.receiving.connect(&services.s3),
            work: services.work(),
            clock: services.clock(),
            operator: operator.id,
            known: Known::default(),
        })
    }

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), JobError> {
        let owners: HashMap<String, Institution> = self
            .registry
            .institutions()
            .await?
            .into_iter()
            .map(|institution| (institution.receiving_bucket.clone(), institution))
            .collect();
        let mut names = self.receiving.names().await?;
        // Also those that do not carry the common prefix.
        for name in owners.keys().filter(|name| !name.is_empty()) {
            if let Ok(name) = BucketName::new(name.as_str())
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        for name in names {
            if stop.is_cancelled() {
                return Err(JobError::Stopped);
            }
            let Some(owner) = self.owner_of(owners.get(name.as_str())) else {
                continue;
            };
            // One bucket or upload that cannot be taken up must not hold up all others.
            match self.sweep_bucket(&name, &owner, stop).await {
                Ok(()) => {}
                Err(JobError::Stopped) => return Err(JobError::Stopped),
                Err(error) => warn!(worker = Self::NAME, bucket = %name, ?error, "not swept"),
            }
        }
        Ok(())
    }
}

impl IngestBucketReader {
    /// `None` leaves the bucket alone: its institution was deactivated.
    fn owner_of(&self, institution: Option<&Institution>) -> Option<Owner> {
        match institution {
            Some(institution) if institution.state == RecordState::Active => Some(Owner {
                institution: institution.id,
                refusal: None,
            }),
            Some(_) => None,
            None => Some(Owner {
                institution: self.operator,
                refusal: Some("The bucket belongs to no institution"),
            }),
        }
    }

    async fn sweep_bucket(
        &self,
        name: &BucketName,
        owner: &Owner,
        stop: &CancellationToken,
    ) -> Result<(), JobError> {
        let bucket = self.receiving.bucket(name.clone());
        let mut pages = bucket.list();
        loop {
            let page = match pages.next_page().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                // One bucket that is away must not hold up the others.
                Err(error) if matches!(error.class(), Class::Outage(Dependency::Bucket(_))) => {
                    warn!(worker = Self::NAME, bucket = %name, %error, "cannot list");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            for listed in page.iter().filter(|listed| !self.known.holds(name, listed)) {
                if stop.is_cancelled() {
                    return Err(JobError::Stopped);
                }
                self.take_up_or_leave(name, listed, owner).await?;
            }
        }
    }

    /// One upload that the registry refuses must not hold up the others.
    async fn take_up_or_leave(
        &self,
        bucket: &BucketName,
        listed: &Listed,
        owner: &Owner,
    ) -> Result<(), JobError> {
        let taken = self.take_up(bucket, listed, owner).await;
        if let Err(JobError::Halt { note }) = &taken {
            warn!(worker = Self::NAME, %bucket, key = listed.key, note, "cannot be taken up");
            return Ok(());
        }
        taken
    }

    async fn take_up(
        &self,
        bucket: &BucketName,
        listed: &Listed,
        owner: &Owner,
    ) -> Result<(), JobError> {
        match self.place_of(bucket, listed).await? {
            Place::Current => {}
            Place::Undecided => return Ok(()),
            Place::Replaced => {
                info!(worker = Self::NAME, %bucket, key = listed.key, "passed over: an older version of an upload that is ingested");
                self.known.add(bucket, listed);
                return Ok(());
            }
        }
        let of_bucket = owner.refusal.map(str::to_owned);
        let refusal = of_bucket.or_else(|| refusal_of(&listed.key));
        let refusal = refusal.as_deref();
        let wanted = new_item(bucket, listed, owner.institution, refusal, self.clock.now());
        if let MadeItem::New(item) = self.registry.create_work_item(&wanted).await? {
            info!(worker = Self::NAME, work_item = %item.id, %bucket, key = listed.key, refusal,
                "found an upload");
            if item.status == Status::Pending {
                let planner = planner_of(&item, QueueName::IngestPreFetch);
                self.work.publish(&[planner]).await?;
            }
        }
        self.known.add(bucket, listed);
        Ok(())
    }
}

impl IngestBucketReader {
    /// Without versions what is listed is the newest always, whatever a clock that was set back says.
    async fn place_of(&self, bucket: &BucketName, listed: &Listed) -> Result<Place, JobError> {
        let query = WorkItemQuery {
            action: Some(Action::Ingest),
            bucket: Some(bucket.as_str().to_owned()),
            name: Some(listed.key.clone()),
            order: Some(Order::Descending("bag_date")),
            ..WorkItemQuery::default()
        };
        let items = self
            .registry
            .work_items(&query, PageRequest::LONGEST)
            .await?;
        let place = place_among(&items.results, listed);
        let (Place::Undecided | Place::Replaced, Ok(key)) =
            (place, ObjectKey::new(listed.key.as_str()))
        else {
            return Ok(Place::Current);
        };
        match self.receiving.bucket(bucket.clone()).head(&key).await {
            Ok(head) if head.has_versions => Ok(place),
            Ok(_) => Ok(Place::Current),
            // Deleted since it was listed.
            Err(StorageError::NotFound(_)) => Ok(Place::Undecided),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why an upload is no bag, from its key alone.
fn refusal_of(key: &str) -> Option<String> {
    check_bag_name(key).err().map(|fault| fault.to_string())
}

fn new_item(
    bucket: &BucketName,
    listed: &Listed,
    institution: InstitutionId,
    refusal: Option<&str>,
    now: DateTime<Utc>,
) -> WorkItem {
    let outcome_of = |status| Pipeline::of(Action::Ingest).outcome_of(status);
    let (status, note, outcome) = match refusal {
        None => (
            Status::Pending,
            "Bag is in receiving bucket",
            "Item is pending ingest",
        ),
        Some(reason) => (Status::Failed, reason, outcome_of(Status::Failed)),
    };
    WorkItem {
        id: WorkItemId::default(),
        created_at: None,
        updated_at: None,
        name: listed.key.clone(),
        etag: listed.etag.clone(),
        institution_id: institution,
        intellectual_object_id: 0,
        generic_file_id: 0,
        bucket: bucket.as_str().to_owned(),
        user: USER.to_owned(),
        note: note.to_owned(),
        action: Action::Ingest,
        stage: Stage::Receive,
        status,
        outcome: outcome.to_owned(),
        bag_date: Some(listed.last_modified),
        date_processed: Some(now),
        retry: refusal.is_none(),
        node: String::new(),
        pid: 0,
        needs_admin_review: false,
        queued_at: refusal.is_none().then_some(now),
        size: listed.size,
        stage_started_at: None,
        aptrust_approver: String::new(),
        inst_approver: String::new(),
        deletion_request_id: 0,
        version: 0,
        intended_status: None,
        reason: String::new(),
        institution_identifier: String::new(),
        object_identifier: String::new(),
    }
}

#[cfg(test)]
mod tests;
