//! Which payload files of a bag the registry seems to have already, so that pass one need not stage them.
//!
//! Told by path and size, before their bytes have passed. That may be wrong, because the bytes differ,
//! because a copy is gone, or because two files have one hash; it costs a second reading of that file:
//! Reingest Check compares the digests, and Copy To Staging stages what is to be stored.
//!
//! Bounded: eight bytes for each file, and no more than [`FILES_MAX`] of them. What is beyond is staged.

use std::hash::{BuildHasher, RandomState};

use muniment_model::registry::{BATCH_MAX, RecordState};
use muniment_model::{FileRecord, MemberKind, ObjectIdentifier};
use muniment_registry_client::RegistryClient;
use muniment_runtime::{Job, JobError};

/// 8 MiB for each job. Asking about so many takes a thousand calls.
const FILES_MAX: usize = 1 << 20;

/// The files of the object as the registry has it.
pub(super) struct KnownFiles {
    keyed: RandomState,
    /// Sorted.
    hashes: Vec<u64>,
}

impl KnownFiles {
    pub(super) fn none() -> Self {
        Self {
            keyed: RandomState::new(),
            hashes: Vec::new(),
        }
    }

    /// Asks once for an object that is not there, and else for a page of its files at a time.
    pub(super) async fn of(
        registry: &RegistryClient,
        job: &Job,
        identifier: &ObjectIdentifier,
    ) -> Result<Self, JobError> {
        let mut known = Self::none();
        let found = registry.object(identifier).await?;
        let Some(object) = found.filter(|object| object.state == RecordState::Active) else {
            return Ok(known);
        };
        let expected = usize::try_from(object.file_count).unwrap_or_default();
        known.hashes.reserve_exact(expected.min(FILES_MAX));
        let prefix = identifier.file("");
        let mut after = 0;
        while known.hashes.len() < FILES_MAX {
            job.may_stop()?;
            let page = registry.file_sizes(object.id, after).await?;
            for file in &page {
                // What is named otherwise is in no bag of this name.
                if let Some(path) = file.identifier.strip_prefix(prefix.as_str()) {
                    known.add(path, file.size);
                }
            }
            match page.last() {
                Some(last) if page.len() >= BATCH_MAX => after = last.id,
                Some(_) | None => break,
            }
        }
        known.hashes.sort_unstable();
        Ok(known)
    }

    fn add(&mut self, path: &str, size: u64) {
        if self.hashes.len() < FILES_MAX {
            self.hashes.push(self.hash(path, size));
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether pass one leaves a file unstaged. Manifests and tag files it never does: Validate reads them.
    pub(super) fn leaves_out(&self, file: &FileRecord) -> bool {
        file.kind == MemberKind::Payload
            && !self.hashes.is_empty()
            && self
                .hashes
                .binary_search(&self.hash(&file.path, file.size))
                .is_ok()
    }

    fn hash(&self, path: &str, size: u64) -> u64 {
        self.keyed.hash_one((path, size))
    }
}

#[cfg(test)]
mod tests {
    use muniment_testkit::records::file;

    use super::*;

    fn known(files: &[(&str, u64)]) -> KnownFiles {
        let mut known = KnownFiles::none();
        for (path, size) in files {
            known.add(path, *size);
        }
        known.hashes.sort_unstable();
        known
    }

    #[test]
    fn payload_is_left_out_by_path_and_size_and_tag_files_never_are() {
        let known = known(&[("data/a.txt", 1), ("data/b.txt", 0), ("bag-info.txt", 1)]);
        let rows = [
            ("data/a.txt", MemberKind::Payload, 1, true),
            ("data/b.txt", MemberKind::Payload, 0, true),
            ("data/a.txt", MemberKind::Payload, 2, false),
            ("data/c.txt", MemberKind::Payload, 1, false),
            ("bag-info.txt", MemberKind::Tag, 1, false),
        ];

        for (path, kind, size, expected) in rows {
            let file = FileRecord {
                size,
                ..file(path, kind, &[])
            };
            assert_eq!(known.leaves_out(&file), expected, "{path} of {size}");
            assert!(!KnownFiles::none().leaves_out(&file), "{path}");
        }
    }

    #[test]
    fn an_object_of_more_files_takes_no_more_memory() {
        let mut known = KnownFiles::none();

        for size in 0..=FILES_MAX as u64 {
            known.add("data/a.txt", size);
        }

        assert_eq!(known.hashes.len(), FILES_MAX);
    }
}
