//! Whether the disk is full: told by what could not be written, and said once.
//!
//! A full disk is nobody's request's fault. It is answered with 507, which clients of ours take for an
//! outage, and all goes on by itself when there is room.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};

use muniment_sqlite::is_disk_full;
use tracing::{error, info};

use super::errors::RequestError;
use crate::intake::IntakeError;
use crate::store::StoreError;

#[derive(Default)]
pub(super) struct Disk {
    is_full: AtomicBool,
}

impl Disk {
    /// Said when it begins, not for each request that meets it. Returns whether it was.
    pub(super) fn found_full(&self) -> bool {
        let begins = !self.is_full.swap(true, Ordering::Relaxed);
        if begins {
            error!("the disk is full: nothing is stored until there is room");
        }
        begins
    }

    /// Called when the bytes of an object were stored. Returns whether that is news.
    pub(super) fn found_room(&self) -> bool {
        let ends = self.is_full.swap(false, Ordering::Relaxed);
        if ends {
            info!("there is room on the disk again");
        }
        ends
    }
}

impl RequestError {
    pub(super) fn is_disk_full(&self) -> bool {
        if let Self::Store(StoreError::Database(error)) = self {
            return is_disk_full(error);
        }
        if let Self::Intake(IntakeError::Write(error)) | Self::Read(error) | Self::Copy(error) =
            self
        {
            return has_no_room(error);
        }
        false
    }
}

/// A limit of the system on the size of a file counts too: an operator has to give it room.
fn has_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_once_and_so_is_its_end() {
        let disk = Disk::default();

        assert!(!disk.found_room(), "it was not full");
        assert!(disk.found_full());
        assert!(!disk.found_full(), "it is known");
        assert!(disk.found_room());
        assert!(!disk.found_room(), "it is known");
    }
}
