//! Reads a tar front to back, in whatever pieces its bytes arrive.
//!
//! Between the stream of a tar's bytes and what digests those of its members. A push parser: slices go in, members and sub-slices of the same bytes come out, nothing is copied but
//! headers. The events are the same however the input is cut.
//!
//! Where readers of tars disagree about what an archive holds (two sizes, two names, a folder with
//! bytes), the archive is refused rather than read in one of the ways: what we preserve must be
//! what the depositor's own tool sees.
//!
//! Idempotent: it has no effects, and [`TarReader::resume`] continues at any
//! [`Event::MemberEnd`] as if the reading had never stopped; from there [`TarReader::skip_to`] goes on
//! inside a member.
//!
//! It cannot judge names ([`crate::member`] does), expand sparse files, follow links, or buffer
//! more than [`HEADER_BYTES_MAX`].

mod event;
mod fault;
mod header;
mod pax;
mod pending;

pub use event::{EntryKind, Event, Irregular, IrregularKind, Member, TarEnd};
pub use fault::{Lookalike, TarFault, TarWarning};
use header::{BLOCK, Block, Header, Kind, What};
use pending::{Described, Meta, Pending};

/// The most header bytes one member may have, its long-name and PAX headers included. Real ones
/// take a few KB (a path, times, attributes); a header of 1 GiB is an attack on our memory.
pub const HEADER_BYTES_MAX: u64 = 1024 * 1024;

/// The most members one tar may have (worker contract, 6.3).
pub const MEMBERS_MAX: u64 = 10_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// At a member boundary, or between the headers of one member.
    Header,
    /// Inside the body of a long-name or PAX header.
    Meta(Meta),
    /// Inside the further map blocks of an old GNU sparse file, whose `size` bytes follow them.
    SparseMap {
        size: u64,
    },
    /// Inside the bytes of a file.
    Data {
        left: u64,
        padding: u64,
    },
    /// Inside bytes that are passed over.
    Skip {
        left: u64,
    },
    /// After one zero block.
    FirstZero,
    /// After two. `nonzero` is the place of the first byte that should not be there.
    End {
        nonzero: Option<u64>,
    },
    Failed(TarFault),
}

/// The parser. Push with [`Self::next`] until it asks for more, then push more; at the end of the
/// input ask [`Self::finish`] whether that was the end of the tar.
#[derive(Debug)]
pub struct TarReader {
    tar_size: u64,
    start: u64,
    position: u64,
    members: u64,
    state: State,
    /// A block that has not arrived whole.
    partial: Vec<u8>,
    pending: Pending,
}

impl TarReader {
    pub fn new(tar_size: u64) -> Self {
        Self::resume(tar_size, 0)
    }

    /// Continues at a member boundary that an earlier reader announced. The input begins there.
    pub fn resume(tar_size: u64, offset: u64) -> Self {
        Self {
            tar_size,
            start: offset,
            position: offset,
            members: 0,
            state: State::Header,
            partial: Vec::with_capacity(BLOCK),
            pending: Pending::default(),
        }
    }

    /// Passes over bytes of the member that is open, or of its padding, which an earlier reader has
    /// taken. The input goes on at `position`, counted from the start of the tar. `false`, with nothing
    /// done, when no member is open or `position` is not in it.
    #[must_use]
    pub fn skip_to(&mut self, position: u64) -> bool {
        let State::Data { left, padding } = self.state else {
            return false;
        };
        let Some(skipped) = position.checked_sub(self.position) else {
            return false;
        };
        let state = match left.checked_sub(skipped) {
            Some(left) => State::Data { left, padding },
            None if skipped - left <= padding => State::Skip {
                left: padding - (skipped - left),
            },
            None => return false,
        };
        self.state = state;
        self.position = position;
        true
    }

    /// Where the next byte of the input is in the tar.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes from the front of `input` up to the next event; `None` when it needs more.
    /// Bytes beyond the size of the tar are left in `input`. A fault is final.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        let result = self.advance(input);
        if let Err(fault) = &result {
            self.state = State::Failed(fault.clone());
        }
        result
    }

    /// To be called when the input has ended and [`Self::next`] has returned `None` for the last
    /// of it.
    pub fn finish(self) -> Result<TarEnd, TarFault> {
        let whole = self.partial.is_empty() && !self.pending.wants_member();
        let short = self.position == self.partial.len() as u64;
        let warning = match self.state {
            State::Failed(fault) => return Err(fault),
            _ if self.position < self.tar_size => {
                return Err(TarFault::Interrupted {
                    position: self.position,
                    tar_size: self.tar_size,
                });
            }
            State::End { nonzero } => nonzero.map(|offset| TarWarning::TrailingData { offset }),
            State::Header if short => return Err(TarFault::of_short_file(&self.partial)),
            State::FirstZero if whole && self.holds_nothing() => return Err(TarFault::Empty),
            State::Header | State::FirstZero | State::Data { .. } | State::Skip { .. } if whole => {
                Some(TarWarning::EndMissing {
                    offset: self.position,
                })
            }
            State::Header
            | State::FirstZero
            | State::Data { .. }
            | State::Skip { .. }
            | State::Meta(_)
            | State::SparseMap { .. } => return Err(self.cut_in_header()),
        };
        Ok(TarEnd {
            members: self.members,
            warning,
        })
    }

    fn holds_nothing(&self) -> bool {
        self.start == 0 && self.members == 0
    }

    fn cut_in_header(&self) -> TarFault {
        TarFault::CutInHeader {
            tar_size: self.tar_size,
        }
    }

    fn advance<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        loop {
            match self.state {
                State::Header => {
                    let Some(block) = self.take_block(input) else {
                        return Ok(None);
                    };
                    if let Some(event) = self.header(&block)? {
                        return Ok(Some(event));
                    }
                }
                State::Meta(meta) => {
                    if !self.meta(meta, input)? {
                        return Ok(None);
                    }
                }
                State::SparseMap { size } => {
                    let Some(block) = self.take_block(input) else {
                        return Ok(None);
                    };
                    if !header::sparse_map_goes_on(&block) {
                        self.check_fit(b"a sparse file", size)?;
                        self.state = State::skip(size);
                    }
                }
                State::Data { left: 0, padding } => self.state = State::Skip { left: padding },
                State::Data { left, padding } => {
                    let part = self.take(input, left);
                    let left = left - part.len() as u64;
                    self.state = State::Data { left, padding };
                    return Ok((!part.is_empty()).then_some(Event::Data(part)));
                }
                State::Skip { left: 0 } => {
                    self.state = State::Header;
                    let next_offset = self.position;
                    return Ok(Some(Event::MemberEnd { next_offset }));
                }
                State::Skip { left } => {
                    let part = self.take(input, left);
                    if part.is_empty() {
                        return Ok(None);
                    }
                    let left = left - part.len() as u64;
                    self.state = State::Skip { left };
                }
                State::FirstZero => {
                    let Some(block) = self.take_block(input) else {
                        return Ok(None);
                    };
                    self.second_zero(&block)?;
                    return Ok(Some(Event::End));
                }
                State::End { nonzero } => {
                    self.after_end(nonzero, input);
                    return Ok(None);
                }
                State::Failed(ref fault) => return Err(fault.clone()),
            }
        }
    }

    /// Up to `max` bytes from the front of `input`, never beyond the end of the tar.
    fn take<'a>(&mut self, input: &mut &'a [u8], max: u64) -> &'a [u8] {
        let allowed = max.min(self.tar_size.saturating_sub(self.position));
        let count = usize::try_from(allowed).map_or(input.len(), |most| most.min(input.len()));
        let (taken, rest) = input.split_at(count);
        *input = rest;
        self.position += count as u64;
        taken
    }

    fn take_block(&mut self, input: &mut &[u8]) -> Option<Block> {
        let missing = BLOCK - self.partial.len();
        let part = self.take(input, missing as u64);
        self.partial.extend_from_slice(part);
        let block = Block::try_from(self.partial.as_slice()).ok()?;
        self.partial.clear();
        Some(block)
    }

    /// Whether the body of a long-name or PAX header has come to its end.
    fn meta(&mut self, mut meta: Meta, input: &mut &[u8]) -> Result<bool, TarFault> {
        let part = self.take(input, meta.left);
        self.pending.push(part);
        meta.left -= part.len() as u64;
        if meta.left > 0 {
            self.state = State::Meta(meta);
            return Ok(false);
        }
        self.pending.end(meta)?;
        self.state = State::Header;
        Ok(true)
    }

    /// One block has come that is a header or the beginning of the end.
    fn header(&mut self, block: &Block) -> Result<Option<Event<'static>>, TarFault> {
        let offset = self.position - BLOCK as u64;
        if header::is_zero(block) {
            if self.pending.wants_member() {
                return Err(TarFault::NoMember { offset });
            }
            self.state = State::FirstZero;
            return Ok(None);
        }
        let header = Header::read(block, offset)?;
        match header.kind {
            Kind::Meta(kind) => {
                let meta = self.pending.begin(kind, block, &header)?;
                if meta.left > self.tar_size.saturating_sub(self.position) {
                    return Err(self.cut_in_header());
                }
                self.state = State::Meta(meta);
                Ok(None)
            }
            Kind::Member(what) => {
                self.members += 1;
                if self.members > MEMBERS_MAX {
                    return Err(TarFault::TooManyMembers { offset });
                }
                let pending = std::mem::take(&mut self.pending);
                let described = pending.describe(what, block, header)?;
                self.member(described).map(Some)
            }
        }
    }

    fn member(&mut self, described: Described) -> Result<Event<'static>, TarFault> {
        let size = described.size;
        self.check_fit(&described.raw_path, size)?;
        let tar_offset = self.position - described.blocks.len() as u64;
        match described.what {
            What::Kept(kind) => {
                let padding = header::padding(size);
                self.state = State::Data {
                    left: size,
                    padding,
                };
                Ok(Event::Member(Member {
                    raw_path: described.raw_path,
                    kind,
                    size,
                    tar_offset,
                    data_offset: self.position,
                    modified_at: described.modified_at,
                    header: described.blocks,
                }))
            }
            What::Irregular(kind) => {
                self.state = if described.sparse_map_goes_on {
                    State::SparseMap { size }
                } else {
                    State::skip(size)
                };
                Ok(Event::Irregular(Irregular {
                    raw_path: described.raw_path,
                    kind,
                    tar_offset,
                }))
            }
        }
    }

    /// Refuses by arithmetic a member that cannot be whole, before a byte of it is read.
    fn check_fit(&self, raw_path: &[u8], size: u64) -> Result<(), TarFault> {
        let end = self
            .position
            .saturating_add(size)
            .saturating_add(header::padding(size));
        if end > self.tar_size {
            return Err(TarFault::CutInData {
                path: String::from_utf8_lossy(raw_path).into_owned(),
                tar_size: self.tar_size,
                end,
            });
        }
        Ok(())
    }

    fn second_zero(&mut self, block: &Block) -> Result<(), TarFault> {
        if !header::is_zero(block) {
            return Err(TarFault::LoneZeroBlock {
                offset: self.position - 2 * BLOCK as u64,
            });
        }
        if self.holds_nothing() {
            return Err(TarFault::Empty);
        }
        self.state = State::End { nonzero: None };
        Ok(())
    }

    fn after_end(&mut self, nonzero: Option<u64>, input: &mut &[u8]) {
        let offset = self.position;
        let rest = self.take(input, u64::MAX);
        let found = || rest.iter().position(|byte| *byte != 0);
        let nonzero = nonzero.or_else(|| found().map(|at| offset + at as u64));
        self.state = State::End { nonzero };
    }
}

impl State {
    fn skip(size: u64) -> Self {
        let left = size.saturating_add(header::padding(size));
        Self::Skip { left }
    }
}

#[cfg(test)]
mod tests;
