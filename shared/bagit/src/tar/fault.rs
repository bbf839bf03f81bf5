//! What can be wrong with a tar as such, in the depositor's words.
//!
//! The texts are shown to depositors as findings, so unlike other errors they are sentences of
//! their own. Each says where in the file, and what is expected there. None has a semicolon: notes
//! are joined by them.

use muniment_model::{FindingCode, Findings};

use super::header::Block;
use super::{HEADER_BYTES_MAX, IrregularKind, MEMBERS_MAX};

/// Why a tar cannot be read on. Nothing after it can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarFault {
    #[error("The file is {0}, not a tar file")]
    NotATar(Lookalike),
    #[error("The tar file has no members")]
    Empty,
    #[error("The tar file is cut short: it ends at byte {tar_size}, in the middle of a header")]
    CutInHeader { tar_size: u64 },
    #[error(
        "The tar file is cut short: it ends at byte {tar_size}, in the middle of {path}, \
         which goes on to byte {end}"
    )]
    CutInData {
        path: String,
        tar_size: u64,
        end: u64,
    },
    /// The caller pushed less than it announced.
    #[error("The tar file is cut short: only {position} of its {tar_size} bytes could be read")]
    Interrupted { position: u64, tar_size: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: the header there does not match its checksum"
    )]
    BadChecksum { offset: u64 },
    #[error("The tar file is damaged at byte {offset}: the header there gives an impossible size")]
    ImpossibleSize { offset: u64 },
    #[error(
        "The header at byte {offset} of the tar file gives the size of {path} behind a zero byte: \
         some programs read it, others take the size for 0"
    )]
    SizeAfterNul { path: String, offset: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: the PAX header there has a malformed record"
    )]
    BadRecord { offset: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: a header there comes between another header \
         and its member"
    )]
    NestedHeader { offset: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: the header before it belongs to a member that \
         is missing"
    )]
    NoMember { offset: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: one block of zeros, where a header or the end \
         (two such blocks) should be"
    )]
    LoneZeroBlock { offset: u64 },
    #[error(
        "The tar file is damaged at byte {offset}: the headers there give one member two names"
    )]
    NamesDisagree { offset: u64 },
    #[error(
        "The tar file has a name or PAX header of {size} bytes at byte {offset}: all headers of \
         one member may take at most {HEADER_BYTES_MAX} bytes"
    )]
    MetaTooLarge { offset: u64, size: u64 },
    #[error(
        "The headers at byte {offset} of the tar file disagree about the size of {path}: {in_header} \
         bytes or {in_pax} bytes"
    )]
    SizesDisagree {
        path: String,
        offset: u64,
        in_header: u64,
        in_pax: u64,
    },
    #[error(
        "The header at byte {offset} of the tar file gives {path} a size, though it is not a file"
    )]
    SizeWithoutFile { path: String, offset: u64 },
    #[error(
        "The tar file has a global PAX header at byte {offset} that sets {key} for all members: \
         only comments and times are allowed there"
    )]
    GlobalKey { key: String, offset: u64 },
    #[error("The tar file has more than {MEMBERS_MAX} members (at byte {offset})")]
    TooManyMembers { offset: u64 },
}

impl TarFault {
    pub fn code(&self) -> FindingCode {
        match self {
            Self::NotATar(_) => FindingCode::NotATar,
            Self::Empty => FindingCode::TarEmpty,
            Self::CutInHeader { .. } | Self::CutInData { .. } | Self::Interrupted { .. } => {
                FindingCode::TarTruncated
            }
            Self::BadChecksum { .. }
            | Self::ImpossibleSize { .. }
            | Self::BadRecord { .. }
            | Self::NestedHeader { .. }
            | Self::NoMember { .. }
            | Self::LoneZeroBlock { .. }
            | Self::NamesDisagree { .. } => FindingCode::TarDamaged,
            Self::MetaTooLarge { .. } => FindingCode::TarMetaTooLarge,
            Self::SizesDisagree { .. }
            | Self::SizeWithoutFile { .. }
            | Self::SizeAfterNul { .. } => FindingCode::TarSizesDisagree,
            Self::GlobalKey { .. } => FindingCode::TarGlobalHeader,
            Self::TooManyMembers { .. } => FindingCode::TooManyMembers,
        }
    }

    /// The byte of the tar that it is about.
    pub fn offset(&self) -> u64 {
        match self {
            Self::NotATar(_) | Self::Empty => 0,
            Self::CutInHeader { tar_size } | Self::CutInData { tar_size, .. } => *tar_size,
            Self::Interrupted { position, .. } => *position,
            Self::BadChecksum { offset }
            | Self::ImpossibleSize { offset }
            | Self::BadRecord { offset }
            | Self::NestedHeader { offset }
            | Self::NoMember { offset }
            | Self::LoneZeroBlock { offset }
            | Self::NamesDisagree { offset }
            | Self::MetaTooLarge { offset, .. }
            | Self::SizesDisagree { offset, .. }
            | Self::SizeWithoutFile { offset, .. }
            | Self::SizeAfterNul { offset, .. }
            | Self::GlobalKey { offset, .. }
            | Self::TooManyMembers { offset } => *offset,
        }
    }

    /// Adds the finding that this fault is.
    pub fn report(&self, findings: &mut Findings) {
        findings.error(self.code(), "", self);
    }

    /// The whole file is shorter than one block.
    pub(super) fn of_short_file(file: &[u8]) -> Self {
        if has_magic(file) {
            return Self::CutInHeader {
                tar_size: file.len() as u64,
            };
        }
        Self::NotATar(match Lookalike::of(file) {
            _ if file.is_empty() => Lookalike::Nothing,
            Some(lookalike) => lookalike,
            None => Lookalike::TooShort,
        })
    }
}

/// What does not make a tar unreadable, but should be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarWarning {
    /// A common bagging tool writes no end blocks. A tar that lost whole members looks the same,
    /// which the manifests tell.
    #[error("The tar file ends at byte {offset} without the two blocks of zeros that mark its end")]
    EndMissing { offset: u64 },
    #[error("The tar file goes on after its end, at byte {offset}: what follows is ignored")]
    TrailingData { offset: u64 },
}

impl TarWarning {
    pub fn code(self) -> FindingCode {
        match self {
            Self::EndMissing { .. } => FindingCode::TarEndMissing,
            Self::TrailingData { .. } => FindingCode::TarTrailingData,
        }
    }
}

/// What a file is that is not a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lookalike {
    #[error("empty (0 bytes)")]
    Nothing,
    #[error("a gzip file")]
    Gzip,
    #[error("a zip file")]
    Zip,
    #[error("a zstd file")]
    Zstd,
    #[error("an xz file")]
    Xz,
    #[error("a bzip2 file")]
    Bzip2,
    #[error("a 7z file")]
    SevenZip,
    #[error("a PDF file")]
    Pdf,
    #[error("a text file")]
    Text,
    #[error("shorter than one tar header")]
    TooShort,
    #[error("of an unknown kind")]
    Unknown,
}

impl Lookalike {
    const MAGIC: [(&'static [u8], Self); 9] = [
        (b"\x1f\x8b", Self::Gzip),
        (b"PK\x03\x04", Self::Zip),
        (b"PK\x05\x06", Self::Zip),
        (b"PK\x07\x08", Self::Zip),
        (b"\x28\xb5\x2f\xfd", Self::Zstd),
        (b"\xfd7zXZ\0", Self::Xz),
        (b"BZh", Self::Bzip2),
        (b"7z\xbc\xaf\x27\x1c", Self::SevenZip),
        (b"%PDF-", Self::Pdf),
    ];

    /// A guess from the beginning of a file; `None` when it could be anything.
    fn of(bytes: &[u8]) -> Option<Self> {
        Self::MAGIC
            .into_iter()
            .find(|(magic, _)| bytes.starts_with(magic))
            .map(|(_, lookalike)| lookalike)
            .or_else(|| is_text(bytes).then_some(Self::Text))
    }

    /// `None` when the block is a tar header after all, if a damaged one.
    pub(super) fn of_first_block(block: &Block) -> Option<Self> {
        if has_magic(block) {
            return None;
        }
        Some(Self::of(block).unwrap_or(Self::Unknown))
    }
}

fn has_magic(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// No control characters but those of a text; a character may be cut at the end.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cut) if cut.error_len().is_none() => {
            let valid = bytes.get(..cut.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let of_text = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c');
    !text.is_empty() && text.chars().all(of_text)
}

/// The finding for a member that is not a file or folder.
pub(super) fn irregular(name: &str, kind: IrregularKind) -> String {
    let what = match kind {
        IrregularKind::HardLink => {
            return format!(
                "{name} is a hard link: a bag may hold only files and folders. Make the tar again with \
                 the option --hard-dereference, which stores the file itself"
            );
        }
        IrregularKind::SymbolicLink => {
            return format!(
                "{name} is a symbolic link: a bag may hold only files and folders. Put the file itself \
                 in its place, or make the tar again with the option --dereference"
            );
        }
        IrregularKind::CharacterDevice => "a character device",
        IrregularKind::BlockDevice => "a block device",
        IrregularKind::Fifo => "a named pipe",
        IrregularKind::Sparse => {
            return format!(
                "{name} is stored as a sparse file: make the tar again without the option for \
                 sparse files"
            );
        }
        IrregularKind::Other(letter) => {
            let letter = char::from(letter).escape_default();
            return format!(
                "{name} is a tar member of the unknown type '{letter}': a bag may hold only files \
                 and folders"
            );
        }
    };
    format!("{name} is {what}: a bag may hold only files and folders")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a note, a finding with a semicolon would look like two.
    #[test]
    fn no_irregular_member_is_described_with_a_semicolon() {
        let kinds = [
            IrregularKind::HardLink,
            IrregularKind::SymbolicLink,
            IrregularKind::CharacterDevice,
            IrregularKind::BlockDevice,
            IrregularKind::Fifo,
            IrregularKind::Sparse,
            IrregularKind::Other(b'V'),
        ];

        for kind in kinds {
            let message = irregular("data/a", kind);
            assert!(!message.contains(';'), "{message}");
        }
    }

    #[test]
    fn no_long_fault_is_described_with_a_semicolon() {
        let faults = [
            TarFault::MetaTooLarge {
                offset: 512,
                size: 9,
            },
            TarFault::GlobalKey {
                key: "path".to_owned(),
                offset: 512,
            },
        ];

        for fault in faults {
            let message = fault.to_string();
            assert!(!message.contains(';'), "{message}");
        }
    }
}
