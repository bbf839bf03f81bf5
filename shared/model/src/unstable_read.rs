//! What to make of a reading of a tar that speaks against the bag, or against itself.
//!
//! A depositor is never blamed for a bit that flipped on our way. A reading is believed when the
//! store's own checksum confirms it, or when a second reading says the same; until then the tar is
//! read again, and when every reading says something else an operator is asked (decision 2).

use serde::{Deserialize, Serialize};

use crate::{Crc64Nvme, FindingCode};

/// How often a tar is read before an operator has to look at why its readings differ.
const UNSTABLE_READS_MAX: u32 = 4;

/// What follows from a reading that could not be believed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadVerdict {
    /// No reading before said so: the tar is to be read once more.
    ReadAgain,
    /// Two readings said the same.
    Believed,
    /// Every reading says something else.
    Unstable,
}

/// What a reading said. Nothing that depends on how far the staging of earlier members had come, so
/// that two readings of the same bytes say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The tar cannot be read on from this byte.
    Unreadable { fault: FindingCode, offset: u64 },
    /// It was read to its end, and has this checksum.
    Whole(Crc64Nvme),
}

/// The unstable reads of one tar so far. Part of the item's record, so that they count across jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnstableReads {
    /// What the last of them said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_said: Option<Said>,
    #[serde(default)]
    count: u32,
}

impl UnstableReads {
    /// Counts a reading that said this, and compares it with the reading before.
    pub fn compare(&mut self, said: Said) -> ReadVerdict {
        if self.last_said == Some(said) {
            return ReadVerdict::Believed;
        }
        self.last_said = Some(said);
        self.count_one()
    }

    /// Counts a reading whose bytes are not those that the store has a checksum of. It is never
    /// believed, however often it is repeated.
    pub fn count_wrong_bytes(&mut self) -> ReadVerdict {
        self.count_one()
    }

    fn count_one(&mut self) -> ReadVerdict {
        self.count += 1;
        if self.count >= UNSTABLE_READS_MAX {
            // An operator who says that it is resolved is owed as many readings again.
            self.count = 0;
            ReadVerdict::Unstable
        } else {
            ReadVerdict::ReadAgain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_at(offset: u64) -> Said {
        Said::Unreadable {
            fault: FindingCode::TarTruncated,
            offset,
        }
    }

    #[test]
    fn what_two_readings_say_is_believed() {
        let mut reads = UnstableReads::default();

        assert_eq!(reads.compare(cut_at(512)), ReadVerdict::ReadAgain);
        assert_eq!(reads.compare(cut_at(512)), ReadVerdict::Believed);
    }

    #[test]
    fn readings_that_all_differ_go_to_an_operator() {
        let mut reads = UnstableReads::default();

        for n in 1..UNSTABLE_READS_MAX {
            assert_eq!(reads.compare(cut_at(n.into())), ReadVerdict::ReadAgain);
        }
        assert_eq!(reads.compare(cut_at(99)), ReadVerdict::Unstable);
    }

    #[test]
    fn after_an_operator_has_looked_readings_are_compared_anew() {
        let mut reads = UnstableReads::default();
        for n in 0..UNSTABLE_READS_MAX {
            reads.compare(cut_at(n.into()));
        }

        let after = [512, 512].map(|n| reads.compare(cut_at(n)));

        assert_eq!(after, [ReadVerdict::ReadAgain, ReadVerdict::Believed]);
    }

    #[test]
    fn wrong_bytes_are_never_believed() {
        let mut reads = UnstableReads::default();

        let verdicts: Vec<_> = (0..UNSTABLE_READS_MAX)
            .map(|_| reads.count_wrong_bytes())
            .collect();

        assert!(!verdicts.contains(&ReadVerdict::Believed));
        assert_eq!(verdicts.last(), Some(&ReadVerdict::Unstable));
    }
}
