//! Where the shared work is kept, from flags or environment.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use muniment_model::Clock;

use crate::sqlite::SqliteView;
use crate::{SqliteWork, WorkError, WorkStore, WorkView};

/// Settings of the queue and the work records.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkSettings {
    /// Where the queue and the work records are kept
    #[arg(long, env = "MUNIMENT_WORK", value_name = "sqlite:PATH")]
    pub work: WorkLocation,
}

impl WorkSettings {
    pub async fn connect(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn WorkStore>, WorkError> {
        match &self.work {
            WorkLocation::Sqlite(path) => Ok(Arc::new(SqliteWork::open(path, clock).await?)),
        }
    }
}

/// A kind of store and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkLocation {
    /// One file, for the processes of one machine.
    Sqlite(PathBuf),
}

impl WorkLocation {
    /// Opens the store to look at it. Changes nothing, and may be done while others use it.
    pub async fn look(&self) -> Result<Box<dyn WorkView>, WorkError> {
        match self {
            Self::Sqlite(path) => Ok(Box::new(SqliteView::open(path).await?)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place for work records: write sqlite:PATH")]
pub struct UnknownWorkLocation(pub String);

impl FromStr for WorkLocation {
    type Err = UnknownWorkLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err(UnknownWorkLocation(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_its_kind() {
        let rows = [
            ("sqlite:work.db", Some("work.db")),
            ("sqlite:/var/lib/a:b.db", Some("/var/lib/a:b.db")),
            ("sqlite:", None),
            ("work.db", None),
            ("redis://host", None),
        ];

        for (text, expected) in rows {
            let expected = expected.map(|path| WorkLocation::Sqlite(path.into()));
            assert_eq!(text.parse::<WorkLocation>().ok(), expected, "{text}");
        }
    }
}
