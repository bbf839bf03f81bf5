//! Makes the data folder, which holds keys and other people's papers.
//!
//! A new one is for its owner alone, and on the disk before anything is put into it. Idempotent:
//! a folder that is there stays as its owner made it, who is told when others can look into it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

const MODE: u32 = 0o700;
/// The bits of a mode that let others read or enter.
const OTHERS: u32 = 0o077;

pub(super) fn make(folder: &Path) -> io::Result<()> {
    let is_new = |one: &&Path| !one.as_os_str().is_empty() && !one.exists();
    let new: Vec<_> = folder.ancestors().take_while(is_new).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(MODE)
        .create(folder)?;
    for one in &new {
        // Its name is in the folder above, which may be the current one.
        let above = one.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    if is_open_to_others(folder)? {
        let folder = folder.display();
        warn!(%folder, "other users of this machine can look into the data folder");
    }
    Ok(())
}

fn is_open_to_others(folder: &Path) -> io::Result<bool> {
    Ok(folder.metadata()?.permissions().mode() & OTHERS != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_and_an_old_one_stays_as_it_is() {
        let around = tempfile::tempdir().expect("a folder");
        let folder = around.path().join("a/b");

        for _time in 0..2 {
            make(&folder).expect("makes");
            assert!(!is_open_to_others(&folder).expect("is there"));
        }

        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("opens");
        make(&folder).expect("makes");
        assert!(is_open_to_others(&folder).expect("is there"));
    }
}
