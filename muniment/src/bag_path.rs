//! What a file or folder on a command line is called as a bag.
//!
//! `deposit` and `validate` ask here, so that neither takes what the other refuses. Names only: opens
//! no file.

use std::path::Path;

use muniment_model::{BagNameFault, TAR_EXTENSION, check_bag_name};

/// The key under which a tar is uploaded.
pub(crate) fn key_of_tar(path: &Path) -> Result<String, BagNameFault> {
    checked(name_of(path)?.to_owned())
}

/// The key under which the tar of a bag's folder is uploaded. `.` and `..` have a name too, which
/// only their real path tells.
pub(crate) fn key_of_folder(real: &Path) -> Result<String, BagNameFault> {
    checked(format!("{}{TAR_EXTENSION}", name_of(real)?))
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
