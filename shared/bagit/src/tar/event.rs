//! What the reader says about a tar: members, their bytes, and how it ended.
//!
//! Values only, from [`super::TarReader`] to its caller.

use chrono::{DateTime, Utc};
use muniment_model::{FindingCode, Findings};

use super::fault::{self, TarWarning};
use crate::member::{NameFault, Place, place, place_file};

/// What a member that bags may hold is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Regular,
    Directory,
}

/// A regular file or a directory, known when its last header block has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name as the headers have it, byte for byte.
    pub raw_path: Vec<u8>,
    pub kind: EntryKind,
    pub size: u64,
    /// Where its first header block is in the tar, long-name and PAX headers included.
    pub tar_offset: u64,
    /// Where its bytes begin in the tar.
    pub data_offset: u64,
    /// `None` when the headers give none, or one that nobody could record; they keep what they say.
    pub modified_at: Option<DateTime<Utc>>,
    /// All its header blocks as they are in the tar, for a restoration that is the same byte for
    /// byte.
    pub header: Vec<u8>,
}

impl Member {
    /// Where the member belongs in the bag.
    pub fn place(&self) -> Result<Place<'_>, NameFault> {
        match self.kind {
            EntryKind::Regular => place_file(&self.raw_path),
            EntryKind::Directory => place(&self.raw_path),
        }
    }
}

/// What kind of thing a bag may not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrregularKind {
    HardLink,
    SymbolicLink,
    CharacterDevice,
    BlockDevice,
    Fifo,
    /// Any of the forms in which tools store files with holes.
    Sparse,
    /// A type that is not in POSIX, by its letter.
    Other(u8),
}

/// A member that is passed over: never followed, expanded or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Irregular {
    pub raw_path: Vec<u8>,
    pub kind: IrregularKind,
    pub tar_offset: u64,
}

impl Irregular {
    pub fn code(&self) -> FindingCode {
        match self.kind {
            IrregularKind::Sparse => FindingCode::TarSparse,
            IrregularKind::HardLink
            | IrregularKind::SymbolicLink
            | IrregularKind::CharacterDevice
            | IrregularKind::BlockDevice
            | IrregularKind::Fifo
            | IrregularKind::Other(_) => FindingCode::MemberNotRegular,
        }
    }

    /// Adds the finding that this member is.
    pub fn report(&self, findings: &mut Findings) {
        let name = place(&self.raw_path)
            .ok()
            .filter(|found| !found.path.is_empty())
            .map_or_else(
                || String::from_utf8_lossy(&self.raw_path).into_owned(),
                |found| found.path.to_owned(),
            );
        findings.error(self.code(), &name, fault::irregular(&name, self.kind));
    }
}

/// What the reader saw next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Member(Member),
    /// The next bytes of the last member, never empty.
    Data(&'a [u8]),
    /// Something that makes the bag invalid although the tar can be read on. Its bytes are not
    /// given out.
    Irregular(Irregular),
    /// The member and its padding have passed, be it a file, a directory or irregular: reading
    /// can be resumed at `next_offset`.
    MemberEnd {
        next_offset: u64,
    },
    /// Two zero blocks were seen. What follows is only checked for being zero.
    End,
}

/// How a tar that could be read to its end ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TarEnd {
    /// Seen by this reader: after [`super::TarReader::resume`], without those before.
    pub members: u64,
    pub warning: Option<TarWarning>,
}

impl TarEnd {
    /// Adds the warning, if there is one.
    pub fn report(&self, findings: &mut Findings) {
        if let Some(warning) = self.warning {
            findings.warning(warning.code(), "", warning);
        }
    }
}
