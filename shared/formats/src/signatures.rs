//! A few dozen magic numbers: what the bytes of a file say about its format.
//!
//! Rows are tried in order and the first that matches is the answer, so a narrower one stands above the
//! wider one it belongs to. Only numbers that do not turn up by chance are here; what needs a closer
//! look has a function in [`weak`].

mod table;
mod weak;

use crate::{Container, Window};

/// One way to recognise a format.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) media_type: &'static str,
    /// What else may be stored in this form; see the third column of the extension table.
    pub(crate) form: Form,
    pub(crate) container: Option<Container>,
    mark: Mark,
}

/// What to look for.
#[derive(Debug)]
enum Mark {
    /// These bytes at these offsets, all of them.
    Bytes(&'static [(usize, &'static [u8])]),
    /// More than fixed bytes decides.
    Test(fn(&Window) -> bool),
}

/// A general form that more particular formats are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing is known to be stored in it.
    Own,
    Asf,
    Bzip2,
    Ebml,
    Elf,
    Gzip,
    Hdf5,
    Html,
    IsoMedia,
    Jpeg2000,
    Ogg,
    Ole2,
    Pdf,
    Png,
    PostScript,
    Rar,
    RealMedia,
    Rtf,
    Sqlite,
    Tiff,
    Xml,
    Xz,
    Zip,
}

impl Form {
    /// The name used in the extension table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Asf => "asf",
            Self::Bzip2 => "bzip2",
            Self::Ebml => "ebml",
            Self::Elf => "elf",
            Self::Gzip => "gzip",
            Self::Hdf5 => "hdf5",
            Self::Html => "html",
            Self::IsoMedia => "isobmff",
            Self::Jpeg2000 => "jp2",
            Self::Ogg => "ogg",
            Self::Ole2 => "ole2",
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::PostScript => "postscript",
            Self::Rar => "rar",
            Self::RealMedia => "real",
            Self::Rtf => "rtf",
            Self::Sqlite => "sqlite",
            Self::Tiff => "tiff",
            Self::Xml => "xml",
            Self::Xz => "xz",
            Self::Zip => "zip",
        }
    }
}

impl Signature {
    fn matches(&self, window: &Window) -> bool {
        match self.mark {
            Mark::Bytes(parts) => parts.iter().all(|(offset, bytes)| {
                let found = window.head().get(*offset..);
                found.is_some_and(|found| found.starts_with(bytes))
            }),
            Mark::Test(test) => test(window),
        }
    }
}

/// The first signature that the content shows, if any.
pub(crate) fn of(window: &Window) -> Option<&'static Signature> {
    table::ALL
        .iter()
        .find(|signature| signature.matches(window))
}

/// The forms that a content can show.
#[cfg(test)]
pub(crate) fn forms() -> impl Iterator<Item = Form> {
    table::ALL.iter().map(|signature| signature.form)
}

#[cfg(test)]
mod tests;
