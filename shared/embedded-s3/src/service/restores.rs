//! Restoring cold objects, and what reads say about it.

use s3s::dto::{RestoreObjectInput, RestoreObjectOutput, RestoreRequest, Tier};

use super::errors::RequestError;
use super::objects::object_named;
use super::words::{http_date, timestamp};
use super::{Accepted, Answer, Service};
use crate::cold::{Restore, Wanted, Warmth, check_readable, is_cold};
use crate::store::restores::{RestoreObject, Restored};
use crate::store::rows::ObjectRow;

impl Service {
    pub(super) async fn restore(
        &self,
        input: RestoreObjectInput,
    ) -> Result<Answer<RestoreObjectOutput>, RequestError> {
        let wanted = self.wanted(input.restore_request.as_ref())?;
        let row = self.store.object(object_named!(input)).await?;
        let restore = RestoreObject {
            version: row.id().to_owned(),
            bucket: input.bucket,
            key: input.key,
            wanted,
        };
        let restored = self.store.submit(restore).await?;
        let mut answer = Answer::from(RestoreObjectOutput::default());
        if restored == Restored::Begun {
            answer.0.extensions.insert(Accepted);
        }
        Ok(answer)
    }

    fn wanted(&self, request: Option<&RestoreRequest>) -> Result<Wanted, RequestError> {
        let request = request.ok_or(RequestError::Missing("what is to be restored"))?;
        if request.type_.is_some()
            || request.select_parameters.is_some()
            || request.output_location.is_some()
        {
            return Err(RequestError::Unsupported("selecting from an object"));
        }
        let days = request
            .days
            .ok_or(RequestError::Missing("for how many days"))?;
        let days = u32::try_from(days).ok().filter(|days| *days > 0);
        let parameters = request.glacier_job_parameters.as_ref();
        let tier = parameters
            .map(|parameters| parameters.tier.clone())
            .or_else(|| request.tier.clone());
        Ok(Wanted {
            days: days.ok_or(RequestError::Days)?,
            tier: tier.unwrap_or_else(|| Tier::from_static(Tier::STANDARD)),
            thaw: self.thaw,
        })
    }

    /// Refuses to read a cold object that nobody had restored.
    pub(super) fn require_warm(&self, row: &ObjectRow) -> Result<(), RequestError> {
        let class = row.about.storage_class.as_deref();
        let now_micros = self.store.clock.now_micros();
        Ok(check_readable(class, row.restore, now_micros)?)
    }

    /// `x-amz-restore`: nothing of an object that is not cold, or that nobody asked for.
    pub(super) fn restore_words(&self, row: &ObjectRow) -> Option<String> {
        let restore = row.restore?;
        if !is_cold(row.about.storage_class.as_deref()) {
            return None;
        }
        match Restore::warmth(Some(restore), self.store.clock.now_micros()) {
            Warmth::Cold => None,
            Warmth::Thawing => Some(r#"ongoing-request="true""#.to_owned()),
            Warmth::Warm => {
                let expiry = http_date(&timestamp(restore.expires_micros))?;
                Some(format!(
                    r#"ongoing-request="false", expiry-date="{expiry}""#
                ))
            }
        }
    }
}
