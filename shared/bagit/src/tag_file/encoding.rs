//! The character encoding of tag files and manifests, as bagit.txt declares it.
//!
//! Names mean what they mean on the web: ISO-8859-1 and US-ASCII are read as windows-1252, which
//! differs only where ISO-8859-1 has control characters.
//!
//! Cannot guess: what is declared is used, unless the file begins with a byte order mark.

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes [`TagEncoding::decoder`] wants to see: the longest byte order mark.
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

    /// The decoder for a file that begins with `start`, and how many of those bytes are a byte
    /// order mark.
    pub(super) fn decoder(self, start: &[u8]) -> (Decoder, usize) {
        let (encoding, mark) = Encoding::for_bom(start).unwrap_or_else(|| {
            // RFC 2781 section 4.3: big-endian without a mark, but a label or a digest begins with
            // an ASCII character, so the zero byte tells.
            let little = matches!(start, [first, 0, ..] if *first != 0);
            match (self.byte_order_open, little) {
                (true, true) => (UTF_16LE, 0),
                (true, false) => (UTF_16BE, 0),
                (false, _) => (self.declared, 0),
            }
        });
        (encoding.new_decoder_without_bom_handling(), mark)
    }
}
