//! The character encoding of tag files and manifests, as bagit.txt declares it.
//!
//! Names mean what they mean on the web: ISO-8859-1 and US-ASCII are read as windows-1252, which
//! differs only where ISO-8859-1 has control characters.
//!
//! Cannot guess: what is declared is used, unless the first bytes say that the file is in another
//! Unicode encoding. That is a finding, and the file is read as what it is, so that there is no
//! second finding for each of its lines.

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use muniment_model::{FindingCode, Findings, MemberKind};

use crate::member::kind_of;

/// How many bytes [`TagEncoding::beginning`] wants to see: the longest byte order mark.
pub(super) const START_BYTES: usize = 3;

/// An encoding that `Tag-File-Character-Encoding` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagEncoding {
    declared: &'static Encoding,
    /// Declared as "UTF-16", which leaves the byte order to the file.
    byte_order_open: bool,
}

impl TagEncoding {
    pub const UTF_8: Self = Self {
        declared: UTF_8,
        byte_order_open: false,
    };

    /// The encoding of that name; case and surrounding blanks do not matter. `None` when we do
    /// not know it.
    pub fn for_label(label: &str) -> Option<Self> {
        let declared = Encoding::for_label_no_replacement(label.as_bytes())?;
        Some(Self {
            declared,
            byte_order_open: label.trim().eq_ignore_ascii_case("utf-16"),
        })
    }

    pub fn name(self) -> &'static str {
        self.declared.name()
    }

    /// How to read a file that begins with `start`.
    pub(super) fn beginning(self, start: &[u8]) -> Beginning {
        let marked = Encoding::for_bom(start);
        let (found, mark_bytes) = match (marked, by_zero_byte(start)) {
            (Some((encoding, bytes)), _) => (encoding, bytes),
            (None, Some(encoding)) => (encoding, 0),
            // RFC 2781 section 4.3: big-endian without a mark.
            (None, None) if self.byte_order_open => (UTF_16BE, 0),
            (None, None) => (self.declared, 0),
        };
        let is_declared = found == self.declared || (self.byte_order_open && found != UTF_8);
        let oddity = match marked {
            _ if !is_declared => Some(Oddity::Encoding(found.name())),
            Some(_) if found == UTF_8 => Some(Oddity::Mark),
            Some(_) | None => None,
        };
        Beginning {
            decoder: found.new_decoder_without_bom_handling(),
            mark_bytes,
            oddity,
        }
    }
}

/// A label or a digest begins with an ASCII character, so a zero byte tells the encoding.
fn by_zero_byte(start: &[u8]) -> Option<&'static Encoding> {
    match start {
        [first, 0, ..] if *first != 0 => Some(UTF_16LE),
        [0, second, ..] if *second != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// What the first bytes of a file decide.
pub(super) struct Beginning {
    pub decoder: Decoder,
    pub mark_bytes: usize,
    pub oddity: Option<Oddity>,
}

/// What the first bytes of a file say that `bagit.txt` does not. Programs that go by the declaration
/// read another first label or digest than those that go by the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A byte order mark where none may be.
    Mark,
    /// Another encoding, by its name.
    Encoding(&'static str),
}

impl Oddity {
    /// Adds the finding that this is, of the file at that path.
    pub fn report(self, path: &str, findings: &mut Findings) {
        let kind = kind_of(path);
        match self {
            // At worst the first label of such a file is not known.
            Self::Mark if kind == MemberKind::Tag => {
                let message = format_args!("File {path} begins with a byte order mark");
                findings.warning(FindingCode::TagFileInvalid, path, message);
            }
            Self::Mark => {
                let message = format_args!(
                    "File {path} begins with a byte order mark, which BagIt does not allow"
                );
                findings.error(FindingCode::EncodingDiffers, path, message);
            }
            Self::Encoding(found) if kind == MemberKind::Declaration => {
                let message = format_args!("File {path} is in {found}, but has to be in UTF-8");
                findings.error(FindingCode::EncodingDiffers, path, message);
            }
            Self::Encoding(found) => {
                let message = format_args!(
                    "File {path} is in {found}, which is not the encoding that bagit.txt declares"
                );
                findings.error(FindingCode::EncodingDiffers, path, message);
            }
        }
    }
}
