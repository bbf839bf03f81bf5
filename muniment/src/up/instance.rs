//! `instance.json`: how to reach the muniment of a data folder, and the keys to it: the operator's, which
//! are good for everything, and those of each depositor.
//!
//! Written when everything answers, replaced as a whole (a reader sees the old or the new one), and
//! readable by its owner only. Keys, names and, unless something else takes them, ports stay the same
//! for as long as the folder exists; pid and time are those of the latest start. The file stays when
//! the process ends: what else holds keys ([`super::depositor`]) is made from it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use muniment_model::{BucketName, StorageTarget};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use super::depositor::{ClientAccess, InstitutionBuckets};

/// Raised when a reader of an older version could no longer understand the file, or would do harm with what it
/// understands.
pub const FORMAT: u32 = 2;
/// Of a folder that has its buckets in itself: nothing has changed for it.
pub(super) const FORMAT_EMBEDDED: u32 = 1;

const FILE: &str = "instance.json";
/// Only the owner: the file holds keys.
const MODE: u32 = 0o600;
/// A file of ours has a few kilobytes; nothing larger is read into memory.
const SIZE_MAX: u64 = 1 << 20;

/// How to reach one installation, and the keys to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub format: u32,
    /// What the marker in the store says, where the store is elsewhere ([`super::store`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<String>,
    pub s3: S3Access,
    pub registry: RegistryAccess,
    pub institutions: Vec<InstitutionAccess>,
    pub staging_bucket: BucketName,
    pub records_bucket: BucketName,
    pub preservation_buckets: BTreeMap<StorageTarget, BucketName>,
    /// The host in the URLs of preserved copies. The URLs are names, not places: they stay true when
    /// ports change.
    pub storage_host: String,
    pub pid: u32,
    pub started_at: DateTime<Utc>,
}

/// An S3 endpoint and a key pair to it. Both keys are empty in the file of a depositor who gets them elsewhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Access {
    pub endpoint: Url,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryAccess {
    pub url: Url,
    pub user: String,
    pub api_key: String,
}

/// An institution, its two buckets, and the keys of its depositor to them and to the registry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstitutionAccess {
    pub identifier: String,
    pub receiving_bucket: BucketName,
    pub restore_bucket: BucketName,
    pub user: String,
    pub api_key: String,
    /// Empty, as is the secret key, where the store is elsewhere and gives out its own; and in what an older
    /// version wrote: the next start makes both.
    #[serde(default)]
    pub s3_access_key: String,
    #[serde(default)]
    pub s3_secret_key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error(
        "there is no muniment in {folder}; start one with `muniment up --data {folder}`, or name \
         another folder with `--data`", folder = folder.display()
    )]
    NotThere { folder: PathBuf },
    #[error("cannot read {}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error(
        "{} is damaged; put a copy of it from a backup in its place, or remove it: the next \
         `muniment up` then makes new keys and needs every institution named with --institution",
        file.display()
    )]
    Damaged {
        file: PathBuf,
        source: serde_json::Error,
    },
    #[error(
        "{} is not a depositor's file, or is damaged; ask for it again: it is in the folder \
         `depositors` of the installation, where each `muniment up` writes it anew",
        file.display()
    )]
    NotOfDepositor {
        file: PathBuf,
        source: serde_json::Error,
    },
    #[error(
        "{} is damaged, and says which S3 store the data folder belongs to; put a copy of it from a backup in its \
         place", file.display()
    )]
    StoreUnknown {
        file: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} was written by a newer version of muniment (format {format})", file.display())]
    Newer { file: PathBuf, format: u32 },
    #[error("cannot write {}", file.display())]
    Unwritable { file: PathBuf, source: io::Error },
}

/// What every version can read of every other.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Instance {
    /// The instance of a data folder, running or not.
    pub fn read(folder: &Path) -> Result<Self, InstanceError> {
        Self::find(folder)?.ok_or_else(|| InstanceError::NotThere {
            folder: folder.to_path_buf(),
        })
    }

    /// `None` for a folder in which muniment has never been ready.
    pub fn find(folder: &Path) -> Result<Option<Self>, InstanceError> {
        let file = Self::file(folder);
        let bytes = match read_limited(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(InstanceError::Unreadable { file, source }),
        };
        parse(&file, &bytes, |file, source| InstanceError::Damaged {
            file,
            source,
        })
        .map(Some)
    }

    /// Puts this instance in the place of the one the folder has.
    pub fn write(&self, folder: &Path) -> Result<(), InstanceError> {
        replace(folder, FILE, self)
    }

    /// Where it is in a data folder.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// Whether the buckets are in a store that is not the data folder's own.
    pub fn is_elsewhere(&self) -> bool {
        self.store_id.is_some()
    }

    /// What the operator's own commands need.
    pub fn client(&self) -> ClientAccess {
        ClientAccess {
            format: self.format,
            s3: self.s3.clone(),
            registry: self.registry.clone(),
            institutions: self
                .institutions
                .iter()
                .map(InstitutionBuckets::of)
                .collect(),
        }
    }
}

/// Reads what a version wrote that is not newer than this one.
pub(super) fn parse<T: DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    damaged: fn(PathBuf, serde_json::Error) -> InstanceError,
) -> Result<T, InstanceError> {
    let damaged = |source| damaged(file.to_path_buf(), source);
    let FormatOnly { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > FORMAT {
        let file = file.to_path_buf();
        return Err(InstanceError::Newer { file, format });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Puts a file that holds keys in the place of the one that is there, as a whole.
pub(super) fn replace<T: Serialize>(
    folder: &Path,
    name: &str,
    content: &T,
) -> Result<(), InstanceError> {
    let file = folder.join(name);
    let written = write_next(&folder.join(format!("{name}.next")), content)
        .and_then(|next| std::fs::rename(next, &file))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|source| InstanceError::Unwritable { file, source })
}

fn write_next<'a, T: Serialize>(next: &'a Path, content: &T) -> io::Result<&'a Path> {
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(next)?;
    // The mode above counts only for a file that was not there.
    out.set_permissions(Permissions::from_mode(MODE))?;
    out.write_all(&text)?;
    out.sync_all()?;
    Ok(next)
}

pub(super) fn read_limited(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;

    let mut bytes = Vec::new();
    File::open(file)?.take(SIZE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests;
