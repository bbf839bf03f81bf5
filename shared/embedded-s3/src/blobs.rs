//! The files that hold bytes: named by blob id, never by key.
//!
//! ```text
//! blobs/0000/3f/00000000003f07     one file per blob; 256 to a folder, 256 folders to a folder
//! ```
//!
//! A file is written and synced, and its folder too, before the row that refers to it commits, and
//! it is removed only after the commit that removed the last reference. So a crash leaves files
//! without rows, never rows without files; [`leftovers`] removes those at start-up. Ids are never
//! used twice, so writing and removing can be repeated at any point.
//!
//! Ids count up, so files written together share a folder and one sync of it.
//!
//! Cannot do: tell whether a blob is referred to. Only the store knows.

pub(crate) mod leftovers;
pub(crate) mod reading;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::checksums::{Digests, Hashing};

/// Names a blob, whether its bytes are in a file or in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct BlobId(pub i64);

/// How many files are removed by one trip to a blocking thread.
const REMOVED_TOGETHER_MAX: usize = 256;

pub(crate) struct Blobs {
    root: PathBuf,
    next: AtomicI64,
    /// Folders known to be on disk, by the high bits of the ids in them.
    folders: Mutex<HashSet<i64>>,
    pins: Mutex<HashMap<BlobId, Pin>>,
    /// Not bounded, because a commit must not wait for the disk to forget: 8 bytes an entry.
    condemned: mpsc::UnboundedSender<BlobId>,
    /// Held until the last user of these files is gone, so nobody else opens the folder meanwhile.
    _lock: File,
}

#[derive(Default)]
struct Pin {
    readers: usize,
    condemned: bool,
}

impl Blobs {
    /// `first` is an id above all that were ever used. Also returns what must be fed to [`remove`].
    pub(crate) fn new(
        root: PathBuf,
        first: BlobId,
        lock: File,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<BlobId>) {
        let (condemned, removals) = mpsc::unbounded_channel();
        let blobs = Self {
            root,
            next: AtomicI64::new(first.0),
            folders: Mutex::default(),
            pins: Mutex::default(),
            condemned,
            _lock: lock,
        };
        (Arc::new(blobs), removals)
    }

    pub(crate) fn new_id(&self) -> BlobId {
        BlobId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts a file. Blocking.
    pub(crate) fn create(self: &Arc<Self>, hashing: Hashing) -> io::Result<Writing> {
        let id = self.new_id();
        // From here on the file goes away again unless it is kept.
        let new = NewFile {
            id,
            blobs: Arc::clone(self),
            kept: false,
        };
        self.ensure_folder(id)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path_of(&self.root, id))?;
        Ok(Writing {
            new,
            file: Arc::new(file),
            hashing,
        })
    }

    fn ensure_folder(&self, id: BlobId) -> io::Result<()> {
        // Held while syncing: a second writer must not commit a row for a file whose folder is not
        // yet durable. It happens once per 256 blobs.
        let mut folders = relock(&self.folders);
        if folders.contains(&(id.0 >> 8)) {
            return Ok(());
        }
        let leaf = folder_of(&self.root, id);
        std::fs::create_dir_all(&leaf)?;
        for folder in [leaf.parent(), Some(self.root.as_path())]
            .into_iter()
            .flatten()
        {
            File::open(folder)?.sync_all()?;
        }
        folders.insert(id.0 >> 8);
        Ok(())
    }

    /// Removes the file once nobody reads it. Never blocks, so it may be called from a drop.
    pub(crate) fn condemn(&self, id: BlobId) {
        if let Some(pin) = relock(&self.pins).get_mut(&id) {
            pin.condemned = true;
        } else {
            self.queue_removal(id);
        }
    }

    fn queue_removal(&self, id: BlobId) {
        if self.condemned.send(id).is_err() {
            tracing::debug!(blob = id.0, "file stays until the next start");
        }
    }

    /// Keeps the files from being removed while the answer lives.
    ///
    /// A file may be gone already when this is called: look afterwards whether the blob is still
    /// referred to. If it is, the file is there and stays there.
    pub(crate) fn pin(self: &Arc<Self>, ids: impl Iterator<Item = BlobId>) -> Pins {
        let ids: Vec<BlobId> = ids.collect();
        let mut pins = relock(&self.pins);
        for id in &ids {
            pins.entry(*id).or_default().readers += 1;
        }
        Pins {
            ids,
            blobs: Arc::clone(self),
        }
    }
}

/// Files that are being read; see [`Blobs::pin`].
pub(crate) struct Pins {
    ids: Vec<BlobId>,
    blobs: Arc<Blobs>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut pins = relock(&self.blobs.pins);
        for id in &self.ids {
            if let Entry::Occupied(mut pin) = pins.entry(*id) {
                pin.get_mut().readers -= 1;
                if pin.get().readers == 0 && pin.remove().condemned {
                    self.blobs.queue_removal(*id);
                }
            }
        }
    }
}

/// A file that no row refers to yet. Removed when dropped, unless kept.
pub(crate) struct NewFile {
    pub id: BlobId,
    blobs: Arc<Blobs>,
    kept: bool,
}

impl NewFile {
    /// Called once the row is committed.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            self.blobs.condemn(self.id);
        }
    }
}

/// A file being written, hashed as it grows.
pub(crate) struct Writing {
    new: NewFile,
    file: Arc<File>,
    hashing: Hashing,
}

impl Writing {
    /// Appends. Blocking.
    pub(crate) fn append(&mut self, batch: &[Bytes]) -> io::Result<()> {
        for bytes in batch {
            self.hashing.update(bytes);
            (&*self.file).write_all(bytes)?;
        }
        Ok(())
    }

    /// A second handle, to push what is written so far to the disk while more is being hashed.
    pub(crate) fn handle(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Makes the file durable. Blocking.
    pub(crate) fn finish(self) -> io::Result<(NewFile, Digests)> {
        self.file.sync_all()?;
        let folder = folder_of(&self.new.blobs.root, self.new.id);
        File::open(folder)?.sync_all()?;
        Ok((self.new, self.hashing.finish()))
    }
}

/// Removes condemned files until the store is gone.
pub(crate) async fn remove(root: PathBuf, mut removals: mpsc::UnboundedReceiver<BlobId>) {
    let mut ids = Vec::new();
    while removals.recv_many(&mut ids, REMOVED_TOGETHER_MAX).await > 0 {
        let (root, batch) = (root.clone(), std::mem::take(&mut ids));
        let removed = spawn_blocking(move || {
            for id in batch {
                remove_one(&root, id);
            }
        });
        if removed.await.is_err() {
            tracing::warn!("removing files was interrupted; the next start removes them");
        }
    }
}

fn remove_one(root: &Path, id: BlobId) {
    match std::fs::remove_file(path_of(root, id)) {
        Ok(()) => {}
        // The blob was never a file, or was never begun.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(blob = id.0, %error, "file stays until the next start");
        }
    }
}

pub(crate) fn path_of(root: &Path, id: BlobId) -> PathBuf {
    folder_of(root, id).join(format!("{:014x}", id.0))
}

fn folder_of(root: &Path, id: BlobId) -> PathBuf {
    root.join(format!("{:04x}", id.0 >> 16))
        .join(format!("{:02x}", (id.0 >> 8) & 0xff))
}

/// Does file work on a thread that may wait for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The maps are whole after every statement, so a panic elsewhere does not spoil them.
fn relock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
