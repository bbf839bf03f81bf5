//! Removes files that no row refers to: what a crash, or a removal cut short, left behind.
//!
//! Runs once, before the first request, on the only open handle to the folder. Idempotent: it
//! compares what is with what should be. Files that are not named like a blob are not ours and stay.
//!
//! Cannot do: bring back a file whose row is there and which is not. It says so, loudly.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::Path;

use super::{BlobId, path_of};

/// One leaf folder: the ids it may hold are `first..first + 256`.
pub(crate) struct Leaf {
    pub first: BlobId,
    found: HashSet<BlobId>,
}

impl Leaf {
    /// One more than the last id this folder can hold.
    pub(crate) fn end(&self) -> BlobId {
        BlobId(self.first.0 + 256)
    }

    /// Removes what is not in `referred`, and the folder if nothing is left. Blocking.
    pub(crate) fn tidy(&self, root: &Path, referred: &HashSet<BlobId>) -> io::Result<usize> {
        for missing in referred.difference(&self.found) {
            tracing::error!(blob = missing.0, "the bytes of a stored object are gone");
        }
        let mut removed = 0;
        for leftover in self.found.difference(referred) {
            std::fs::remove_file(path_of(root, *leftover))?;
            removed += 1;
        }
        if referred.is_empty() {
            let emptied = std::fs::remove_dir(super::folder_of(root, self.first));
            if let Err(error) = emptied {
                tracing::debug!(%error, "a folder of blobs stays");
            }
        }
        Ok(removed)
    }
}

/// Every leaf folder and what is in it. Blocking. Memory: one number per file.
pub(crate) fn leaves(root: &Path) -> io::Result<Vec<Leaf>> {
    let mut leaves = Vec::new();
    for upper in folders(root)? {
        let Some(high) = number(&upper) else { continue };
        for lower in folders(&upper.path())? {
            let Some(low) = number(&lower).filter(|low| *low <= 0xff) else {
                continue;
            };
            let first = BlobId((high << 16) | (low << 8));
            let mut found = HashSet::new();
            for file in std::fs::read_dir(lower.path())? {
                let file = file?;
                let id = number(&file).map(BlobId);
                found.extend(id.filter(|id| path_of(root, *id) == file.path()));
            }
            leaves.push(Leaf { first, found });
        }
    }
    Ok(leaves)
}

fn folders(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry);
        }
    }
    Ok(folders)
}

fn number(entry: &DirEntry) -> Option<i64> {
    i64::from_str_radix(entry.file_name().to_str()?, 16).ok()
}
