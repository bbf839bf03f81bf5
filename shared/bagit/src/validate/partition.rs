//! Divides the files of a bag into parts that one join can hold in memory.
//!
//! Pure: which part a path falls to depends on the path and the number of parts alone, so every
//! repetition divides a bag alike. All spellings of a name fall to one part.

use siphasher::sip128::SipHasher13;

use super::table::FILE_BYTES;
use crate::manifest::path::canonical;

/// The part of a bag's files that one join looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) index: u32,
    pub(super) of: u32,
    pub(super) files_expected: usize,
}

impl Partition {
    /// Divides a bag of that many files so that each part stays within a budget of memory.
    pub(super) fn plan(files: u64, budget_bytes: usize) -> impl Iterator<Item = Self> {
        let per_partition = (budget_bytes / FILE_BYTES).max(1);
        let needed = files.div_ceil(per_partition as u64).max(1);
        let of = u32::try_from(needed).unwrap_or(u32::MAX);
        let expected = files.div_ceil(u64::from(of));
        let files_expected = usize::try_from(expected).unwrap_or(per_partition);
        (0..of).map(move |index| Self {
            index,
            of,
            files_expected,
        })
    }

    /// Names spread evenly unless they were made not to. So twice the number means that they were.
    pub(super) fn files_max(self) -> usize {
        const SMALL: usize = 1_024;
        self.files_expected * 2 + SMALL
    }

    /// Whether a path falls to this part. The hash has no secret, so that the order of findings is
    /// the same in every run.
    pub(super) fn holds(self, path: &str) -> bool {
        if self.of == 1 {
            return true;
        }
        let hash = SipHasher13::new().hash(canonical(path).as_bytes());
        hash.h1 % u64::from(self.of) == u64::from(self.index)
    }

    /// Findings about a line as such are made once, not once per partition.
    pub(super) fn is_first(self) -> bool {
        self.index == 0
    }
}
