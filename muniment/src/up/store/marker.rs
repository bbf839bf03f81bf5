//! The marker that says whose store it is, and the file in the data folder that says which marker is its own.
//!
//! The file is on the disk before the marker is in the store, so a start that is killed in between knows its marker
//! again. Both are written once. `instance.json` has the same id; the file is for a folder that has lost it, or has
//! not been ready yet.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Elsewhere;
use crate::up::instance::{FORMAT, InstanceError, parse, read_limited, replace};

/// In the records bucket. A deposit record is one folder deeper.
pub(super) const MARKER: &str = "muniment/store.json";
/// Below it each start puts an object of its own and deletes it. Beside the marker.
pub(super) const TRIALS: &str = "muniment/trial/";
/// A marker has some 200 bytes.
pub(super) const SIZE_MAX: u64 = 64 * 1024;

const FILE: &str = "store.json";

/// What is in the store.
#[derive(Serialize, Deserialize)]
pub(super) struct Marker {
    format: u32,
    pub(super) id: String,
    /// For a person who finds it.
    data_folder: PathBuf,
    begun_at: DateTime<Utc>,
}

impl Marker {
    pub(super) fn new(id: &str, folder: &Path, now: DateTime<Utc>) -> Self {
        let absolute = std::path::absolute(folder);
        Self {
            format: FORMAT,
            id: id.to_owned(),
            data_folder: absolute.unwrap_or_else(|_| folder.to_owned()),
            begun_at: now,
        }
    }

    /// For a message: `/srv/muniment, begun at 2026-02-03 04:05 UTC`.
    pub(super) fn owner(&self) -> String {
        let (folder, begun) = (self.data_folder.display(), self.begun_at);
        format!("{folder}, begun at {}", begun.format("%Y-%m-%d %H:%M UTC"))
    }
}

/// What is in the folder.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    format: u32,
    pub(super) id: String,
    pub(super) endpoint: Url,
    pub(super) region: String,
}

impl Remembered {
    pub(super) fn find(folder: &Path) -> Result<Option<Self>, InstanceError> {
        let file = folder.join(FILE);
        match read_limited(&file) {
            Ok(bytes) => parse(&file, &bytes, |file, source| InstanceError::StoreUnknown {
                file,
                source,
            })
            .map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(InstanceError::Unreadable { file, source }),
        }
    }

    pub(super) fn write(elsewhere: &Elsewhere, folder: &Path) -> Result<(), InstanceError> {
        let remembered = Self {
            format: FORMAT,
            id: elsewhere.id.clone(),
            endpoint: elsewhere.access.endpoint.clone(),
            region: elsewhere.access.region.clone(),
        };
        replace(folder, FILE, &remembered)
    }

    /// Of a store that turned out to be another's.
    pub(super) fn forget(folder: &Path) -> Result<(), InstanceError> {
        let file = folder.join(FILE);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(InstanceError::Unwritable { file, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
