//! Tag files: `bagit.txt`, `bag-info.txt` and their like, as labels and values.
//!
//! Bytes are pushed in, tags come out, oddities become findings. What the tags mean is decided in
//! [`crate::validate`].
//!
//! Holds at most [`TAG_FILE_BYTES_MAX`] of a file and [`TAGS_MAX`] tags; a value is cut at
//! [`VALUE_BYTES_MAX`]. Cannot write tag files.

mod encoding;
mod lines;
#[cfg(test)]
mod tests;

use muniment_model::{FindingCode, Findings};

pub use encoding::{Oddity, TagEncoding};
pub use lines::{EachLine, Line, LineFault, LineReader};

/// Tag files are a few KB. One larger than this is not metadata, and is not read to its end.
pub const TAG_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Far beyond any catalogue record; what is longer would burden every page that shows it.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// A tag costs more memory than its shortest line, so the size of the file alone is no bound.
pub const TAGS_MAX: usize = 10_000;

/// The declaration that makes a folder a bag. Always UTF-8.
pub const DECLARATION: &str = "bagit.txt";
pub const BAG_INFO: &str = "bag-info.txt";
/// What `bag-info.txt` was called up to version 0.95.
pub const PACKAGE_INFO: &str = "package-info.txt";
pub const APTRUST_INFO: &str = "aptrust-info.txt";

/// The tag files whose tags mean something to us, in the order to read them: the declaration names
/// the encoding of the others.
pub const PARSED: [&str; 4] = [DECLARATION, BAG_INFO, PACKAGE_INFO, APTRUST_INFO];

/// One `Label: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub label: String,
    pub value: String,
}

/// The tags of one file, in its order, repeated labels included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFile {
    pub path: String,
    pub tags: Vec<Tag>,
    /// Nothing but lines of the form `Label: value`, each value on its own line: what version 1.0
    /// demands of the declaration.
    pub is_plain: bool,
}

impl TagFile {
    /// The tags of that label. The case of labels does not matter.
    pub fn all<'a>(&'a self, label: &str) -> impl Iterator<Item = &'a Tag> {
        self.tags
            .iter()
            .filter(move |tag| tag.label.eq_ignore_ascii_case(label))
    }

    /// The first value of a tag, unless it is empty.
    fn value(&self, label: &str) -> Option<&str> {
        let first = self.all(label).next()?;
        Some(first.value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Parses one tag file as its bytes stream past.
pub struct TagFileParser {
    lines: LineReader,
    gathering: Gathering,
    bytes: u64,
}

impl TagFileParser {
    /// `path` is the file's path in the bag. The declaration is UTF-8 whatever it declares.
    pub fn new(path: &str, encoding: TagEncoding) -> Self {
        let encoding = if path == DECLARATION {
            TagEncoding::UTF_8
        } else {
            encoding
        };
        Self {
            lines: LineReader::new(encoding, VALUE_BYTES_MAX),
            gathering: Gathering {
                file: TagFile {
                    path: path.to_owned(),
                    tags: Vec::new(),
                    is_plain: true,
                },
                continues: Continues::Nothing,
                is_full: false,
            },
            bytes: 0,
        }
    }

    pub fn push(&mut self, bytes: &[u8], findings: &mut Findings) {
        let Self {
            lines,
            gathering,
            bytes: seen,
        } = self;
        *seen += bytes.len() as u64;
        if *seen > TAG_FILE_BYTES_MAX {
            gathering.too_large(findings);
        }
        if !gathering.is_full {
            lines.push(bytes, &mut |line| gathering.line(line, findings));
        }
    }

    /// The end of the file: what it said.
    pub fn end(mut self, findings: &mut Findings) -> TagFile {
        if !self.gathering.is_full {
            self.lines
                .end(&mut |line| self.gathering.line(line, findings));
        }
        if let Some(oddity) = self.lines.oddity() {
            oddity.report(&self.gathering.file.path, findings);
        }
        self.gathering.file
    }
}

/// What an indented line belongs to.
#[derive(Clone, Copy)]
enum Continues {
    Nothing,
    LastTag,
    /// A line that was reported and dropped; what continues it goes the same way.
    DroppedLine,
}

struct Gathering {
    file: TagFile,
    continues: Continues,
    is_full: bool,
}

impl Gathering {
    fn line(&mut self, line: Line<'_>, findings: &mut Findings) {
        if self.is_full {
            return;
        }
        match line.fault {
            None => {}
            Some(LineFault::TooLong) => self.odd(line.number, "is too long and was cut", findings),
            Some(LineFault::Undecodable) => self.undecodable(line.number, findings),
        }
        if line.text.trim().is_empty() {
            self.file.is_plain = false;
        } else if line.text.starts_with([' ', '\t']) {
            self.continuation(line, findings);
        } else {
            self.tag(line, findings);
        }
    }

    fn tag(&mut self, line: Line<'_>, findings: &mut Findings) {
        let parts = line.text.split_once(':');
        let Some((label, value)) = parts.filter(|(label, _)| !label.trim().is_empty()) else {
            self.continues = Continues::DroppedLine;
            self.odd(line.number, "is not of the form 'Label: value'", findings);
            return;
        };
        if self.file.tags.len() == TAGS_MAX {
            self.too_large(findings);
            return;
        }
        let tag = Tag {
            label: label.trim().to_owned(),
            value: value.trim().to_owned(),
        };
        let exact = value.strip_prefix(' ') == Some(&*tag.value) && label == tag.label;
        self.file.is_plain &= exact;
        self.file.tags.push(tag);
        self.continues = Continues::LastTag;
    }

    fn continuation(&mut self, line: Line<'_>, findings: &mut Findings) {
        self.file.is_plain = false;
        match (self.continues, self.file.tags.last_mut()) {
            (Continues::LastTag, Some(tag)) => {
                let part = line.text.trim();
                let room = VALUE_BYTES_MAX.saturating_sub(tag.value.len() + 1);
                let kept = part.split_at(part.floor_char_boundary(room)).0.trim_end();
                // A value may begin on the line after its label.
                if !tag.value.is_empty() && !kept.is_empty() {
                    tag.value.push(' ');
                }
                tag.value.push_str(kept);
                if part.len() > room {
                    self.continues = Continues::DroppedLine;
                    self.odd(line.number, "makes a value too long; it was cut", findings);
                }
            }
            (Continues::DroppedLine, _) => {}
            (Continues::Nothing | Continues::LastTag, _) => {
                self.continues = Continues::DroppedLine;
                self.odd(line.number, "continues a tag that is not there", findings);
            }
        }
    }

    fn odd(&mut self, number: u64, what: &str, findings: &mut Findings) {
        self.file.is_plain = false;
        let path = &self.file.path;
        let message = format_args!("Line {number} of {path} {what}");
        findings.warning(FindingCode::TagFileInvalid, path, message);
    }

    /// What the depositor wrote is not known, and nothing else may be recorded in its place.
    fn undecodable(&mut self, number: u64, findings: &mut Findings) {
        let path = &self.file.path;
        let message = format_args!(
            "Line {number} of {path} has bytes that mean nothing in the encoding that bagit.txt declares"
        );
        findings.error(FindingCode::TagFileInvalid, path, message);
    }

    fn too_large(&mut self, findings: &mut Findings) {
        if std::mem::replace(&mut self.is_full, true) {
            return;
        }
        let path = &self.file.path;
        let mebibytes = TAG_FILE_BYTES_MAX / (1024 * 1024);
        let message = format_args!("File {path} has more than {mebibytes} MiB or {TAGS_MAX} tags");
        findings.error(FindingCode::TagFileTooLarge, path, message);
    }
}

/// The parsed tag files of a bag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFiles {
    files: Vec<TagFile>,
}

impl TagFiles {
    pub fn add(&mut self, file: TagFile) {
        self.files.push(file);
    }

    /// The file at that path. Asked for `bag-info.txt` of a bag so old that it has none, it is
    /// `package-info.txt`.
    pub fn file(&self, path: &str) -> Option<&TagFile> {
        let is_old = || matches!(self.version(), Some("0.93" | "0.94" | "0.95"));
        match self.at(path) {
            None if path == BAG_INFO && is_old() => self.at(PACKAGE_INFO),
            found => found,
        }
    }

    fn at(&self, path: &str) -> Option<&TagFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The first value of a tag, unless it is empty.
    pub fn value(&self, path: &str, label: &str) -> Option<&str> {
        self.file(path)?.value(label)
    }

    /// The version of BagIt that the bag declares.
    pub fn version(&self) -> Option<&str> {
        self.at(DECLARATION)?.value("BagIt-Version")
    }

    /// The name of the encoding that the bag declares.
    pub fn declared_encoding(&self) -> Option<&str> {
        self.value(DECLARATION, "Tag-File-Character-Encoding")
    }

    /// The encoding to read the other tag files and the manifests in: as declared, UTF-8 when
    /// nothing is, or nothing that we know.
    pub fn encoding(&self) -> TagEncoding {
        self.declared_encoding()
            .and_then(TagEncoding::for_label)
            .unwrap_or(TagEncoding::UTF_8)
    }

    /// The profile that the bag says it follows.
    pub fn profile_identifier(&self) -> Option<&str> {
        self.value(BAG_INFO, "BagIt-Profile-Identifier")
    }
}
