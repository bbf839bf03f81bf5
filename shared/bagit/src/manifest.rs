//! Manifests and `fetch.txt`, line by line as their bytes stream past.
//!
//! A manifest line is a digest, blanks, and a path (RFC 8493 section 2.1.3). Which file a path
//! means is decided where the files are known, in [`crate::validate`].
//!
//! Holds one line at most. Never fetches what `fetch.txt` names.

mod fetch;
pub(crate) mod path;
#[cfg(test)]
mod tests;

use muniment_model::{Algorithm, FindingCode, Findings, Manifest};

pub(crate) use fetch::FETCH;
pub use fetch::FetchParser;

use crate::member::{ManifestAlgorithm, manifest_of};
use crate::tag_file::{Line, LineFault, LineReader, Oddity, TagEncoding};

/// A sha512 digest and the longest path that S3 can hold, percent-encoded, fit in it.
pub const LINE_BYTES_MAX: usize = 8 * 1024;

/// A manifest of the bag, of an algorithm that is ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Path in the bag, `manifest-sha256.txt`.
    pub path: String,
    /// `None` when it is not one of ours: then the lines say which files there are, no more.
    pub algorithm: Option<Algorithm>,
    pub of_tags: bool,
}

impl From<&Manifest> for ManifestFile {
    fn from(manifest: &Manifest) -> Self {
        Self {
            path: manifest.path.clone(),
            algorithm: Some(manifest.algorithm),
            of_tags: manifest.of_tags,
        }
    }
}

impl ManifestFile {
    /// `None` when the path is not that of a manifest.
    pub fn at(path: &str) -> Option<Self> {
        let name = manifest_of(path)?;
        Some(Self {
            path: path.to_owned(),
            algorithm: match name.algorithm {
                ManifestAlgorithm::Known(algorithm) => Some(algorithm),
                ManifestAlgorithm::Unknown(_) => None,
            },
            of_tags: name.of_tags,
        })
    }

    /// What the file's name calls the algorithm.
    pub fn algorithm_name(&self) -> &str {
        match manifest_of(&self.path).map(|name| name.algorithm) {
            Some(ManifestAlgorithm::Known(known)) => known.name(),
            Some(ManifestAlgorithm::Unknown(word)) => word,
            None => &self.path,
        }
    }
}

/// A line that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLine<'a> {
    pub number: u64,
    /// As written: any case, any length.
    pub digest: &'a str,
    /// As written, marks and percent-encoding included.
    pub path: &'a str,
}

/// Why a line could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    #[error("is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("is not in the encoding that bagit.txt declares")]
    Undecodable,
    #[error("is not a checksum and a path")]
    Malformed,
}

impl ManifestFault {
    /// Says it in the depositor's words.
    pub fn report(self, manifest: &str, number: u64, findings: &mut Findings) {
        let code = match self {
            Self::TooLong => FindingCode::ManifestLineTooLong,
            Self::Undecodable | Self::Malformed => FindingCode::ManifestLineInvalid,
        };
        let message = format_args!("Line {number} of {manifest} {self}");
        findings.error(code, manifest, message);
    }
}

/// What the parser makes of one line; empty lines are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestEntry<'a> {
    Line(ManifestLine<'a>),
    Fault { number: u64, fault: ManifestFault },
}

/// A push parser: bytes in, entries out.
pub struct ManifestParser {
    lines: LineReader,
}

impl ManifestParser {
    pub fn new(encoding: TagEncoding) -> Self {
        Self {
            lines: LineReader::new(encoding, LINE_BYTES_MAX),
        }
    }

    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(ManifestEntry<'_>)) {
        self.lines.push(bytes, &mut |line| read(line, each));
    }

    /// The end of the manifest: its last line may lack an end.
    pub fn end(&mut self, each: &mut dyn FnMut(ManifestEntry<'_>)) {
        self.lines.end(&mut |line| read(line, each));
    }

    /// What is odd about the first bytes of the manifest. Known at its end.
    pub fn oddity(&self) -> Option<Oddity> {
        self.lines.oddity()
    }
}

fn read(line: Line<'_>, each: &mut dyn FnMut(ManifestEntry<'_>)) {
    let number = line.number;
    let mut fault = |fault| each(ManifestEntry::Fault { number, fault });
    match line.fault {
        Some(LineFault::TooLong) => return fault(ManifestFault::TooLong),
        Some(LineFault::Undecodable) => return fault(ManifestFault::Undecodable),
        None => {}
    }
    let text = line.text.trim_start_matches(BLANKS);
    if text.is_empty() {
        return;
    }
    let parts = text
        .split_once(BLANKS)
        .map(|(digest, rest)| (digest, rest.trim_start_matches(BLANKS)));
    match parts {
        Some((digest, path)) if !path.is_empty() => each(ManifestEntry::Line(ManifestLine {
            number,
            digest,
            path,
        })),
        Some(_) | None => fault(ManifestFault::Malformed),
    }
}

/// What separates the parts of a line; other white space may be part of a name.
const BLANKS: [char; 2] = [' ', '\t'];
