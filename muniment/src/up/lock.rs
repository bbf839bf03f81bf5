//! One process per data folder.
//!
//! The lock is the operating system's and ends with the process, however it ends, so a dead holder
//! never keeps anybody out. The pid in the file is only for the message. The holder of the lock may
//! revoke every lease in the folder: no other process can be alive to hold one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "lock";
/// A pid has far fewer digits.
const PID_BYTES_MAX: u64 = 32;

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "another muniment runs on {folder} (pid {pid}); use it with `--data {folder}`, or stop it",
        folder = folder.display()
    )]
    Taken { folder: PathBuf, pid: String },
    #[error("cannot lock {}", file.display())]
    Unusable { file: PathBuf, source: io::Error },
}

/// Held for as long as it lives.
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(FILE);
        let unusable = |source| LockError::Unusable {
            file: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Taken {
                    folder: folder.to_path_buf(),
                    pid: holder(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_pid(&mut file).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    file.flush()
}

/// The pid as the holder wrote it. It may be about to write it.
fn holder(file: &File) -> String {
    let mut text = String::new();
    let digits = file
        .take(PID_BYTES_MAX)
        .read_to_string(&mut text)
        .is_ok_and(|_| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    if digits { text } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = FolderLock::take(folder.path()).expect("is free");

        let error = FolderLock::take(folder.path()).err().expect("is taken");

        let pid = format!("(pid {})", std::process::id());
        assert!(error.to_string().contains(&pid), "{error}");
        drop(first);
    }

    #[test]
    fn a_lock_that_was_given_up_can_be_taken_again() {
        let folder = tempfile::tempdir().expect("a folder");

        drop(FolderLock::take(folder.path()).expect("is free"));

        assert!(FolderLock::take(folder.path()).is_ok());
    }

    #[test]
    fn a_file_left_by_a_dead_process_keeps_nobody_out() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "99999999999 garbage").expect("writes");

        assert!(FolderLock::take(folder.path()).is_ok());
        let text = std::fs::read_to_string(folder.path().join(FILE)).expect("reads");
        assert_eq!(text, std::process::id().to_string());
    }
}
