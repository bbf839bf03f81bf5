//! A path as a manifest writes it: marks, percent-encoding, and where it may not lead.
//!
//! Only `%0A`, `%0D` and `%25` are encodings (RFC 8493 section 2.1.3); every other percent sign
//! is itself.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick};

/// The path without the `*` that md5sum writes for "binary" and without leading `./`.
pub(crate) fn unmarked(path: &str) -> &str {
    path.strip_prefix('*')
        .unwrap_or(path)
        .trim_start_matches("./")
}

/// The path with its percent-encoding undone once.
pub(crate) fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (character, tail) = match after.split_at_checked(2) {
            Some((code, tail)) if code.eq_ignore_ascii_case("0a") => ('\n', tail),
            Some((code, tail)) if code.eq_ignore_ascii_case("0d") => ('\r', tail),
            Some(("25", tail)) => ('%', tail),
            Some(_) | None => ('%', after),
        };
        out.push(character);
        rest = tail;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The path in Unicode normalisation form C.
pub(crate) fn nfc(path: &str) -> Cow<'_, str> {
    if path.is_ascii() || is_nfc_quick(path.chars()) == IsNormalized::Yes {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(path.nfc().collect())
    }
}

/// One text for all spellings that could name one file: marks off, percent-encoding undone until
/// none is left, decomposed. Names of different files may share it; it only says which lines and
/// files must be looked at together.
pub(crate) fn canonical(path: &str) -> Cow<'_, str> {
    let plain = unmarked(path);
    let decomposed = if plain.is_ascii() || is_nfd_quick(plain.chars()) == IsNormalized::Yes {
        Cow::Borrowed(plain)
    } else {
        Cow::Owned(plain.nfd().collect())
    };
    if decomposed.contains('%') {
        Cow::Owned(fully_decoded(&decomposed))
    } else {
        decomposed
    }
}

/// Undoes percent-encoding until none is left, in one pass: what a replacement completes is
/// replaced as well (`%2525` is `%25` is `%`).
fn fully_decoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars() {
        out.push(character);
        let Some(at) = out.len().checked_sub(3) else {
            continue;
        };
        let replacement = match out.as_bytes().get(at..) {
            Some(b"%25") => '%',
            Some(b"%0A" | b"%0a") => '\n',
            Some(b"%0D" | b"%0d") => '\r',
            Some(_) | None => continue,
        };
        out.truncate(at);
        out.push(replacement);
    }
    out
}

/// How a path leads out of the bag, on some system at least. The texts end a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exit {
    #[error("it is an absolute path")]
    Absolute,
    #[error("it begins with a drive")]
    Drive,
    #[error("it begins with '~', a home folder")]
    Home,
    #[error("it has a variable of the system between percent signs")]
    Variable,
    #[error("it goes up by '..'")]
    Up,
    #[error("it has a backslash, which separates folders on some systems")]
    Backslash,
}

/// How a path, taken literally or with its percent-encoding undone, leads out of the bag.
pub(crate) fn exit_of(path: &str) -> Option<Exit> {
    literal_exit(path).or_else(|| literal_exit(&decoded(path)))
}

fn literal_exit(path: &str) -> Option<Exit> {
    let has_drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if has_drive {
        Some(Exit::Drive)
    } else if path.starts_with(['/', '\\']) {
        Some(Exit::Absolute)
    } else if path.starts_with('~') {
        Some(Exit::Home)
    } else if begins_with_variable(path) {
        Some(Exit::Variable)
    } else if path.split(['/', '\\']).any(|part| part == "..") {
        Some(Exit::Up)
    } else {
        None
    }
}

/// `%HOMEDRIVE%` and its like, which a shell replaces. A name in percent signs further on in a path
/// cannot lead out of it.
fn begins_with_variable(path: &str) -> bool {
    let name = path.strip_prefix('%').and_then(|rest| rest.split_once('%'));
    let of_name = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.is_some_and(|(name, _)| name.starts_with(of_name) && !name.contains(['/', '\\']))
}
