//! Decides what a member of the tar is to the bag, from its name alone.
//!
//! Used for every member of a tar, and for every path in a bag. Pure: the same name always gives the
//! same answer. Names that leave the bag, or that S3 could not carry, are refused
//! here, so that everything after can use a path as it is. It does not change a name: what is
//! preserved has exactly the bytes of the tar header.
//!
//! It cannot see two members with one path, or names that differ only in case: the validator does.

use muniment_model::{
    Algorithm, FindingCode, Findings, METADATA_BYTES_MAX, MemberKind, ObjectIdentifier,
    copy_metadata_bytes, has_control, header_value,
};

/// S3 user guide: a key has at most 1,024 bytes. A restored file has its identifier as its key.
pub const PATH_BYTES_MAX: usize = 1_024;

/// The most bytes a path may have as user metadata of its copies.
///
/// A path that is not plain ASCII, or has blanks at its edges or next to each other, is
/// percent-encoded there and grows up to three times. S3 allows
/// [`METADATA_BYTES_MAX`] for everything; names, digests, and about 400 bytes for institution and
/// bag take the rest.
pub const ENCODED_BYTES_MAX: usize = 1_450;

/// RFC 8493 section 2.1.2.
pub const PAYLOAD_FOLDER: &str = "data";

/// How much of a refused name is shown, in characters: it may be a megabyte long.
const NAME_SHOWN_MAX: usize = 255;

/// Where a member belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The folder at the top of the tar, which is the bag. Empty for the root itself (`./`), which
    /// `tar -cf x.tar .` writes first and which is no part of any bag.
    pub folder: &'a str,
    /// The path in the bag. Empty for the folder itself.
    pub path: &'a str,
}

/// Why a member cannot be part of a bag. The texts are for depositors, as findings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    #[error("File name '{name}' is not inside the bag's folder")]
    NoFolder { name: String },
    #[error("File name '{name}' is an absolute path")]
    Absolute { name: String },
    #[error("File name '{name}' leaves the bag's folder by '..'")]
    Leaves { name: String },
    #[error("File name '{name}' has an empty part or a part that is '.'")]
    EmptyPart { name: String },
    #[error("File name '{name}' is not valid UTF-8")]
    NotUtf8 { name: String },
    #[error("File name '{name}' contains one or more illegal control characters")]
    ControlCharacter { name: String },
    #[error("'{name}' is a file, but has to be the folder that the payload is in")]
    PayloadFolder { name: String },
    #[error("File name '{name}' is too long: {bytes} bytes, at most {max} are possible")]
    TooLong {
        name: String,
        bytes: usize,
        max: usize,
    },
    #[error(
        "File name '{name}' is too long: it takes {bytes} bytes once it is encoded, at most {max} are \
         possible"
    )]
    TooLongEncoded {
        name: String,
        bytes: usize,
        max: usize,
    },
}

impl NameFault {
    pub fn code(&self) -> FindingCode {
        match self {
            Self::NoFolder { .. } | Self::Absolute { .. } | Self::Leaves { .. } => {
                FindingCode::MemberOutsideBag
            }
            Self::EmptyPart { .. }
            | Self::NotUtf8 { .. }
            | Self::ControlCharacter { .. }
            | Self::PayloadFolder { .. } => FindingCode::MemberNameInvalid,
            Self::TooLong { .. } | Self::TooLongEncoded { .. } => FindingCode::MemberNameTooLong,
        }
    }

    /// The name as far as it can be shown.
    pub fn name(&self) -> &str {
        match self {
            Self::NoFolder { name }
            | Self::Absolute { name }
            | Self::Leaves { name }
            | Self::EmptyPart { name }
            | Self::NotUtf8 { name }
            | Self::ControlCharacter { name }
            | Self::PayloadFolder { name }
            | Self::TooLong { name, .. }
            | Self::TooLongEncoded { name, .. } => name,
        }
    }

    /// Adds the finding that this fault is.
    pub fn report(&self, findings: &mut Findings) {
        findings.error(self.code(), self.name(), self);
    }
}

/// Splits the bag's folder off a member's name. A leading `./` and the slash at the end of a
/// folder's name are dropped; anything else that is not a plain path is refused.
///
/// Of a file at the top of the tar this makes a folder without a path;
/// [`crate::tar::Member::place`] knows better.
pub fn place(raw_path: &[u8]) -> Result<Place<'_>, NameFault> {
    let lossy = || shown(&String::from_utf8_lossy(raw_path));
    let Ok(text) = std::str::from_utf8(raw_path) else {
        return Err(NameFault::NotUtf8 { name: lossy() });
    };
    if is_absolute(text) {
        return Err(NameFault::Absolute { name: lossy() });
    }
    let mut inside = text;
    while let Some(rest) = inside.strip_prefix("./") {
        inside = rest;
    }
    if inside == "." || (inside.is_empty() && !text.is_empty()) {
        return Ok(Place {
            folder: "",
            path: "",
        });
    }
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    for part in inside.split('/') {
        // On Windows a backslash would leave the bag as well.
        if part.split('\\').any(|piece| piece == "..") {
            return Err(NameFault::Leaves { name: lossy() });
        }
        if part.is_empty() || part == "." {
            return Err(NameFault::EmptyPart { name: lossy() });
        }
    }
    // Behind a leading `./`; one that begins with a slash has an empty part.
    if is_absolute(inside) {
        return Err(NameFault::Absolute { name: lossy() });
    }
    let (folder, path) = inside.split_once('/').unwrap_or((inside, ""));
    if has_control(inside) {
        let name = if path.is_empty() { folder } else { path };
        return Err(NameFault::ControlCharacter { name: shown(name) });
    }
    check_length(folder)?;
    check_length(path)?;
    Ok(Place { folder, path })
}

/// Where a file belongs: as [`place`], but in a folder, and not in the payload folder's stead.
pub fn place_file(raw_path: &[u8]) -> Result<Place<'_>, NameFault> {
    let found = place(raw_path)?;
    match found.path {
        "" => Err(NameFault::NoFolder {
            name: found.folder.to_owned(),
        }),
        PAYLOAD_FOLDER => Err(NameFault::PayloadFolder {
            name: found.path.to_owned(),
        }),
        _ => Ok(found),
    }
}

/// Whether a member is the payload folder or in it, be its name fit for a bag or not: of a bag whose
/// payload is refused by name it must not be said that it has none.
pub fn is_of_payload(raw_path: &[u8]) -> bool {
    let mut inside = raw_path;
    while let Some(rest) = inside.strip_prefix(b"./") {
        inside = rest;
    }
    let below_the_bag = inside.split(|byte| *byte == b'/').nth(1);
    below_the_bag == Some(PAYLOAD_FOLDER.as_bytes())
}

fn shown(name: &str) -> String {
    name.chars().take(NAME_SHOWN_MAX).collect()
}

fn is_absolute(text: &str) -> bool {
    let begins_with_drive = match text.as_bytes() {
        [letter, b':', b'\\' | b'/', ..] => letter.is_ascii_alphabetic(),
        _ => false,
    };
    begins_with_drive || text.starts_with(['/', '\\'])
}

fn check_length(path: &str) -> Result<(), NameFault> {
    check_bytes(path, PATH_BYTES_MAX)?;
    check_encoded_bytes(path, ENCODED_BYTES_MAX)
}

fn check_bytes(path: &str, max: usize) -> Result<(), NameFault> {
    let bytes = path.len();
    if bytes > max {
        let name = shown(path);
        return Err(NameFault::TooLong { name, bytes, max });
    }
    Ok(())
}

fn check_encoded_bytes(path: &str, max: usize) -> Result<(), NameFault> {
    let bytes = header_value(path).len();
    if bytes > max {
        let name = shown(path);
        return Err(NameFault::TooLongEncoded { name, bytes, max });
    }
    Ok(())
}

/// Whether a file's copies can carry its identity, now that institution and bag are known:
/// [`place`] can only assume usual lengths for them.
pub fn check_identity(
    institution: &str,
    object: &ObjectIdentifier,
    path: &str,
) -> Result<(), NameFault> {
    let whole = copy_metadata_bytes(institution, object, path);
    let others = whole - header_value(path).len();
    check_encoded_bytes(path, METADATA_BYTES_MAX.saturating_sub(others))?;
    let identifier = object.as_str().len() + "/".len();
    check_bytes(path, PATH_BYTES_MAX.saturating_sub(identifier))
}

/// What a file is, by its path in the bag.
///
/// Only a file in the bag's top folder with exactly the name of a manifest is one: everything else
/// that merely begins like one is the depositor's file, and preserved.
pub fn kind_of(path: &str) -> MemberKind {
    if let Some(name) = manifest_of(path) {
        return if name.of_tags {
            MemberKind::TagManifest
        } else {
            MemberKind::Manifest
        };
    }
    match path {
        "bagit.txt" => MemberKind::Declaration,
        "fetch.txt" => MemberKind::Fetch,
        _ if path.starts_with("data/") => MemberKind::Payload,
        _ => MemberKind::Tag,
    }
}

/// What the name of a manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestName<'a> {
    pub algorithm: ManifestAlgorithm<'a>,
    /// Whether it lists tag files rather than payload files.
    pub of_tags: bool,
}

/// The algorithm in the name of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestAlgorithm<'a> {
    Known(Algorithm),
    /// Spelled like an algorithm, but not one that we compute.
    Unknown(&'a str),
}

/// What `manifest-<algorithm>.txt` or `tagmanifest-<algorithm>.txt` in the bag's top folder says;
/// `None` for every other path.
pub fn manifest_of(path: &str) -> Option<ManifestName<'_>> {
    let (of_tags, rest) = match path.strip_prefix("tag") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let word = rest.strip_prefix("manifest-")?.strip_suffix(".txt")?;
    // RFC 8493 2.4: the name of the algorithm in lower case without anything but letters and
    // digits. So `manifest-of-the-ship.txt` is a file like others; and a bag has at most one
    // manifest of each algorithm and kind, eight in all.
    let mut ours = Algorithm::ALL.into_iter();
    let algorithm = match ours.find(|algorithm| algorithm.name() == word) {
        Some(algorithm) => ManifestAlgorithm::Known(algorithm),
        None if is_word(word) => ManifestAlgorithm::Unknown(word),
        None => return None,
    };
    Some(ManifestName { algorithm, of_tags })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
