//! Settings of the registry client, declared once.

use secrecy::SecretString;
use url::Url;

use crate::{ClientError, RegistryClient};

/// Where the API for workers and operators begins (registry contract, 1.2).
const ADMIN_API: &str = "admin-api/v3";
/// Where that for depositors begins.
const MEMBER_API: &str = "member-api/v3";

/// Where the registry is and who we are to it.
#[derive(Clone, Debug, clap::Args)]
pub struct RegistrySettings {
    /// Where the registry listens
    #[arg(long, env = "MUNIMENT_REGISTRY_URL")]
    pub registry_url: Url,

    /// E-mail address under which this process is known to the registry
    #[arg(long, env = "MUNIMENT_REGISTRY_API_USER")]
    pub registry_api_user: String,

    /// Key that identifies this process to the registry
    #[arg(long, env = "MUNIMENT_REGISTRY_API_KEY", hide_env_values = true)]
    pub registry_api_key: SecretString,

    /// How long one request may take
    #[arg(long, env = "MUNIMENT_REGISTRY_TIMEOUT", default_value = "30s")]
    pub registry_timeout: humantime::Duration,
}

impl RegistrySettings {
    /// Prepares a client. Opens no connection: the first call does.
    pub fn connect(&self) -> Result<RegistryClient, ClientError> {
        RegistryClient::new(self, ADMIN_API)
    }

    /// As [`Self::connect`], for the API of members. It has lists and look-ups only, and shows a
    /// depositor the records of its institution, an administrator all.
    pub fn connect_as_member(&self) -> Result<RegistryClient, ClientError> {
        RegistryClient::new(self, MEMBER_API)
    }
}
