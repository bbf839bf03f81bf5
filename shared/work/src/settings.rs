//! Where the shared work is kept, from flags or environment.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use muniment_model::Clock;

use crate::redis::{NAME, RedisView};
use crate::sqlite::SqliteView;
use crate::{RedisUrl, RedisWork, SqliteWork, WorkError, WorkStore, WorkView};

/// Settings of the queue and the work records.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkSettings {
    /// Where the queue and the work records are kept
    ///
    /// `sqlite:PATH` for the processes of one machine, or `redis://USER:PASSWORD@HOST:PORT/DATABASE` for those
    /// of many; `rediss://` over TLS. Redis 7 or Valkey, with maxmemory-policy noeviction.
    #[arg(
        long,
        env = "MUNIMENT_WORK",
        value_name = "LOCATION",
        hide_env_values = true
    )]
    pub work: WorkLocation,
}

impl WorkSettings {
    pub async fn connect(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn WorkStore>, WorkError> {
        match &self.work {
            WorkLocation::Sqlite(path) => Ok(Arc::new(SqliteWork::open(path, clock).await?)),
            // By the server's clock.
            WorkLocation::Redis(url) => Ok(Arc::new(RedisWork::open(url, NAME).await?)),
        }
    }
}

/// A kind of store and where it is. It may hold a password, which its text never shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkLocation {
    /// One file, for the processes of one machine.
    Sqlite(PathBuf),
    /// One server, for the processes of many machines.
    Redis(RedisUrl),
}

impl WorkLocation {
    /// Opens the store to look at it. Changes nothing, and may be done while others use it.
    pub async fn look(&self) -> Result<Box<dyn WorkView>, WorkError> {
        match self {
            Self::Sqlite(path) => Ok(Box::new(SqliteView::open(path).await?)),
            Self::Redis(url) => Ok(Box::new(RedisView::open(url, NAME).await?)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no place for work records: write sqlite:PATH, redis://HOST:PORT or rediss://HOST:PORT"
)]
pub struct UnknownWorkLocation;

impl FromStr for WorkLocation {
    type Err = UnknownWorkLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("redis" | "rediss", _)) => {
                let url = RedisUrl::parse(text).ok_or(UnknownWorkLocation)?;
                Ok(Self::Redis(url))
            }
            _ => Err(UnknownWorkLocation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_its_kind() {
        let sqlite = |path: &str| Some(WorkLocation::Sqlite(path.into()));
        let redis = |url| RedisUrl::parse(url).map(WorkLocation::Redis);
        let rows = [
            ("sqlite:work.db", sqlite("work.db")),
            ("sqlite:/var/lib/a:b.db", sqlite("/var/lib/a:b.db")),
            ("sqlite:", None),
            ("work.db", None),
            ("redis://host", redis("redis://host")),
            (
                "rediss://user:secret@host:6380/2",
                redis("rediss://user:secret@host:6380/2"),
            ),
            ("redis:host", None),
            ("http://host", None),
        ];

        for (text, expected) in rows {
            assert_eq!(text.parse::<WorkLocation>().ok(), expected, "{text}");
        }
        assert!(redis("redis://host").is_some());
    }

    #[test]
    fn a_password_is_never_shown() {
        let location: WorkLocation = "redis://user:secret@host".parse().expect("a location");
        let refused = "redis://user:secret@host:x".parse::<WorkLocation>();

        assert!(!format!("{location:?}").contains("secret"));
        assert!(!refused.expect_err("no port").to_string().contains("secret"));
    }
}
