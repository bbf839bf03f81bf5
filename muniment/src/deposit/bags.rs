//! What there is to upload: the rules by which files and folders on the command line become bags.
//!
//! Everything is looked at before the first byte is sent, so that a mistake in the last argument
//! is not found after hours of uploading the first. Reads names and sizes only.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use muniment_model::{BagNameFault, InvalidName, ObjectKey};

use super::folder_tar::FolderTar;
use crate::bag_path::{BagPath, fault_of_length, key_of_folder, key_of_tar};

/// One upload to be made.
#[derive(Debug)]
pub(crate) struct Bag {
    pub(crate) key: ObjectKey,
    pub(crate) size: u64,
    pub(crate) source: Source,
}

/// Where its bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    Tar(PathBuf),
    /// A bag that is packed while it is uploaded.
    Folder(FolderTar),
}

#[derive(Debug, thiserror::Error)]
pub enum BagFault {
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} {why}", path.display())]
    Unfit { path: PathBuf, why: &'static str },
    #[error("{} cannot be a bag", path.display())]
    Name { path: PathBuf, source: BagNameFault },
    #[error("{} cannot be a bag", path.display())]
    Key { path: PathBuf, source: InvalidName },
    #[error(
        "{} is neither a file nor a folder, which a bag cannot hold; put the file itself in the place \
         of a link", path.display()
    )]
    NeitherFileNorFolder { path: PathBuf },
    #[error(
        "{} would be uploaded as {key}, like another one before it; deposit them one after the \
         other", path.display()
    )]
    KeyTwice { path: PathBuf, key: ObjectKey },
}

impl BagFault {
    pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::Unreadable { path, source }
    }
}

/// The bags that these files and folders are, in order.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Bag>, BagFault> {
    let mut bags = Vec::new();
    let mut keys = HashSet::new();
    for path in paths {
        for bag in of_path(path)? {
            if !keys.insert(bag.key.clone()) {
                let path = path.clone();
                return Err(BagFault::KeyTwice { path, key: bag.key });
            }
            bags.push(bag);
        }
    }
    Ok(bags)
}

fn of_path(path: &Path) -> Result<Vec<Bag>, BagFault> {
    let found = BagPath::of(path).map_err(|source| match fault_of_length(path) {
        Some(fault) => BagFault::Name {
            path: path.to_path_buf(),
            source: fault,
        },
        None => BagFault::unreadable(path)(source),
    });
    match found? {
        BagPath::File => Ok(vec![of_tar(path)?]),
        BagPath::Bag => Ok(vec![of_folder(path)?]),
        BagPath::Tars(tars) => tars.iter().map(|tar| of_tar(tar)).collect(),
        BagPath::Neither => Err(BagFault::Unfit {
            path: path.to_path_buf(),
            why: "holds neither a bag (there is no bagit.txt) nor tar files",
        }),
    }
}

/// A tar file, whatever is in it.
pub(crate) fn of_tar(path: &Path) -> Result<Bag, BagFault> {
    let meta = std::fs::metadata(path).map_err(BagFault::unreadable(path))?;
    if !meta.is_file() {
        return Err(BagFault::NeitherFileNorFolder {
            path: path.to_path_buf(),
        });
    }
    Ok(Bag {
        key: key(path, key_of_tar(path))?,
        size: meta.len(),
        source: Source::Tar(path.to_path_buf()),
    })
}

fn of_folder(path: &Path) -> Result<Bag, BagFault> {
    let real = path.canonicalize().map_err(BagFault::unreadable(path))?;
    let key = key(path, key_of_folder(&real))?;
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let folder = FolderTar::plan(&real, name.into_owned())?;
    Ok(Bag {
        key,
        size: folder.size(),
        source: Source::Folder(folder),
    })
}

fn key(path: &Path, name: Result<String, BagNameFault>) -> Result<ObjectKey, BagFault> {
    let name = name.map_err(|source| BagFault::Name {
        path: path.to_path_buf(),
        source,
    })?;
    ObjectKey::new(name).map_err(|source| BagFault::Key {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests;
