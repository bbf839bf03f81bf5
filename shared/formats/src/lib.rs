//! Says what format a file has, from its name and the first and last bytes of its content.
//!
//! Pass one feeds a [`Window`] while the bytes stream past, asks [`identify`] at the end of the file
//! and drops the window. What it knows for now is a table of extensions and a few dozen magic numbers;
//! PRONOM takes their place behind the same two names.
//!
//! Idempotent: the answer follows from name, size and window alone. Nothing here reads a file.
//!
//! Cannot fail: every name and every content has an answer, if only `application/binary`. Cannot see
//! inside a container; it says which files are worth looking into.

mod extensions;
mod signatures;
mod window;

use muniment_model::FormatMatch;

use extensions::KnownExtension;
use signatures::Signature;

pub use window::{WINDOW_BYTES, Window};

/// The media type of a file about which nothing is known.
pub const UNKNOWN_MEDIA_TYPE: &str = "application/binary";

/// What is known about a file's format before anybody looked inside containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    pub format: FormatMatch,
    /// Set when the file is a container whose parts tell more: work for `ingest_format_identifier`.
    pub container: Option<Container>,
}

/// A general form that many formats are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Zip,
    Ole2,
}

/// What led to a format, in the words that are recorded.
const BY_EXTENSION: &str = "extension";
const BY_SIGNATURE: &str = "signature";

/// Identifies the file at `path`, of which `window` saw all `size` bytes.
///
/// A window that saw another number of bytes is not one of the whole file. Its ends are not the
/// file's, so it is left out and only the name counts.
pub fn identify(path: &str, size: u64, window: &Window) -> Identified {
    let extension = extensions::of(path);
    let signature = if window.len() == size {
        signatures::of(window)
    } else {
        None
    };
    let (media_type, basis) = weigh(extension, signature);
    Identified {
        format: FormatMatch {
            media_type: media_type.to_owned(),
            basis: basis.to_owned(),
        },
        container: signature.and_then(|signature| signature.container),
    }
}

/// Content counts more than a name, unless the name says the same in more detail: a `.docx` is a
/// zip file, and a `.dng` a TIFF.
fn weigh(
    extension: Option<&'static KnownExtension>,
    signature: Option<&'static Signature>,
) -> (&'static str, &'static str) {
    match (extension, signature) {
        (None, None) => (UNKNOWN_MEDIA_TYPE, BY_EXTENSION),
        (Some(extension), None) => (extension.media_type, BY_EXTENSION),
        (Some(extension), Some(signature)) if extension.refines(signature.form) => {
            (extension.media_type, BY_EXTENSION)
        }
        (_, Some(signature)) => (signature.media_type, BY_SIGNATURE),
    }
}

#[cfg(test)]
mod tests;
