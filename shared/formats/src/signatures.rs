//! A few dozen magic numbers: what the bytes of a file say about its format.
//!
//! Rows are tried in order and the first that matches is the answer, so a narrower one is listed before the
//! wider one it belongs to. Only numbers that do not occur by chance are here; what needs a closer
//! look has a function in [`weak`].

mod table;
mod weak;

use crate::{Container, Window};

/// One way to recognise a format.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) media_type: &'static str,
    /// A general form that more particular formats are stored in, by its name in the third column of
    /// the extension table; [`OWN`] when none is known to be.
    pub(crate) form: &'static str,
    pub(crate) container: Option<Container>,
    mark: Mark,
}

const OWN: &str = "own";

/// What to look for.
#[derive(Debug)]
enum Mark {
    /// These bytes at these offsets, all of them.
    Bytes(&'static [(usize, &'static [u8])]),
    /// More than fixed bytes decides.
    Test(fn(&Window) -> bool),
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
pub(crate) fn forms() -> impl Iterator<Item = &'static str> {
    table::ALL.iter().map(|signature| signature.form)
}

#[cfg(test)]
mod tests;
