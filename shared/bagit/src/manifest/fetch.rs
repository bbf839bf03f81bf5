//! `fetch.txt`: a URL, a length, a path (RFC 8493 section 2.2.3).
//!
//! Checks that each line is well formed and stays in the bag, on whatever system it is fetched. The URLs
//! are never fetched: whatever is not in the bag is reported missing by the manifests.

use muniment_model::{FindingCode, Findings};

use super::path::{Exit, exit_of};
use super::{BLANKS, LINE_BYTES_MAX};
use crate::tag_file::{Line, LineReader, TagEncoding};

pub(crate) const FETCH: &str = "fetch.txt";

/// A push parser: bytes in, findings out.
pub struct FetchParser {
    lines: LineReader,
}

impl FetchParser {
    pub fn new(encoding: TagEncoding) -> Self {
        Self {
            lines: LineReader::new(encoding, LINE_BYTES_MAX),
        }
    }

    pub fn push(&mut self, bytes: &[u8], findings: &mut Findings) {
        self.lines.push(bytes, &mut |line| check(line, findings));
    }

    pub fn end(&mut self, findings: &mut Findings) {
        self.lines.end(&mut |line| check(line, findings));
        if let Some(oddity) = self.lines.oddity() {
            oddity.report(FETCH, findings);
        }
    }
}

fn check(line: Line<'_>, findings: &mut Findings) {
    let number = line.number;
    let text = line.text.trim_matches(BLANKS);
    if text.is_empty() {
        return;
    }
    let path = text.split_once(BLANKS).and_then(|(_url, rest)| {
        let (length, path) = rest.trim_start_matches(BLANKS).split_once(BLANKS)?;
        let is_length = length == "-" || length.bytes().all(|byte| byte.is_ascii_digit());
        is_length.then(|| path.trim_start_matches(BLANKS))
    });
    match path {
        Some(path) if line.fault.is_none() => {
            // In a bag that is here as a whole, a backslash may be part of a name. A file that has yet
            // to be fetched may be fetched to a system where it is not.
            let backslash = path.contains('\\').then_some(Exit::Backslash);
            if let Some(exit) = exit_of(path).or(backslash) {
                let message = format_args!(
                    "Line {number} of {FETCH} names a path outside the bag: {path} ({exit})"
                );
                findings.error(FindingCode::FetchInvalid, FETCH, message);
            }
        }
        Some(_) | None => findings.error(
            FindingCode::FetchInvalid,
            FETCH,
            format_args!("Line {number} of {FETCH} is not a URL, a length and a path"),
        ),
    }
}
