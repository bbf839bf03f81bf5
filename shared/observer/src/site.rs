//! Where a system is, how it knows us, and what its buckets are called.

use std::collections::BTreeMap;

use muniment_model::{BucketName, StorageTarget};
use secrecy::SecretString;
use url::Url;

/// How to reach one installation.
#[derive(Clone, Debug)]
pub struct Site {
    pub s3: S3Access,
    pub registry: RegistryAccess,
    /// The receiving bucket of each institution.
    pub receiving_buckets: BTreeMap<String, BucketName>,
    pub staging_bucket: BucketName,
    pub records_bucket: BucketName,
    pub preservation_buckets: BTreeMap<StorageTarget, BucketName>,
    /// What the host in the URL of a preserved copy ends in.
    pub storage_host: String,
}

#[derive(Clone, Debug)]
pub struct S3Access {
    pub endpoint: Url,
    pub region: String,
    pub access_key: SecretString,
    pub secret_key: SecretString,
}

/// Of a user who may use the admin API.
#[derive(Clone, Debug)]
pub struct RegistryAccess {
    pub url: Url,
    pub user: String,
    pub api_key: SecretString,
}
