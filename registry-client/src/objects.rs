//! Intellectual objects.

use muniment_model::ObjectIdentifier;
use muniment_model::registry::IntellectualObject;

use crate::exchange::{Call, segment};
use crate::{ClientError, RegistryClient};

impl RegistryClient {
    /// The object with this identifier, deleted ones included.
    pub async fn object(
        &self,
        identifier: &ObjectIdentifier,
    ) -> Result<Option<IntellectualObject>, ClientError> {
        let path = format!("objects/show/{}", segment(identifier.as_str()));
        self.fetch_if_any(&Call::get(path)).await
    }

    /// Creates the object when its id is 0, else updates it, with its events in one transaction.
    ///
    /// When it names a work item that held the lock of the object and has it no more, it is refused
    /// with a conflict.
    ///
    /// Idempotent: a create from the same work item answers with what is stored, and events are
    /// known by their identifiers.
    pub async fn save_object(
        &self,
        object: &IntellectualObject,
    ) -> Result<IntellectualObject, ClientError> {
        let call = if object.id == 0 {
            Call::post(format!("objects/create/{}", object.institution_id), object)?
        } else {
            Call::put(format!("objects/update/{}", object.id), object)?
        };
        self.fetch(&call).await
    }
}
