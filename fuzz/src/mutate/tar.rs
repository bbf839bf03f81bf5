//! Changes to tars: blocks and header fields.

use super::{BYTES_MAX, flip, piece};
use crate::random::Random;

const BLOCK: usize = 512;

/// Place and length of the fields of a header that decide what a member is.
const NAME: (usize, usize) = (0, 100);
const SIZE: (usize, usize) = (124, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const LETTER: (usize, usize) = (156, 1);
const TARGET: (usize, usize) = (157, 100);
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);
const FIELDS: [(usize, usize); 7] = [NAME, SIZE, LETTER, TARGET, MAGIC, PREFIX, (136, 12)];

const LETTERS: &[u8] = b"0\x0001234567LKxgSVMDNXAs";
const MAGICS: [&[u8]; 4] = [
    b"ustar\x0000",
    b"ustar  \0",
    b"\0\0\0\0\0\0\0\0",
    b"ustar\0\0\0",
];
const SIZES: [&[u8]; 12] = [
    b"00000000000\0",
    b"00000000001\0",
    b"00000000777\0",
    b"00000001000\0",
    b"00000001001\0",
    b"00000002000 ",
    b"         12 ",
    b"77777777777\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x80\0\0\0\0\0\0\0\0\0\x02\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x0000000001000",
];
const RECORDS: [&[u8]; 12] = [
    b"12 path=b/c\n",
    b"13 path=b/d/\n",
    b"11 size=512",
    b"12 size=512\n",
    b"10 size=0\n",
    b"12 path=b\0c\n",
    b"11 mtime=1\n",
    b"15 linkpath=a/b\n",
    b"14 comment=a b\n",
    b"22 GNU.sparse.major=1\n",
    b"19 hdrcharset=BINA\n",
    b"8 path=\n",
];

/// Changes a tar a few times, and then makes its checksums right, as a rule.
pub fn mutate(tar: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(3) {
        match random.below(8) {
            0 => flip(tar, random),
            1..=3 => field(tar, random),
            4 => record(tar, random),
            5 => blocks(tar, other, random),
            6 => bytes(tar, random),
            _ => end(tar, other, random),
        }
    }
    tar.truncate(BYTES_MAX);
    if !random.once_in(12) {
        mend(tar);
    }
}

/// One field of a header becomes another one.
fn field(tar: &mut [u8], random: &mut Random) {
    let (start, length) = random.one_of(&FIELDS).copied().unwrap_or(NAME);
    let block = header_at(tar, random) + start;
    let donor = header_at(tar, random) + start;
    let value: Vec<u8> = match (start, length) {
        LETTER => random.one_of(LETTERS).copied().into_iter().collect(),
        MAGIC => random
            .one_of(&MAGICS)
            .map(|magic| magic.to_vec())
            .unwrap_or_default(),
        SIZE if random.once_in(2) => random
            .one_of(&SIZES)
            .map(|size| size.to_vec())
            .unwrap_or_default(),
        _ if random.once_in(4) => vec![random.byte(); length],
        _ if random.once_in(2) => b"b/c/".repeat(40),
        _ => tar.get(donor..donor + length).unwrap_or_default().to_vec(),
    };
    let places = tar.get_mut(block..block + length).unwrap_or_default();
    for (to, from) in places.iter_mut().zip(value) {
        *to = from;
    }
}

/// A PAX record is written over what is somewhere in a block, or behind another one.
fn record(tar: &mut [u8], random: &mut Random) {
    let record = random.one_of(&RECORDS).copied().unwrap_or_default();
    let block = block_at(tar, random);
    let behind = tar
        .iter()
        .skip(block)
        .take(BLOCK)
        .position(|byte| *byte == 0);
    let at = block
        + if random.once_in(2) {
            behind.unwrap_or(0)
        } else {
            0
        };
    let places = tar.get_mut(at..).unwrap_or_default();
    for (to, from) in places.iter_mut().zip(record) {
        *to = *from;
    }
}

/// Blocks are repeated, taken away, exchanged, zeroed, or come from another tar.
fn blocks(tar: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = block_at(tar, random);
    let end = (at + BLOCK * (1 + random.below(3))).min(tar.len());
    let from = block_at(other, random);
    match random.below(5) {
        0 => {
            let copied = tar.get(at..end).unwrap_or_default().to_vec();
            let to = block_at(tar, random);
            tar.splice(to..to, copied);
        }
        1 => drop(tar.drain(at..end)),
        2 => tar.get_mut(at..end).unwrap_or_default().fill(0),
        3 => {
            let taken = other.get(from..).unwrap_or_default();
            let taken = taken.get(..BLOCK * 2).unwrap_or(taken);
            tar.splice(at..at, taken.iter().copied());
        }
        _ => {
            let to = block_at(tar, random);
            for offset in 0..BLOCK {
                if at + offset < tar.len() && to + offset < tar.len() {
                    tar.swap(at + offset, to + offset);
                }
            }
        }
    }
}

/// A few bytes more or less, so that nothing after them begins where a block does.
fn bytes(tar: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(tar.len() + 1);
    if random.once_in(2) {
        let inserted = piece(tar, random).to_vec();
        tar.splice(at..at, inserted);
    } else {
        let end = (at + 1 + random.below(64)).min(tar.len());
        tar.drain(at..end);
    }
}

/// The tar ends early, or goes on after its end.
fn end(tar: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(5) {
        0 => tar.truncate(random.below(tar.len() + 1)),
        1 => tar.truncate(block_at(tar, random)),
        2 => tar.extend_from_slice(other),
        3 => tar.extend_from_slice(piece(other, random)),
        _ => tar.extend_from_slice(&[0; BLOCK]),
    }
}

fn block_at(tar: &[u8], random: &mut Random) -> usize {
    random.below(tar.len() / BLOCK + 1) * BLOCK
}

/// One of the places where a header is.
fn header_at(tar: &[u8], random: &mut Random) -> usize {
    let headers = headers(tar);
    random.one_of(&headers).copied().unwrap_or_default()
}

/// Makes the checksums of a tar's headers right.
pub fn mend(tar: &mut [u8]) {
    for at in headers(tar) {
        let Some(block) = tar.get_mut(at..at + BLOCK) else {
            return;
        };
        let (start, length) = CHECKSUM;
        block
            .get_mut(start..start + length)
            .unwrap_or_default()
            .fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let text = format!("{sum:06o}\0 ");
        for (to, from) in block.iter_mut().skip(start).zip(text.bytes()) {
            *to = from;
        }
    }
}

/// Where headers are, as far as their sizes tell.
fn headers(tar: &[u8]) -> Vec<usize> {
    let mut headers = Vec::new();
    let mut at = 0_usize;
    while let Some(block) = tar.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        if block.iter().any(|byte| *byte != 0) {
            headers.push(at);
            at = at.saturating_add(size_of(block).div_ceil(BLOCK).saturating_mul(BLOCK));
        }
        at = at.saturating_add(BLOCK);
    }
    headers
}

fn size_of(block: &[u8; BLOCK]) -> usize {
    let letter = block.get(LETTER.0).copied().unwrap_or_default();
    if (b'1'..=b'6').contains(&letter) {
        return 0;
    }
    let field = block.get(SIZE.0..SIZE.0 + SIZE.1).unwrap_or_default();
    let add = |base: usize| {
        move |sum: usize, digit: usize| sum.saturating_mul(base).saturating_add(digit)
    };
    if let [0x80, digits @ ..] = field {
        return digits
            .iter()
            .map(|digit| usize::from(*digit))
            .fold(0, add(256));
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ');
    let digits = digits.take_while(|byte| (b'0'..=b'7').contains(byte));
    digits
        .map(|digit| usize::from(digit - b'0'))
        .fold(0, add(8))
}
