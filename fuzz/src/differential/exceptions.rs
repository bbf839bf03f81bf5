//! Differences that are known, each with its reason. There is no other way to pass a difference.

use super::{Answer, Found, Kind};
use crate::tar_reader::{Seen, read};

/// A difference in what a program finds.
struct Exception {
    name: &'static str,
    program: &'static str,
    applies: fn(&[u8], &[Found], &Answer) -> bool,
}

const EXCEPTIONS: [Exception; 3] = [
    // The slash says folder to GNU tar, bsdtar and POSIX alike; tarfile goes by the letter of the type,
    // and drops the slash. There are no bytes to disagree about.
    Exception {
        name: "tarfile takes a name with a slash at its end for an empty file",
        program: "Python",
        applies: |_, ours, answer| {
            let theirs = answer.as_ref();
            theirs.is_ok_and(|theirs| theirs.len() == ours.len() && all_alike(ours, theirs))
        },
    },
    // The same for GNU tar, where the letter is that of a contiguous file.
    Exception {
        name: "GNU tar takes a name with a slash at its end for an empty contiguous file",
        program: "GNU tar",
        applies: |tar, ours, answer| {
            let none = Vec::new();
            let theirs = answer.as_ref().unwrap_or(&none);
            let is_contiguous = |headers: &Vec<u8>| {
                let last: Option<&[u8; 512]> = headers.last_chunk();
                last.is_some_and(|header| header[TYPE_LETTER] == b'7')
            };
            let headers = all_headers(tar);
            let mut pairs = ours.iter().zip(theirs).zip(&headers);
            theirs.len() == ours.len()
                && all_alike(ours, theirs)
                && pairs.all(|((one, other), header)| one == other || is_contiguous(header))
        },
    },
    // A damaged time or owner decides nothing about members, and GNU tar says so and reads on. For
    // tarfile such a header is the end of the tar.
    Exception {
        name: "tarfile ends at a header whose time or owner is no number",
        program: "Python",
        applies: |tar, ours, answer| {
            let none = Vec::new();
            let theirs = answer.as_ref().unwrap_or(&none);
            let is_beginning = theirs.len() < ours.len() && all_alike(ours, theirs);
            let next = all_headers(tar).into_iter().nth(theirs.len());
            let blocks = next.iter().flat_map(|headers| {
                let (first, last) = (headers.first_chunk(), headers.last_chunk());
                first.into_iter().chain(last)
            });
            is_beginning && blocks.into_iter().any(has_field_without_number)
        },
    },
];

const TYPE_LETTER: usize = 156;

/// Whether each is alike, as far as there are two, a folder and an empty file included.
fn all_alike(ours: &[Found], theirs: &[Found]) -> bool {
    ours.iter().zip(theirs).all(|(one, other)| {
        let folder_as_file = one.kind == Kind::Folder && other.kind == Kind::File;
        let is_kind = one.kind == other.kind || folder_as_file;
        is_kind && one.name == other.name && one.bytes == other.bytes
    })
}

/// The blocks of each member's headers.
fn all_headers(tar: &[u8]) -> Vec<Vec<u8>> {
    let mut headers = Vec::new();
    for event in read(tar) {
        if let Seen::Member(member) = event {
            headers.push(member.header);
        }
    }
    headers
}

/// Mode, owner, group, time, and the two numbers of a device.
fn has_field_without_number(header: &[u8; 512]) -> bool {
    let fields = [100..108, 108..116, 116..124, 136..148, 329..337, 337..345];
    fields.into_iter().any(|place| {
        let field = header.get(place).unwrap_or_default();
        let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_octal = |byte: &u8| matches!(byte, b'0'..=b'7' | b' ');
        let is_binary = matches!(field, [0x80 | 0xff, ..]);
        !is_binary && !text.trim_ascii().iter().all(is_octal)
    })
}

pub(super) fn find(
    program: &str,
    tar: &[u8],
    ours: &[Found],
    answer: &Answer,
) -> Option<&'static str> {
    EXCEPTIONS
        .iter()
        .find(|known| known.program == program && (known.applies)(tar, ours, answer))
        .map(|known| known.name)
}
