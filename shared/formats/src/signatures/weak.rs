//! Signatures that fixed bytes alone would see too often, or not often enough.

use crate::Window;

/// Readers accept a PDF header anywhere in the first 1,024 bytes, and the end mark anywhere in the last
/// 1,024 (PDF Reference 1.7, implementation notes 13 and 18).
const PDF_MARK_WITHIN: usize = 1024;

/// How far into a file markup may begin after white space and comments before it no longer counts as the start.
const MARKUP_WITHIN: usize = 4096;

/// Every packet of an MPEG transport stream has this length and begins with [`TS_SYNC`].
const TS_PACKET_BYTES: usize = 188;
const TS_SYNC: u8 = 0x47;
/// One byte says nothing; five in step are one chance in 10^12.
const TS_PACKETS: usize = 5;

/// Lengths of the header that follows a bitmap's file header, by version.
const BITMAP_HEADERS: [u32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A header that is not at the very beginning may be a quotation: then the end has to agree.
pub(super) fn pdf(window: &Window) -> bool {
    const HEADER: &[u8] = b"%PDF-";
    const END: &[u8] = b"%%EOF";
    window.head().starts_with(HEADER)
        || (window
            .head()
            .windows(HEADER.len())
            .take(PDF_MARK_WITHIN)
            .any(|bytes| bytes == HEADER)
            && window
                .tail()
                .rchunks(PDF_MARK_WITHIN)
                .next()
                .is_some_and(|last| last.windows(END.len()).any(|bytes| bytes == END)))
}

/// `BM` begins many a text, so the rest of the header has to be valid too.
pub(super) fn bitmap(window: &Window) -> bool {
    let head = window.head();
    let header_bytes = head
        .get(14..18)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_le_bytes);
    head.starts_with(b"BM")
        && head.get(6..10) == Some(&[0; 4])
        && header_bytes.is_some_and(|bytes| BITMAP_HEADERS.contains(&bytes))
}

pub(super) fn transport_stream(window: &Window) -> bool {
    let head = window.head();
    (0..TS_PACKETS).all(|packet| head.get(packet * TS_PACKET_BYTES) == Some(&TS_SYNC))
}

/// `BZh`, a level, and the number that begins the first block (or, in an empty file, the end).
pub(super) fn bzip2(window: &Window) -> bool {
    let head = window.head();
    let (Some(level), Some(number)) = (head.get(3), head.get(4..10)) else {
        return false;
    };
    head.starts_with(b"BZh")
        && (b'1'..=b'9').contains(level)
        && (number == b"\x31\x41\x59\x26\x53\x59" || number == b"\x17\x72\x45\x38\x50\x90")
}

pub(super) fn xml(window: &Window) -> bool {
    let head = window.head();
    head.strip_prefix(UTF_8_MARK)
        .unwrap_or(head)
        .starts_with(b"<?xml")
        || head.starts_with(b"\xfe\xff\0<\0?\0x\0m\0l")
        || head.starts_with(b"\xff\xfe<\0?\0x\0m\0l\0")
}

pub(super) fn html(window: &Window) -> bool {
    let head = window.head();
    let head = head.get(..MARKUP_WITHIN).unwrap_or(head);
    let text = head.strip_prefix(UTF_8_MARK).unwrap_or(head);
    let start = after_comments(text);
    ["<!doctype html", "<html"].iter().any(|tag| {
        start
            .split_at_checked(tag.len())
            .is_some_and(|(first, rest)| {
                first.eq_ignore_ascii_case(tag.as_bytes())
                    && rest
                        .first()
                        .is_some_and(|next| *next == b'>' || next.is_ascii_whitespace())
            })
    })
}

/// What follows white space and `<!-- comments -->`.
fn after_comments(mut text: &[u8]) -> &[u8] {
    const END: &[u8] = b"-->";
    loop {
        text = text.trim_ascii_start();
        let Some(comment) = text.strip_prefix(b"<!--") else {
            return text;
        };
        let end = comment.windows(END.len()).position(|bytes| bytes == END);
        let Some(rest) = end.and_then(|at| comment.get(at + END.len()..)) else {
            return b"";
        };
        text = rest;
    }
}
