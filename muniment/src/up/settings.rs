//! The instance as settings: what each client of it is made from.
//!
//! The same structs that the separate binaries read from their environment, so a worker cannot tell
//! where it runs.

use std::time::Duration;

use muniment_model::BucketName;
use muniment_objects::{
    PreservationSettings, ReceivingSettings, RecordsSettings, StagingSettings, TargetBucket,
};
use muniment_registry_client::RegistrySettings;

use super::instance::Instance;

/// What the names of all receiving buckets begin with.
const RECEIVING_PREFIX: &str = "receiving.";
/// Far longer than any answer of a registry on the same machine takes.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(30);

impl Instance {
    pub fn registry_settings(&self) -> RegistrySettings {
        RegistrySettings {
            registry_url: self.registry.url.clone(),
            registry_api_user: self.registry.user.clone(),
            registry_api_key: self.registry.api_key.clone().into(),
            registry_timeout: REGISTRY_TIMEOUT.into(),
        }
    }

    pub fn receiving(&self) -> ReceivingSettings {
        ReceivingSettings {
            receiving_endpoint: Some(self.s3.endpoint.clone()),
            receiving_region: self.s3.region.clone(),
            receiving_access_key: self.s3.access_key.clone().into(),
            receiving_secret_key: self.s3.secret_key.clone().into(),
            receiving_prefix: RECEIVING_PREFIX.to_owned(),
        }
    }

    pub fn staging(&self) -> StagingSettings {
        StagingSettings {
            staging_endpoint: Some(self.s3.endpoint.clone()),
            staging_region: self.s3.region.clone(),
            staging_access_key: self.s3.access_key.clone().into(),
            staging_secret_key: self.s3.secret_key.clone().into(),
            staging_bucket: self.staging_bucket.clone(),
        }
    }

    pub fn records(&self) -> RecordsSettings {
        RecordsSettings {
            records_endpoint: Some(self.s3.endpoint.clone()),
            records_region: self.s3.region.clone(),
            records_access_key: self.s3.access_key.clone().into(),
            records_secret_key: self.s3.secret_key.clone().into(),
            records_bucket: self.records_bucket.clone(),
        }
    }

    /// One endpoint stands for both providers here.
    pub fn preservation(&self) -> PreservationSettings {
        let named = self.preservation_buckets.iter();
        PreservationSettings {
            aws_endpoint: Some(self.s3.endpoint.clone()),
            aws_access_key: self.s3.access_key.clone().into(),
            aws_secret_key: self.s3.secret_key.clone().into(),
            aws_host: self.storage_host.clone(),
            wasabi_endpoint: Some(self.s3.endpoint.clone()),
            wasabi_access_key: Some(self.s3.access_key.clone().into()),
            wasabi_secret_key: Some(self.s3.secret_key.clone().into()),
            wasabi_host: self.storage_host.clone(),
            preservation_buckets: named
                .map(|(target, bucket)| TargetBucket {
                    target: *target,
                    bucket: bucket.clone(),
                })
                .collect(),
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

    /// For a message: `test.edu, example.edu`.
    pub(crate) fn institution_names(&self) -> String {
        let names: Vec<&str> = self
            .institutions
            .iter()
            .map(|one| one.identifier.as_str())
            .collect();
        names.join(", ")
    }
}
