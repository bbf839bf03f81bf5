//! What the command line says of a store elsewhere.

use secrecy::SecretString;
use url::Url;

use super::{StoreKeys, StoreOptions};

/// An S3 store in place of the data folder's own
#[derive(Debug, clap::Args)]
pub(in crate::up) struct StoreSettings {
    /// Keep bags and copies in the S3 store at URL, in place of the data folder. A data folder belongs to one store for
    /// good, and a store to one data folder [default: the store of the last start, at first the data folder]
    #[arg(long = "s3", env = "MUNIMENT_S3", value_name = "URL")]
    s3: Option<Url>,

    /// Region of that store [default: the one of the last start, at first us-east-1]
    #[arg(long, env = "MUNIMENT_S3_REGION", value_name = "REGION")]
    s3_region: Option<String>,

    /// Access key to that store, which has to be good for everything in it [default: the one of the last start]
    #[arg(
        long,
        env = "MUNIMENT_S3_ACCESS_KEY",
        value_name = "KEY",
        hide_env_values = true,
        requires = "s3_secret_key"
    )]
    s3_access_key: Option<SecretString>,

    /// Secret key to that store
    #[arg(
        long,
        env = "MUNIMENT_S3_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true,
        requires = "s3_access_key"
    )]
    s3_secret_key: Option<SecretString>,
}

impl StoreSettings {
    pub(in crate::up) fn options(&self) -> StoreOptions {
        let keys = self.s3_access_key.clone().zip(self.s3_secret_key.clone());
        StoreOptions {
            url: self.s3.clone(),
            region: self.s3_region.clone(),
            keys: keys.map(|(access_key, secret_key)| StoreKeys {
                access_key,
                secret_key,
            }),
        }
    }
}
