//! The headers of one member, until the member itself comes.
//!
//! Filled by the reader with every long-name and PAX header. Decides what the member is, which up
//! to three headers may say: where readers of tars would choose differently, the tar is refused.
//!
//! It never holds more than [`HEADER_BYTES_MAX`].

use chrono::{DateTime, Utc};

use super::fault::TarFault;
use super::header::{self, BLOCK, Block, Header, MetaKind, What, long_name, padding};
use super::pax::{self, Records};
use super::{EntryKind, HEADER_BYTES_MAX, IrregularKind};

/// Headers that have passed and belong to the member to come.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// All blocks as they came.
    blocks: Vec<u8>,
    long_name: Option<Vec<u8>>,
    has_long_link: bool,
    records: Option<Records>,
}

/// The body of a long-name or PAX header that is on its way into [`Pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    kind: MetaKind,
    offset: u64,
    /// Where in the blocks it begins, and how long it is without padding.
    start: usize,
    size: usize,
    /// Bytes to come, padding included.
    pub(super) left: u64,
}

/// A member as all its headers together describe it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) what: What,
    pub(super) raw_path: Vec<u8>,
    pub(super) size: u64,
    pub(super) modified_at: Option<DateTime<Utc>>,
    pub(super) blocks: Vec<u8>,
    pub(super) sparse_map_goes_on: bool,
}

impl Pending {
    /// Whether a member must follow. After a global header none needs to.
    pub(super) fn wants_member(&self) -> bool {
        self.long_name.is_some() || self.has_long_link || self.records.is_some()
    }

    /// Any block or piece of one.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.blocks.extend_from_slice(bytes);
    }

    /// The block of a long-name or PAX header. Its body is to be pushed next.
    pub(super) fn begin(
        &mut self,
        kind: MetaKind,
        block: &Block,
        header: &Header,
    ) -> Result<Meta, TarFault> {
        let Header { offset, size, .. } = *header;
        let is_nested = match kind {
            MetaKind::LongName => self.long_name.is_some(),
            MetaKind::LongLink => self.has_long_link,
            MetaKind::Pax => self.records.is_some(),
            // Readers disagree whether the headers before it still count.
            MetaKind::PaxGlobal => self.wants_member(),
        };
        if is_nested {
            return Err(TarFault::NestedHeader { offset });
        }
        let left = size.saturating_add(padding(size));
        // This header's block and the member's own come on top.
        let whole = (self.blocks.len() + 2 * BLOCK) as u64;
        if left.saturating_add(whole) > HEADER_BYTES_MAX {
            return Err(TarFault::MetaTooLarge { offset, size });
        }
        self.push(block);
        Ok(Meta {
            kind,
            offset,
            start: self.blocks.len(),
            size: usize::try_from(size).unwrap_or(usize::MAX),
            left,
        })
    }

    /// The body has been pushed, padding included.
    pub(super) fn end(&mut self, meta: Meta) -> Result<(), TarFault> {
        let pushed = self.blocks.get(meta.start..).unwrap_or_default();
        let (body, padding) = pushed.split_at_checked(meta.size).unwrap_or_default();
        let offset = meta.offset;
        match meta.kind {
            // Some readers go on behind the body, up to the first NUL or as long as there are records.
            MetaKind::LongName
                if !body.contains(&0) && padding.first().is_some_and(|b| *b != 0) =>
            {
                return Err(TarFault::NamesDisagree { offset });
            }
            MetaKind::Pax | MetaKind::PaxGlobal if padding.iter().any(|byte| *byte != 0) => {
                return Err(TarFault::BadRecord { offset });
            }
            MetaKind::LongName => self.long_name = Some(long_name(body)),
            MetaKind::LongLink => self.has_long_link = true,
            MetaKind::Pax => self.records = Some(Records::read(body, meta.offset)?),
            MetaKind::PaxGlobal => pax::check_global(body, meta.offset)?,
        }
        Ok(())
    }

    /// The member's own block, the last of its headers.
    pub(super) fn describe(
        mut self,
        what: What,
        block: &Block,
        header: Header,
    ) -> Result<Described, TarFault> {
        self.push(block);
        let records = self.records.unwrap_or_default();
        let offset = header.offset;
        let is_named_before = self.long_name.is_some() || records.path.is_some();
        if header::is_name_disputed(block) && !is_named_before && matches!(what, What::Kept(_)) {
            return Err(TarFault::NamesDisagree { offset });
        }
        let raw_path = one_name(self.long_name, records.path, header.name)
            .ok_or(TarFault::NamesDisagree { offset })?;
        // Some readers look at the block alone, find a folder, and the next header in the file's bytes.
        if header::is_folder_by_name(block) && !raw_path.ends_with(b"/") {
            return Err(TarFault::NamesDisagree { offset });
        }
        let path = || String::from_utf8_lossy(&raw_path).into_owned();

        let size = match records.size {
            // A writer that puts the size into a PAX record because it does not fit the header
            // (8 GiB and more) leaves 0 in the header, or the same in base-256.
            Some(in_pax) if header.size != 0 && header.size != in_pax => {
                return Err(TarFault::SizesDisagree {
                    path: path(),
                    offset,
                    in_header: header.size,
                    in_pax,
                });
            }
            Some(in_pax) => in_pax,
            None => header.size,
        };
        let what = match what {
            _ if records.is_sparse => What::Irregular(IrregularKind::Sparse),
            // How tools before POSIX wrote a directory.
            What::Kept(EntryKind::Regular) if raw_path.ends_with(b"/") => {
                What::Kept(EntryKind::Directory)
            }
            What::Kept(_) | What::Irregular(_) => what,
        };
        if size > 0 && !has_bytes(what) {
            return Err(TarFault::SizeWithoutFile {
                path: path(),
                offset,
            });
        }
        Ok(Described {
            what,
            raw_path: records.sparse_name.unwrap_or(raw_path),
            size,
            modified_at: records
                .modified_at
                .or(header.modified_at)
                .filter(is_recordable),
            blocks: self.blocks,
            sparse_map_goes_on: header.sparse_map_goes_on,
        })
    }
}

/// The one name that all readers agree on; `None` when there are two.
fn one_name(gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>, header: Vec<u8>) -> Option<Vec<u8>> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) => (gnu == pax).then_some(gnu),
        (Some(name), None) | (None, Some(name)) => Some(name),
        (None, None) => Some(header),
    }
}

/// From 1970 to the end of year 9999: what RFC 3339 can write, and databases and programs can read.
/// Headers can say other times, by a clock that was never set or by damage.
fn is_recordable(time: &DateTime<Utc>) -> bool {
    /// 10000-01-01T00:00:00Z.
    const END: i64 = 253_402_300_800;
    (0..END).contains(&time.timestamp())
}

/// Whether bytes follow the headers. For a hard link with its file's size, or a directory with
/// one, readers disagree, so only the kinds that everybody reads alike may have a size.
fn has_bytes(what: What) -> bool {
    match what {
        What::Kept(EntryKind::Regular)
        | What::Irregular(IrregularKind::Sparse | IrregularKind::Other(_)) => true,
        What::Kept(EntryKind::Directory)
        | What::Irregular(
            IrregularKind::HardLink
            | IrregularKind::SymbolicLink
            | IrregularKind::CharacterDevice
            | IrregularKind::BlockDevice
            | IrregularKind::Fifo,
        ) => false,
    }
}
