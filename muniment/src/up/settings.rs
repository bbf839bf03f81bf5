//! The instance as settings: what the commands' clients of it are made from. The workers' settings are
//! made in `wiring`.

use std::time::Duration;

use muniment_model::{BUCKET_NAME_BYTES_MAX, BucketName};
use muniment_objects::{ReceivingSettings, StagingSettings};
use muniment_registry_client::RegistrySettings;

use super::instance::{Instance, RegistryAccess, S3Access};

/// What the names of all receiving buckets begin with.
pub(super) const RECEIVING_PREFIX: &str = "receiving.";
/// The longest identifier an institution can have: with the prefix it is the name of its bucket.
pub(crate) const INSTITUTION_BYTES_MAX: usize = BUCKET_NAME_BYTES_MAX - RECEIVING_PREFIX.len();
/// Far longer than any answer of a registry takes, and not too long for a person who waits for it.
pub(crate) const REGISTRY_TIMEOUT: Duration = Duration::from_secs(30);

impl RegistryAccess {
    pub fn settings(&self) -> RegistrySettings {
        RegistrySettings {
            registry_url: self.url.clone(),
            registry_api_user: self.user.clone(),
            registry_api_key: self.api_key.clone().into(),
            registry_timeout: REGISTRY_TIMEOUT.into(),
        }
    }
}

impl S3Access {
    pub fn receiving(&self) -> ReceivingSettings {
        ReceivingSettings {
            receiving_endpoint: Some(self.endpoint.clone()),
            receiving_region: self.region.clone(),
            receiving_access_key: self.access_key.clone().into(),
            receiving_secret_key: self.secret_key.clone().into(),
            receiving_prefix: RECEIVING_PREFIX.to_owned(),
        }
    }
}

impl Instance {
    pub fn receiving(&self) -> ReceivingSettings {
        self.s3.receiving()
    }

    /// With the operator's keys: to look at.
    pub(crate) fn staging(&self) -> StagingSettings {
        StagingSettings {
            staging_endpoint: Some(self.s3.endpoint.clone()),
            staging_region: self.s3.region.clone(),
            staging_access_key: self.s3.access_key.clone().into(),
            staging_secret_key: self.s3.secret_key.clone().into(),
            staging_bucket: self.staging_bucket.clone(),
        }
    }

    /// Every bucket there has to be.
    pub fn buckets(&self) -> impl Iterator<Item = &BucketName> {
        let institutions = self.institutions.iter();
        let of_institutions =
            institutions.flat_map(|one| [&one.receiving_bucket, &one.restore_bucket]);
        [&self.staging_bucket, &self.records_bucket]
            .into_iter()
            .chain(self.preservation_buckets.values())
            .chain(of_institutions)
    }
}
