//! Decodes one header block of a tar.
//!
//! Used by the reader for every block at a member boundary. Strict about what decides where the
//! next header is (checksum, size, type) and lenient about what does not (times).
//!
//! It cannot know what long-name and PAX headers before the block say; the reader puts the two
//! together.

use chrono::{DateTime, Utc};

use super::fault::{Lookalike, TarFault};
use super::{EntryKind, IrregularKind};

/// POSIX, "ustar interchange format": everything in a tar begins at multiples of this.
pub(super) const BLOCK: usize = 512;

pub(super) type Block = [u8; BLOCK];

/// No file system has larger files; as signed numbers they would be negative.
const SIZE_MAX: u64 = i64::MAX as u64;

/// Headers that are about the member after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetaKind {
    LongName,
    LongLink,
    Pax,
    PaxGlobal,
}

/// A member, by its type letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Kept(EntryKind),
    Irregular(IrregularKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Meta(MetaKind),
    Member(What),
}

/// What the reader needs of a header block.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) offset: u64,
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    pub(super) modified_at: Option<DateTime<Utc>>,
    /// Of an old GNU sparse file: whether further map blocks follow before the data.
    pub(super) sparse_map_goes_on: bool,
}

impl Header {
    /// `offset` is where the block is in the tar.
    pub(super) fn read(block: &Block, offset: u64) -> Result<Self, TarFault> {
        let header = ::tar::Header::from_byte_slice(block);
        let fields = header.as_old();
        if !has_right_checksum(block, fields.cksum) {
            return Err(match Lookalike::of_first_block(block) {
                Some(lookalike) if offset == 0 => TarFault::NotATar(lookalike),
                Some(_) | None => TarFault::BadChecksum { offset },
            });
        }
        let [typeflag] = fields.linkflag;
        let kind = kind_of(typeflag);
        let size = number(&fields.size)
            .filter(|size| *size <= SIZE_MAX)
            .ok_or_else(|| {
                if has_number_after_nul(&fields.size) {
                    let path = String::from_utf8_lossy(&name(block, fields)).into_owned();
                    TarFault::SizeAfterNul { path, offset }
                } else {
                    TarFault::ImpossibleSize { offset }
                }
            })?;
        Ok(Self {
            offset,
            kind,
            name: name(block, fields),
            size,
            modified_at: modified_at(&fields.mtime),
            sparse_map_goes_on: typeflag == b'S'
                && header.as_gnu().is_some_and(::tar::GnuHeader::is_extended),
        })
    }
}

/// The type letters of POSIX and GNU tar. Unknown ones are irregular: POSIX reads them as files,
/// but what tools put there (volume labels, access lists) is not the depositor's file.
fn kind_of(typeflag: u8) -> Kind {
    let irregular = |kind| Kind::Member(What::Irregular(kind));
    match typeflag {
        b'0' | 0 | b'7' => Kind::Member(What::Kept(EntryKind::Regular)),
        b'5' => Kind::Member(What::Kept(EntryKind::Directory)),
        b'L' => Kind::Meta(MetaKind::LongName),
        b'K' => Kind::Meta(MetaKind::LongLink),
        b'x' => Kind::Meta(MetaKind::Pax),
        b'g' => Kind::Meta(MetaKind::PaxGlobal),
        b'1' => irregular(IrregularKind::HardLink),
        b'2' => irregular(IrregularKind::SymbolicLink),
        b'3' => irregular(IrregularKind::CharacterDevice),
        b'4' => irregular(IrregularKind::BlockDevice),
        b'6' => irregular(IrregularKind::Fifo),
        b'S' => irregular(IrregularKind::Sparse),
        other => irregular(IrregularKind::Other(other)),
    }
}

pub(super) fn is_zero(block: &Block) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// How many bytes follow `size` bytes up to the next block.
pub(super) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Whether another map block follows this one.
pub(super) fn sparse_map_goes_on(block: &Block) -> bool {
    /// After 21 pairs of offset and length, 12 bytes each.
    const IS_EXTENDED: usize = 21 * 24;
    block.get(IS_EXTENDED).is_some_and(|byte| *byte != 0)
}

/// The body of a GNU long-name header without the NULs that end it. A NUL inside stays, so that
/// the name is refused and not read as one tool or another would cut it.
pub(super) fn long_name(body: &[u8]) -> Vec<u8> {
    let end = body.iter().rposition(|byte| *byte != 0);
    let name = end.and_then(|end| body.get(..=end));
    name.unwrap_or_default().to_vec()
}

/// The sum of all bytes, the checksum field itself counted as blanks. Some old tools summed the
/// bytes as signed numbers.
fn has_right_checksum(block: &Block, field: [u8; 8]) -> bool {
    const FIELD: std::ops::Range<usize> = 148..156;
    let Some(stored) = number(&field).and_then(|sum| i64::try_from(sum).ok()) else {
        return false;
    };
    let summed = |byte: fn(u8) -> i64| -> i64 {
        block
            .iter()
            .enumerate()
            .map(|(at, value)| if FIELD.contains(&at) { b' ' } else { *value })
            .map(byte)
            .sum()
    };
    stored == summed(i64::from) || stored == summed(|byte| i64::from(byte.cast_signed()))
}

fn name(block: &Block, fields: &::tar::OldHeader) -> Vec<u8> {
    let name = until_nul(&fields.name);
    // GNU headers keep times and sparse maps where ustar has the prefix.
    let prefix = if is_ustar(block) { prefix(block) } else { &[] };
    if prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

/// Whether some readers put something before the name that others take for times, or for nothing.
pub(super) fn is_name_disputed(block: &Block) -> bool {
    !is_ustar(block) && !prefix(block).is_empty()
}

/// Whether the type letter is that of files before POSIX, and the name in this block that of a folder.
pub(super) fn is_folder_by_name(block: &Block) -> bool {
    let fields = ::tar::Header::from_byte_slice(block).as_old();
    fields.linkflag == [0] && until_nul(&fields.name).ends_with(b"/")
}

fn is_ustar(block: &Block) -> bool {
    const MAGIC: std::ops::Range<usize> = 257..263;
    block.get(MAGIC) == Some(b"ustar\0")
}

/// What is where ustar has the beginning of a name.
fn prefix(block: &Block) -> &[u8] {
    const PREFIX: std::ops::Range<usize> = 345..500;
    block.get(PREFIX).map_or(&[][..], until_nul)
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn modified_at(field: &[u8; 12]) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(number(field)?).ok()?;
    DateTime::from_timestamp(seconds, 0)
}

/// A numeric field: octal digits between blanks or NULs, or the base-256 form of GNU tar, which
/// announces itself by 0x80. `None` for anything else, such as the 0xff of a negative number, and
/// for a number that 64 bits do not hold.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, digits @ ..] => digits.iter().try_fold(0_u64, |sum, digit| {
            Some(sum.checked_mul(256)? | u64::from(*digit))
        }),
        _ => octal(field),
    }
}

/// Whether something follows a NUL that nothing but blanks precedes. Some readers pass over such NULs
/// and read the number behind them, for others the field ends there and is zero.
fn has_number_after_nul(field: &[u8]) -> bool {
    let is_empty = until_nul(field).iter().all(|byte| *byte == b' ');
    let mut rest = field.iter();
    is_empty && rest.any(|byte| !matches!(byte, 0 | b' '))
}

/// Tools pad with leading blanks and end with a NUL, a blank, or not at all.
fn octal(field: &[u8]) -> Option<u64> {
    if has_number_after_nul(field) {
        return None;
    }
    let text = std::str::from_utf8(until_nul(field)).ok()?;
    let digits = text.trim_matches(' ');
    if digits.is_empty() {
        return field.contains(&0).then_some(0);
    }
    // A sign is not a digit, though the standard library would take it.
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| u64::from_str_radix(digits, 8).ok())?
}
