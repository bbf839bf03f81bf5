//! Where the buckets are and how to reach them: one struct per set of buckets, flattened into
//! exactly the binaries that use it, and constructible in code.
//!
//! `connect` opens no connection: it makes a client, shared with every other set of buckets that
//! has the same endpoint and credentials. It fails only on settings that contradict each other.

use std::collections::HashMap;
use std::str::FromStr;

use clap::Args;
use muniment_model::{BucketName, InvalidName, Provider, StorageTarget, UnknownWord};
use secrecy::SecretString;
use url::Url;

use crate::bucket::Bucket;
use crate::connection::{Connections, Endpoint};
use crate::{DepositBucket, PreservationBuckets, ReceivingBuckets, RecordsBucket, StagingBucket};

/// Where depositors put their bags
#[derive(Clone, Debug, Args)]
pub struct ReceivingSettings {
    /// S3 endpoint of the receiving buckets; AWS itself when left out
    #[arg(long, env = "MUNIMENT_RECEIVING_ENDPOINT")]
    pub receiving_endpoint: Option<Url>,

    /// Region of the receiving buckets
    #[arg(long, env = "MUNIMENT_RECEIVING_REGION", default_value = "us-east-1")]
    pub receiving_region: String,

    /// Access key for the receiving buckets
    #[arg(long, env = "MUNIMENT_RECEIVING_ACCESS_KEY", hide_env_values = true)]
    pub receiving_access_key: SecretString,

    /// Secret key for the receiving buckets
    #[arg(long, env = "MUNIMENT_RECEIVING_SECRET_KEY", hide_env_values = true)]
    pub receiving_secret_key: SecretString,

    /// What the names of all receiving buckets begin with
    #[arg(
        long,
        env = "MUNIMENT_RECEIVING_PREFIX",
        default_value = "aptrust.receiving."
    )]
    pub receiving_prefix: String,
}

impl ReceivingSettings {
    pub fn connect(&self, connections: &Connections) -> ReceivingBuckets {
        ReceivingBuckets {
            connection: connections.to(&self.endpoint()),
            prefix: self.receiving_prefix.clone(),
        }
    }

    /// The one bucket a depositor writes to. No worker calls this.
    pub fn connect_depositor(
        &self,
        connections: &Connections,
        bucket: BucketName,
    ) -> DepositBucket {
        DepositBucket(Bucket::new(connections.to(&self.endpoint()), bucket))
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.receiving_endpoint.clone(),
            region: self.receiving_region.clone(),
            access_key: self.receiving_access_key.clone(),
            secret_key: self.receiving_secret_key.clone(),
        }
    }
}

/// Where the files of a bag wait while it is ingested
#[derive(Clone, Debug, Args)]
pub struct StagingSettings {
    /// S3 endpoint of the staging bucket; AWS itself when left out
    #[arg(long, env = "MUNIMENT_STAGING_ENDPOINT")]
    pub staging_endpoint: Option<Url>,

    /// Region of the staging bucket
    #[arg(long, env = "MUNIMENT_STAGING_REGION", default_value = "us-east-1")]
    pub staging_region: String,

    /// Access key for the staging bucket
    #[arg(long, env = "MUNIMENT_STAGING_ACCESS_KEY", hide_env_values = true)]
    pub staging_access_key: SecretString,

    /// Secret key for the staging bucket
    #[arg(long, env = "MUNIMENT_STAGING_SECRET_KEY", hide_env_values = true)]
    pub staging_secret_key: SecretString,

    /// The staging bucket
    #[arg(long, env = "MUNIMENT_STAGING_BUCKET")]
    pub staging_bucket: BucketName,
}

impl StagingSettings {
    pub fn connect(&self, connections: &Connections) -> StagingBucket {
        let endpoint = Endpoint {
            url: self.staging_endpoint.clone(),
            region: self.staging_region.clone(),
            access_key: self.staging_access_key.clone(),
            secret_key: self.staging_secret_key.clone(),
        };
        let name = self.staging_bucket.clone();
        StagingBucket(Bucket::new(connections.to(&endpoint), name))
    }
}

/// Where one deposit record per ingest is kept
#[derive(Clone, Debug, Args)]
pub struct RecordsSettings {
    /// S3 endpoint of the records bucket; AWS itself when left out
    #[arg(long, env = "MUNIMENT_RECORDS_ENDPOINT")]
    pub records_endpoint: Option<Url>,

    /// Region of the records bucket
    #[arg(long, env = "MUNIMENT_RECORDS_REGION", default_value = "us-east-1")]
    pub records_region: String,

    /// Access key for the records bucket
    #[arg(long, env = "MUNIMENT_RECORDS_ACCESS_KEY", hide_env_values = true)]
    pub records_access_key: SecretString,

    /// Secret key for the records bucket
    #[arg(long, env = "MUNIMENT_RECORDS_SECRET_KEY", hide_env_values = true)]
    pub records_secret_key: SecretString,

    /// The records bucket
    #[arg(long, env = "MUNIMENT_RECORDS_BUCKET")]
    pub records_bucket: BucketName,
}

impl RecordsSettings {
    pub fn connect(&self, connections: &Connections) -> RecordsBucket {
        let endpoint = Endpoint {
            url: self.records_endpoint.clone(),
            region: self.records_region.clone(),
            access_key: self.records_access_key.clone(),
            secret_key: self.records_secret_key.clone(),
        };
        let name = self.records_bucket.clone();
        RecordsBucket(Bucket::new(connections.to(&endpoint), name))
    }
}

/// Where the copies are kept for good
#[derive(Clone, Debug, Args)]
pub struct PreservationSettings {
    /// S3 endpoint of the AWS preservation buckets; that of each bucket's region when left out
    #[arg(long, env = "MUNIMENT_AWS_ENDPOINT")]
    pub aws_endpoint: Option<Url>,

    /// Region that requests to the AWS preservation buckets are signed for; that of each bucket when left out
    #[arg(long, env = "MUNIMENT_AWS_REGION")]
    pub aws_region: Option<String>,

    /// Access key for the AWS preservation buckets
    #[arg(long, env = "MUNIMENT_AWS_ACCESS_KEY", hide_env_values = true)]
    pub aws_access_key: SecretString,

    /// Secret key for the AWS preservation buckets
    #[arg(long, env = "MUNIMENT_AWS_SECRET_KEY", hide_env_values = true)]
    pub aws_secret_key: SecretString,

    /// Host in the recorded URLs of AWS copies
    #[arg(long, env = "MUNIMENT_AWS_HOST", default_value = "amazonaws.com")]
    pub aws_host: String,

    /// S3 endpoint of the Wasabi preservation buckets; that of each bucket's region when left out
    #[arg(long, env = "MUNIMENT_WASABI_ENDPOINT")]
    pub wasabi_endpoint: Option<Url>,

    /// Region that requests to the Wasabi preservation buckets are signed for; that of each bucket when left out
    #[arg(long, env = "MUNIMENT_WASABI_REGION")]
    pub wasabi_region: Option<String>,

    /// Access key for the Wasabi preservation buckets
    #[arg(long, env = "MUNIMENT_WASABI_ACCESS_KEY", hide_env_values = true)]
    pub wasabi_access_key: Option<SecretString>,

    /// Secret key for the Wasabi preservation buckets
    #[arg(long, env = "MUNIMENT_WASABI_SECRET_KEY", hide_env_values = true)]
    pub wasabi_secret_key: Option<SecretString>,

    /// Host in the recorded URLs of Wasabi copies
    #[arg(long, env = "MUNIMENT_WASABI_HOST", default_value = "wasabisys.com")]
    pub wasabi_host: String,

    /// The bucket of one storage target, as `standard-va=NAME`; once per target
    #[arg(
        long = "preservation-bucket",
        env = "MUNIMENT_PRESERVATION_BUCKETS",
        value_name = "TARGET=BUCKET",
        value_delimiter = ',',
        required = true
    )]
    pub preservation_buckets: Vec<TargetBucket>,
}

/// Settings that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    #[error("two buckets are named for {0}")]
    TargetTwice(StorageTarget),
    #[error("{0} is named for two targets, and copies must not share a bucket")]
    BucketTwice(BucketName),
    #[error("{0} has a bucket, but its provider has no access key and secret key")]
    NoKeys(StorageTarget),
    #[error("the endpoint {0:?} is no URL")]
    Endpoint(String),
}

impl PreservationSettings {
    pub fn connect(
        &self,
        connections: &Connections,
    ) -> Result<PreservationBuckets, InvalidSettings> {
        let mut buckets = HashMap::new();
        let mut names = Vec::new();
        for TargetBucket { target, bucket } in &self.preservation_buckets {
            if names.contains(&bucket) {
                return Err(InvalidSettings::BucketTwice(bucket.clone()));
            }
            names.push(bucket);
            let connection = connections.to(&self.endpoint(*target)?);
            let held_in = Bucket::new(connection, bucket.clone());
            if buckets.insert(*target, held_in).is_some() {
                return Err(InvalidSettings::TargetTwice(*target));
            }
        }
        Ok(PreservationBuckets {
            buckets,
            aws_host: self.aws_host.clone(),
            wasabi_host: self.wasabi_host.clone(),
        })
    }

    fn endpoint(&self, target: StorageTarget) -> Result<Endpoint, InvalidSettings> {
        // A store that is neither of the two has one region for all of its buckets.
        let signed_for = |set: &Option<String>| {
            let region = set.as_deref().unwrap_or(target.region());
            region.to_owned()
        };
        Ok(match target.provider() {
            Provider::Aws => Endpoint {
                url: self.aws_endpoint.clone(),
                region: signed_for(&self.aws_region),
                access_key: self.aws_access_key.clone(),
                secret_key: self.aws_secret_key.clone(),
            },
            Provider::Wasabi => {
                let keys = (&self.wasabi_access_key, &self.wasabi_secret_key);
                let (Some(access_key), Some(secret_key)) = keys else {
                    return Err(InvalidSettings::NoKeys(target));
                };
                Endpoint {
                    url: Some(self.wasabi_url(target.region())?),
                    region: signed_for(&self.wasabi_region),
                    access_key: access_key.clone(),
                    secret_key: secret_key.clone(),
                }
            }
        })
    }

    fn wasabi_url(&self, region: &str) -> Result<Url, InvalidSettings> {
        if let Some(url) = &self.wasabi_endpoint {
            return Ok(url.clone());
        }
        let text = format!("https://s3.{region}.{}", self.wasabi_host);
        match Url::parse(&text) {
            Ok(url) => Ok(url),
            Err(_) => Err(InvalidSettings::Endpoint(text)),
        }
    }
}

/// Which bucket holds the copies of a storage target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetBucket {
    pub target: StorageTarget,
    pub bucket: BucketName,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTargetBucket {
    #[error("expected TARGET=BUCKET")]
    NoEquals,
    #[error(transparent)]
    Target(UnknownWord),
    #[error(transparent)]
    Bucket(InvalidName),
}

impl FromStr for TargetBucket {
    type Err = InvalidTargetBucket;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (target, bucket) = text
            .trim()
            .split_once('=')
            .ok_or(InvalidTargetBucket::NoEquals)?;
        Ok(Self {
            target: target.parse().map_err(InvalidTargetBucket::Target)?,
            bucket: bucket.parse().map_err(InvalidTargetBucket::Bucket)?,
        })
    }
}

#[cfg(test)]
mod tests;
