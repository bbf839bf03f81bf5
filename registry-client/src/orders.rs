//! What an operator orders of a work item: that it goes on, or that it ends. For an administrator's key
//! only.
//!
//! The registry decides on the item as it is at that moment, so an order carries no version.

use muniment_model::registry::cancelled_by_operator;
use muniment_model::{Stage, Status, WorkItemId};

use crate::exchange::Call;
use crate::{ClientError, RegistryClient};

impl RegistryClient {
    /// The item goes on at this stage, or where it is. `Conflict` and `Rejected` say why it cannot.
    ///
    /// Idempotent: when an answer was lost, the repetition puts the item where it was put before.
    pub async fn requeue(&self, id: WorkItemId, stage: Option<Stage>) -> Result<(), ClientError> {
        let fields = stage.map(|stage| ("stage", stage.as_str()));
        let call = Call::put_form(format!("items/requeue/{id}"), fields.as_slice());
        self.exchange(&call).await?;
        Ok(())
    }

    /// The item ends as Cancelled once it is cleaned up after, with this reason in the operator's own
    /// words. `Conflict` says why it cannot.
    ///
    /// Idempotent: when an answer was lost, the repetition is refused, and what the first order left shows
    /// that it was carried out.
    pub async fn cancel(&self, id: WorkItemId, reason: Option<&str>) -> Result<(), ClientError> {
        let reason = reason.filter(|words| !words.is_empty());
        let fields = reason.map(|words| ("reason", words));
        let call = Call::put_form(format!("items/cancel/{id}"), fields.as_slice());
        let refused = match self.exchange(&call).await {
            Ok(_done) => return Ok(()),
            Err(error @ ClientError::Conflict { .. }) => error,
            Err(error) => return Err(error),
        };
        match self.work_item(id).await? {
            Some(item)
                if item.intended_status == Some(Status::Cancelled)
                    && item.reason == cancelled_by_operator(reason) =>
            {
                Ok(())
            }
            Some(_) | None => Err(refused),
        }
    }
}
