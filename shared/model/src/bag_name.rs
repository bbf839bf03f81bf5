//! The name of a bag, as the key of its upload gives it, and which names are refused.
//!
//! `muniment deposit`, `muniment validate` and the bucket reader ask here, so that none of them takes
//! what another refuses. Pure: the same key always has the same answer.

use crate::{FindingCode, Findings};

/// What the name of a bag must end in.
pub const TAR_EXTENSION: &str = ".tar";

/// What file systems allow one part of a path: a bag that is restored is a folder of that name.
pub const BAG_NAME_BYTES_MAX: usize = 255;

/// Why a key cannot be that of a bag. The texts are for depositors, as notes and findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BagNameFault {
    #[error("The upload is in a folder; put bags at the top of the bucket")]
    InFolder,
    #[error("The upload is no bag: the name of a bag ends in .tar")]
    NotTar,
    #[error("The upload is no bag: there is no name before .tar")]
    Nothing,
    /// Of a file on a disk: a key always is.
    #[error("The bag's name is not valid UTF-8")]
    NotUtf8,
    #[error("The bag's name contains one or more illegal control characters")]
    ControlCharacter,
    #[error("The bag's name contains a line separator")]
    LineSeparator,
    #[error("The bag's name begins or ends with a blank")]
    BlankEdge,
    #[error("The bag's name is too long: at most {BAG_NAME_BYTES_MAX} bytes are possible")]
    TooLong,
}

impl BagNameFault {
    pub const fn code(self) -> FindingCode {
        match self {
            Self::TooLong => FindingCode::BagNameTooLong,
            Self::InFolder
            | Self::NotTar
            | Self::Nothing
            | Self::NotUtf8
            | Self::ControlCharacter
            | Self::LineSeparator
            | Self::BlankEdge => FindingCode::BagNameInvalid,
        }
    }

    /// Adds the finding that this fault is.
    pub fn report(self, findings: &mut Findings) {
        findings.error(self.code(), "", self);
    }
}

/// The bag's name: the key without `.tar` and without the `.bNN.ofNN` of a multi-part bag.
pub fn check_bag_name(key: &str) -> Result<&str, BagNameFault> {
    if key.contains('/') {
        return Err(BagNameFault::InFolder);
    }
    let stem = key
        .strip_suffix(TAR_EXTENSION)
        .ok_or(BagNameFault::NotTar)?;
    let name = without_part_suffix(stem);
    if matches!(name, "" | "." | "..") {
        return Err(BagNameFault::Nothing);
    }
    if has_control(name) {
        return Err(BagNameFault::ControlCharacter);
    }
    // One name must stay one line, in a list as in a log.
    if name.contains(['\u{2028}', '\u{2029}']) {
        return Err(BagNameFault::LineSeparator);
    }
    // Nobody sees them, and whatever trims the name makes another bag of it.
    if name.trim() != name {
        return Err(BagNameFault::BlankEdge);
    }
    if name.len() > BAG_NAME_BYTES_MAX {
        return Err(BagNameFault::TooLong);
    }
    Ok(name)
}

/// As [`check_bag_name`], for a caller that does not say why: `None` when the key is not that of a
/// bag.
pub fn bag_name_of(key: &str) -> Option<&str> {
    check_bag_name(key).ok()
}

fn without_part_suffix(stem: &str) -> &str {
    let numbered = |part: &str, mark: &str| {
        part.strip_prefix(mark)
            .is_some_and(|digits| digits.len() >= 2 && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts = stem.rsplitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(of), Some(b), Some(name)) if numbered(of, "of") && numbered(b, "b") => name,
        _ => stem,
    }
}

/// Control characters, the no-break space (which no one can see, and which breaks the signatures
/// of requests), and control characters spelled as `\u000a`.
pub fn has_control(text: &str) -> bool {
    let control = |c: char| c.is_control() || c == '\u{a0}';
    text.chars().any(control) || text.split('\\').skip(1).any(starts_with_escaped_control)
}

/// `text` is what follows a backslash.
fn starts_with_escaped_control(text: &str) -> bool {
    let (digits, lengths): (_, &[usize]) = match text.as_bytes() {
        [b'u', digits @ ..] => (digits, &[4]),
        [b'U', digits @ ..] => (digits, &[4, 8]),
        _ => return false,
    };
    lengths.iter().any(|length| {
        digits
            .get(..*length)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32)
            .is_some_and(char::is_control)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bag_names_come_from_keys() {
        let rows = [
            ("photos.tar", "photos"),
            ("example.edu.photos.tar", "example.edu.photos"),
            ("photos.b01.of12.tar", "photos"),
            ("photos.b1.of2.tar", "photos.b1.of2"),
            ("the photos of 1912.tar", "the photos of 1912"),
            ("narrow\u{202f}space.tar", "narrow\u{202f}space"),
        ];

        for (key, expected) in rows {
            assert_eq!(check_bag_name(key), Ok(expected), "{key}");
        }
    }

    #[test]
    fn a_bad_bag_name_is_refused_with_its_reason() {
        let longest = "a".repeat(BAG_NAME_BYTES_MAX);
        let too_long = format!("{longest}a.tar");
        let rows = [
            ("photos.zip", BagNameFault::NotTar),
            ("photos.tgz", BagNameFault::NotTar),
            ("photos.TAR", BagNameFault::NotTar),
            (".tar", BagNameFault::Nothing),
            ("..tar", BagNameFault::Nothing),
            ("...tar", BagNameFault::Nothing),
            (".b01.of02.tar", BagNameFault::Nothing),
            ("folder/photos.tar", BagNameFault::InFolder),
            ("pho\u{7}tos.tar", BagNameFault::ControlCharacter),
            ("photos\n.tar", BagNameFault::ControlCharacter),
            ("\u{a0}photos.tar", BagNameFault::ControlCharacter),
            ("photos\u{a0}.tar", BagNameFault::ControlCharacter),
            ("photos\\u000a.tar", BagNameFault::ControlCharacter),
            ("pho\u{2028}tos.tar", BagNameFault::LineSeparator),
            ("pho\u{2029}tos.tar", BagNameFault::LineSeparator),
            (" photos.tar", BagNameFault::BlankEdge),
            ("photos .tar", BagNameFault::BlankEdge),
            ("photos\u{3000}.b01.of02.tar", BagNameFault::BlankEdge),
            (too_long.as_str(), BagNameFault::TooLong),
        ];

        for (key, expected) in rows {
            assert_eq!(check_bag_name(key), Err(expected), "{key:?}");
        }
        assert!(check_bag_name(&format!("{longest}.tar")).is_ok());
    }
}
