//! Changes to inputs, each of which follows from a seed.
//!
//! For texts: bytes, lines and words. For tars ([`tar`]) what makes tars differ: blocks and the fields of
//! headers, with checksums that are right again, because behind a wrong one nothing is looked at.

mod tar;

pub use self::tar::{mend, mutate as tar};
use crate::random::Random;

/// Inputs stay below this, or the same time would try fewer of them.
pub const BYTES_MAX: usize = 64 * 1024;

/// What matters to manifests, tag files and names.
const WORDS: [&[u8]; 40] = [
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b": ",
    b"/",
    b"\\",
    b"..",
    b".",
    b"*",
    b"%25",
    b"%0A",
    b"%0d",
    b"%",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\xcc\x81",
    b"\xc3\xa9",
    b"data/",
    b"data",
    b"./",
    b"C:",
    b"~",
    b"manifest-",
    b".txt",
    b"tag",
    b"md5",
    b"BagIt-Version: ",
    b"Tag-File-Character-Encoding: ",
    b"UTF-16",
    b"  x\n",
    b"http://x.test/a - ",
];

/// Changes a text a few times.
pub fn text(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(6) {
            0 => flip(input, random),
            1 => insert(
                input,
                at,
                random.one_of(&WORDS).copied().unwrap_or_default(),
            ),
            2 => remove(input, at, random),
            3 => copy_within(input, at, random),
            4 => insert(input, at, piece(other, random)),
            _ => input.truncate(at),
        }
    }
    input.truncate(BYTES_MAX);
}

/// Another byte somewhere, or one bit of it.
fn flip(input: &mut [u8], random: &mut Random) {
    let at = random.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte = match random.below(3) {
            0 => random.byte(),
            1 => *byte ^ (1 << random.below(8)),
            _ => byte.wrapping_add(1),
        };
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, bytes.iter().copied());
}

fn remove(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let at = at.min(input.len());
    let end = (at + 1 + random.below(16)).min(input.len());
    input.drain(at..end);
}

/// Repeats a piece, rarely so often that it meets a limit.
fn copy_within(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let times = if random.once_in(8) { 300 } else { 1 };
    let copied = piece(input, random).repeat(times);
    insert(input, at, &copied);
}

fn piece<'a>(bytes: &'a [u8], random: &mut Random) -> &'a [u8] {
    let from = random.below(bytes.len());
    let to = (from + 1 + random.below(64)).min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}
