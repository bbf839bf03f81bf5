//! How a command finds the installation it talks to: by the file that a depositor was given, by a data
//! folder of this machine, or by settings for one that is elsewhere.
//!
//! The registry is asked by its API for members, which serves depositors and operators alike; orders go to
//! the one for administrators.

use std::path::PathBuf;

use muniment_model::BucketName;
use muniment_objects::settings::ReceivingSettings;
use muniment_objects::{Connections, DepositBucket};
use muniment_registry_client::{RegistryClient, RegistrySettings};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::up::REGISTRY_TIMEOUT;
use crate::up::depositor::ClientAccess;
use crate::up::instance::Instance;

/// Which installation is meant
#[derive(Debug, Default, clap::Args)]
pub struct Installation {
    #[command(flatten)]
    pub data: DataSettings,

    /// The file that you were given as a depositor: it says where the installation is, and has your keys.
    /// Nothing else is needed then. Its operator has it as depositors/DOMAIN.json in the data folder
    #[arg(
        long,
        env = "MUNIMENT_INSTANCE",
        value_name = "FILE",
        conflicts_with = "data"
    )]
    pub instance: Option<PathBuf>,
}

impl Installation {
    /// Whether it was said which one is meant.
    fn is_named(&self) -> bool {
        self.instance.is_some() || self.data.is_named()
    }

    fn client(&self) -> Result<ClientAccess, CommandError> {
        Ok(match &self.instance {
            Some(file) => ClientAccess::read(file)?,
            None => Instance::read(&self.data.folder()?)?.client(),
        })
    }
}

/// The registry of another machine
#[derive(Debug, Default, clap::Args)]
pub struct RegistryAccess {
    /// Registry of an installation elsewhere; without it, that of the data folder
    #[arg(
        long,
        env = "MUNIMENT_REGISTRY_URL",
        value_name = "URL",
        conflicts_with_all = ["data", "instance"],
        requires_all = ["registry_api_user", "registry_api_key"]
    )]
    pub registry_url: Option<Url>,

    /// E-mail address under which that registry knows you
    #[arg(long, env = "MUNIMENT_REGISTRY_API_USER", value_name = "EMAIL")]
    pub registry_api_user: Option<String>,

    /// Your key to that registry
    #[arg(
        long,
        env = "MUNIMENT_REGISTRY_API_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub registry_api_key: Option<SecretString>,
}

impl RegistryAccess {
    /// Opens no connection: the first call does.
    pub fn connect(&self, installation: &Installation) -> Result<RegistryClient, CommandError> {
        let settings = self.settings(installation)?;
        settings.connect_as_member().map_err(CommandError::registry)
    }

    /// As [`Self::connect`], for what only operators may: the API for administrators, which refuses the
    /// keys of a depositor.
    pub fn connect_as_operator(
        &self,
        installation: &Installation,
    ) -> Result<RegistryClient, CommandError> {
        let settings = self.settings(installation)?;
        settings.connect().map_err(CommandError::registry)
    }

    fn settings(&self, installation: &Installation) -> Result<RegistrySettings, CommandError> {
        Ok(match self.elsewhere() {
            Some(settings) => settings,
            None => installation.client()?.registry.settings(),
        })
    }

    /// The settings, when they are for an installation elsewhere: clap takes all of them or none.
    fn elsewhere(&self) -> Option<RegistrySettings> {
        Some(RegistrySettings {
            registry_url: self.registry_url.clone()?,
            registry_api_user: self.registry_api_user.clone()?,
            registry_api_key: self.registry_api_key.clone()?,
            registry_timeout: REGISTRY_TIMEOUT.into(),
        })
    }
}

/// The receiving bucket of another machine, or the keys to that of the installation
#[derive(Debug, Default, clap::Args)]
pub struct BucketAccess {
    /// S3 endpoint of an installation elsewhere; AWS itself when only keys and a bucket are given
    #[arg(
        long,
        env = "MUNIMENT_S3_ENDPOINT",
        value_name = "URL",
        conflicts_with_all = ["data", "instance"],
        requires_all = ["s3_access_key", "bucket"]
    )]
    pub s3_endpoint: Option<Url>,

    /// Region of that endpoint
    #[arg(
        long,
        env = "MUNIMENT_S3_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub s3_region: String,

    /// Your access key to that endpoint, or to that of a depositor's file which has none
    #[arg(
        long,
        env = "MUNIMENT_S3_ACCESS_KEY",
        value_name = "KEY",
        hide_env_values = true,
        requires = "s3_secret_key"
    )]
    pub s3_access_key: Option<SecretString>,

    /// Your secret key to that endpoint
    #[arg(
        long,
        env = "MUNIMENT_S3_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true,
        requires = "s3_access_key"
    )]
    pub s3_secret_key: Option<SecretString>,

    /// Receiving bucket to upload to
    #[arg(
        long,
        env = "MUNIMENT_RECEIVING_BUCKET",
        value_name = "BUCKET",
        conflicts_with = "institution"
    )]
    pub bucket: Option<BucketName>,
}

impl BucketAccess {
    /// The bucket that bags are uploaded to. `stop` ends every wait between attempts.
    pub fn connect(
        &self,
        installation: &Installation,
        institution: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<DepositBucket, CommandError> {
        let (settings, bucket) = match self.elsewhere(installation) {
            Some(elsewhere) => elsewhere,
            None => self.of_installation(&installation.client()?, institution)?,
        };
        Ok(settings.connect_depositor(&Connections::new(stop.clone()), bucket))
    }

    /// The settings, when they are for an installation elsewhere: nothing else is named, and a bucket is.
    fn elsewhere(&self, installation: &Installation) -> Option<(ReceivingSettings, BucketName)> {
        if installation.is_named() {
            return None;
        }
        let (receiving_access_key, receiving_secret_key) = self.keys()?;
        let settings = ReceivingSettings {
            receiving_endpoint: self.s3_endpoint.clone(),
            receiving_region: self.s3_region.clone(),
            receiving_access_key,
            receiving_secret_key,
            // Only who looks for buckets needs it.
            receiving_prefix: String::new(),
        };
        Some((settings, self.bucket.clone()?))
    }

    /// Keys that are given go before those of the file, which may have none.
    fn of_installation(
        &self,
        client: &ClientAccess,
        institution: Option<&str>,
    ) -> Result<(ReceivingSettings, BucketName), CommandError> {
        let bucket = match &self.bucket {
            Some(bucket) => bucket.clone(),
            None => client.receiving_bucket(institution)?,
        };
        let mut settings = client.s3.receiving();
        match self.keys() {
            Some((access_key, secret_key)) => {
                settings.receiving_access_key = access_key;
                settings.receiving_secret_key = secret_key;
            }
            None if client.s3.access_key.is_empty() => {
                return Err(CommandError::NoS3Keys {
                    endpoint: client.s3.endpoint.clone(),
                    bucket,
                });
            }
            None => {}
        }
        Ok((settings, bucket))
    }

    /// clap takes both of them or none.
    fn keys(&self) -> Option<(SecretString, SecretString)> {
        self.s3_access_key.clone().zip(self.s3_secret_key.clone())
    }
}

/// The bucket that the bags of this institution, or of the first one, go to.
pub(crate) fn receiving_bucket(
    instance: &Instance,
    institution: Option<&str>,
) -> Result<BucketName, CommandError> {
    instance.client().receiving_bucket(institution)
}
