//! Deletes an upload, and never the same bytes that were put again.
//!
//! A delete whose answer was lost may have happened, and may have been followed by a new upload with the
//! same bytes, so with the same etag. Where the bucket keeps versions the delete names the one
//! that was looked at, so that it can be repeated. Elsewhere each try begins with a look at etag and
//! date, and only what is still the same upload is deleted, on the condition of its etag.

use std::time::Duration;

use muniment_model::ObjectKey;

use crate::answer::{Condition, error_of};
use crate::bucket::{Bucket, Head, quoted};
use crate::connection::{Limit, within};
use crate::error::{Resource, StorageError};

/// A delete without an answer is given up after this, so that it does not arrive when the lease that
/// allowed it is over: callers allow one only while they have 10 s left.
const DELETE_LIMIT: Duration = Duration::from_secs(8);

/// What became of an object that we wanted gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Deleted,
    /// It was not there: deleted by an earlier attempt, or by its owner.
    Gone,
    /// The caller might no longer delete when its turn came. Whether an earlier try has is unknown.
    Forbidden,
}

impl Bucket {
    /// Deletes the upload that was looked at; another one under the key is `Superseded`.
    /// `may_delete` is asked before each try.
    pub(crate) async fn delete_upload(
        &self,
        key: &ObjectKey,
        looked_at: &Head,
        may_delete: impl Fn() -> bool,
    ) -> Result<Deletion, StorageError> {
        let resource = self.resource_of(key);
        let deleted = self
            .connection
            .call(&resource, Limit::ANSWER, || {
                self.delete_upload_once(key, looked_at, &may_delete)
            })
            .await;
        match deleted {
            Err(StorageError::NotFound(_)) => {
                self.must_exist().await?;
                Ok(Deletion::Gone)
            }
            // Stores differ on whether there is another one where there is none.
            Err(StorageError::Superseded(object)) => match self.head(key).await {
                Err(StorageError::NotFound(_)) => Ok(Deletion::Gone),
                Ok(_) => Err(StorageError::Superseded(object)),
                Err(error) => Err(error),
            },
            other => other,
        }
    }

    async fn delete_upload_once(
        &self,
        key: &ObjectKey,
        looked_at: &Head,
        may_delete: impl Fn() -> bool,
    ) -> Result<Deletion, StorageError> {
        let resource = self.resource_of(key);
        let version = match &looked_at.version_id {
            Some(version) => Some(version.clone()),
            None => self.same_upload(key, looked_at, &resource).await?,
        };
        if !may_delete() {
            return Ok(Deletion::Forbidden);
        }
        let condition = version.is_none().then(|| quoted(&looked_at.etag));
        let request = self
            .connection
            .client()
            .delete_object()
            .bucket(self.name.as_str())
            .key(key.as_str())
            .set_version_id(version)
            .set_if_match(condition)
            .send();
        let sent = Box::pin(async {
            let answer = request.await;
            answer.map_err(|error| error_of(error, &resource, Condition::IfMatch))
        });
        within(DELETE_LIMIT, &resource, sent).await?;
        Ok(Deletion::Deleted)
    }

    /// Makes sure that the upload is still the one that was looked at; returns its version.
    async fn same_upload(
        &self,
        key: &ObjectKey,
        looked_at: &Head,
        resource: &Resource,
    ) -> Result<Option<String>, StorageError> {
        let now = self.head_once(key, resource).await?;
        // In whole seconds, which is all that HEAD says.
        let dates = [now.last_modified, looked_at.last_modified].map(|date| date.timestamp());
        if now.etag == looked_at.etag && dates[0] == dates[1] {
            return Ok(now.version_id);
        }
        Err(StorageError::Superseded(self.address(key)))
    }
}
