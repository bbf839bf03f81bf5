//! Which bags the files and folders on a command line are, and what they are called.
//!
//! `deposit` and `validate` ask here, so that neither takes what the other refuses. Looks at names and
//! lists folders: opens no file.

use std::io;
use std::path::{Path, PathBuf};

use muniment_model::{BagNameFault, TAR_EXTENSION, check_bag_name};

/// What a file in a folder of tars ends in when it is meant as one, in whatever letters. One that is
/// packed, or has an ending that no bag has, is refused by name rather than passed over in silence.
const TAR_ENDINGS: [&str; 3] = [TAR_EXTENSION, ".tgz", ".tar.gz"];

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BagPath {
    /// No folder: it has to be a tar.
    File,
    /// The folder of one bag.
    Bag,
    /// A folder of tars, which are in it by name.
    Tars(Vec<PathBuf>),
    /// A folder that holds neither.
    Neither,
}

impl BagPath {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        if !path.metadata()?.is_dir() {
            return Ok(Self::File);
        }
        if path.join("bagit.txt").is_file() {
            return Ok(Self::Bag);
        }
        let tars = tars_in(path)?;
        if tars.is_empty() {
            return Ok(Self::Neither);
        }
        Ok(Self::Tars(tars))
    }
}

fn tars_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tars = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_lowercase();
        let is_meant = TAR_ENDINGS.iter().any(|ending| name.ends_with(ending));
        if is_meant && !path.is_dir() {
            tars.push(path);
        }
    }
    tars.sort();
    Ok(tars)
}

/// The key under which a tar is uploaded.
pub(crate) fn key_of_tar(path: &Path) -> Result<String, BagNameFault> {
    checked(name_of(path)?.to_owned())
}

/// The key under which the tar of a bag's folder is uploaded. `.` and `..` have a name too, which
/// only their real path tells.
pub(crate) fn key_of_folder(real: &Path) -> Result<String, BagNameFault> {
    checked(format!("{}{TAR_EXTENSION}", name_of(real)?))
}

/// Whether what is named cannot exist, because no file system of ours holds so long a name: then the
/// name is the matter, and not that nothing is there.
pub(crate) fn fault_of_length(path: &Path) -> Option<BagNameFault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(TAR_EXTENSION).unwrap_or(&name);
    let fault = check_bag_name(&format!("{stem}{TAR_EXTENSION}")).err();
    fault.filter(|fault| *fault == BagNameFault::TooLong)
}

fn name_of(path: &Path) -> Result<&str, BagNameFault> {
    let name = path.file_name().unwrap_or_default();
    name.to_str().ok_or(BagNameFault::NotUtf8)
}

fn checked(key: String) -> Result<String, BagNameFault> {
    check_bag_name(&key)?;
    Ok(key)
}

#[cfg(test)]
mod tests;
