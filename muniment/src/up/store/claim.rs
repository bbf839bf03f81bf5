//! Makes a store elsewhere the one of this data folder, before any work begins on it.
//!
//! Order of effects, and what a kill after each of them leaves to the next start:
//!
//! 1. The store is looked at. One that is another folder's, or is not this folder's, is refused as it is.
//! 2. The records bucket is made, and what the store can do is tried with an object in it that no other start has.
//!    Left: an empty bucket, or that object, below `muniment/trial/`, which the folder that has the store sweeps (6).
//! 3. `store.json`, with a random id, is written into the folder. Left: a folder that belongs to this address and
//!    has no marker yet; it is made.
//! 4. The marker with that id is created in the records bucket, on the condition that there is none. Left: a folder
//!    that knows its marker.
//! 5. The other buckets are made. Left: those that are missing are made.
//! 6. What trials left is deleted.
//!
//! From 3 on the folder belongs to the store, and from 4 on the store to the folder. Of two folders that begin at one
//! time, one creates the marker, and the other forgets its `store.json`. A later start does 1, 2, 5 and 6 again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use muniment_model::{BucketName, ObjectKey};
use muniment_objects::{Connections, Endpoint, StorageError, Store};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::marker::{MARKER, Marker, Remembered, SIZE_MAX, TRIALS};
use super::{Elsewhere, StoreError, shown};
use crate::up::instance::Instance;
use crate::up::keys;

/// A start makes some thirty small requests.
const LIMIT: Duration = Duration::from_mins(2);

/// Makes sure that the store is there, does what is needed, is this folder's and has every bucket of `plan`.
pub(in crate::up) async fn claim(
    elsewhere: &Elsewhere,
    plan: &Instance,
    folder: &Path,
    (now, stop): (DateTime<Utc>, &CancellationToken),
) -> Result<(), StoreError> {
    let connections = Connections::new(stop.clone());
    let url = shown(&elsewhere.access.endpoint);
    let claim = Claim {
        store: Store::new(&connections, &endpoint(elsewhere)),
        records: &plan.records_bucket,
        elsewhere,
        folder,
        now,
        url: url.clone(),
    };
    let made = timeout(LIMIT, claim.make(plan)).await;
    made.unwrap_or(Err(StoreError::Slow { url, limit: LIMIT }))
}

fn endpoint(elsewhere: &Elsewhere) -> Endpoint {
    let access = &elsewhere.access;
    Endpoint {
        url: Some(access.endpoint.clone()),
        region: access.region.clone(),
        access_key: access.access_key.as_str().into(),
        secret_key: access.secret_key.as_str().into(),
    }
}

struct Claim<'a> {
    store: Store,
    records: &'a BucketName,
    elsewhere: &'a Elsewhere,
    folder: &'a Path,
    now: DateTime<Utc>,
    /// For messages.
    url: String,
}

impl Claim<'_> {
    async fn make(&self, plan: &Instance) -> Result<(), StoreError> {
        let there = self.store.buckets().await;
        let there = there.map_err(self.not("list its buckets"))?;
        let is_ours = self.is_ours(&there).await?;
        if !is_ours {
            self.may_begin(plan, &there).await?;
        }
        if !there.contains(self.records) {
            self.make_bucket(self.records).await?;
        }
        self.must_be_able().await?;
        if !is_ours {
            self.mark().await?;
        }
        for bucket in plan.buckets().filter(|bucket| !there.contains(bucket)) {
            self.make_bucket(bucket).await?;
        }
        self.sweep().await
    }

    /// Whether the store has the marker of this folder; `false` where it has none.
    async fn is_ours(&self, there: &[BucketName]) -> Result<bool, StoreError> {
        if !there.contains(self.records) {
            return Ok(false);
        }
        match self.marker().await? {
            None => Ok(false),
            Some(marker) if marker.id == self.elsewhere.id => Ok(true),
            Some(_) if self.elsewhere.was_in_use => Err(self.another()),
            Some(marker) => Err(self.taken(&marker)),
        }
    }

    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let key = self.key(MARKER)?;
        let found = self.store.get(self.records, &key, SIZE_MAX).await;
        let found = found.map_err(self.not("read its marker"))?;
        let read = found.map(|bytes| serde_json::from_slice(&bytes));
        read.transpose().map_err(|_unreadable| self.no_marker())
    }

    /// Nothing of others may be in what will be ours.
    async fn may_begin(&self, plan: &Instance, there: &[BucketName]) -> Result<(), StoreError> {
        if self.elsewhere.was_in_use {
            return Err(self.another());
        }
        for bucket in plan.buckets().filter(|bucket| there.contains(bucket)) {
            let keys = self.store.first_keys(bucket, "").await;
            let keys = keys.map_err(self.not(&format!("list the bucket {bucket}")))?;
            // Starts that were killed may have left those.
            if keys.iter().any(|key| !key.starts_with(TRIALS)) {
                return Err(StoreError::InUse {
                    url: self.url.clone(),
                    bucket: bucket.clone(),
                });
            }
        }
        Ok(())
    }

    async fn must_be_able(&self) -> Result<(), StoreError> {
        let trial = self.key(&format!("{TRIALS}{}", keys::new_id()))?;
        let tried = self.store.abilities(self.records, &trial).await;
        let tried = tried.map_err(self.not("put and delete an object"))?;
        if !tried.conditional_writes {
            // The trial may have been swept by a folder that has the store since.
            self.is_ours(std::slice::from_ref(self.records)).await?;
            return Err(StoreError::Replaces {
                url: self.url.clone(),
            });
        }
        if !tried.conditional_deletes {
            warn!(
                store = self.url,
                "the store deletes without looking at the condition: an upload that replaces another in the \
                 moment in which that one is deleted is deleted with it"
            );
        }
        Ok(())
    }

    /// Makes folder and store belong to each other.
    async fn mark(&self) -> Result<(), StoreError> {
        Remembered::write(self.elsewhere, self.folder)?;
        let ours = Marker::new(&self.elsewhere.id, self.folder, self.now);
        let text = serde_json::to_vec_pretty(&ours).map_err(|_never| self.no_marker())?;
        let created = self
            .store
            .create(self.records, &self.key(MARKER)?, Bytes::from(text))
            .await;
        match created {
            Ok(()) => Ok(()),
            // By this very call, when its first answer was lost; or by another folder.
            Err(StorageError::AlreadyThere(_)) => match self.marker().await? {
                Some(marker) if marker.id == self.elsewhere.id => Ok(()),
                Some(marker) => {
                    Remembered::forget(self.folder)?;
                    Err(self.taken(&marker))
                }
                None => Err(self.no_marker()),
            },
            Err(error) => Err(self.not("create its marker")(error)),
        }
    }

    /// Starts that were killed in a trial left it.
    async fn sweep(&self) -> Result<(), StoreError> {
        let left = self.store.first_keys(self.records, TRIALS).await;
        for key in left.map_err(self.not("list what trials left"))? {
            let deleted = self.store.delete(self.records, &self.key(&key)?).await;
            deleted.map_err(self.not("delete what a trial left"))?;
        }
        Ok(())
    }

    async fn make_bucket(&self, bucket: &BucketName) -> Result<(), StoreError> {
        let made = self.store.make_bucket(bucket).await;
        made.map_err(self.not(&format!("make the bucket {bucket}")))
    }

    fn key(&self, key: &str) -> Result<ObjectKey, StoreError> {
        ObjectKey::new(key).map_err(|_never| self.no_marker())
    }

    /// What an error of the store means when this was asked of it.
    fn not(&self, act: &str) -> impl FnOnce(StorageError) -> StoreError {
        let act = act.to_owned();
        let (url, region) = (self.url.clone(), self.elsewhere.access.region.clone());
        move |source| StoreError::of(source, &url, &region, act)
    }

    fn another(&self) -> StoreError {
        StoreError::Another {
            url: self.url.clone(),
            marker: self.name(),
            folder: self.folder.to_owned(),
        }
    }

    fn taken(&self, marker: &Marker) -> StoreError {
        StoreError::Taken {
            url: self.url.clone(),
            marker: self.name(),
            owner: marker.owner(),
        }
    }

    fn no_marker(&self) -> StoreError {
        StoreError::NoMarker {
            url: self.url.clone(),
            marker: self.name(),
        }
    }

    /// The marker, as an operator finds it.
    fn name(&self) -> String {
        format!("{}/{MARKER}", self.records)
    }
}
