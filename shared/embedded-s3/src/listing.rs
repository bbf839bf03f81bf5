//! Rolls sorted keys up into one page of a listing. Pure.
//!
//! Positions are inclusive lower bounds: the next key that may be looked at. After a key that is the
//! key and a zero byte; after a common prefix it is the first string beyond all that begin with it, so
//! a million keys behind one prefix cost one look-up.

use std::ops::ControlFlow;

/// Above every key: keys are UTF-8, which has no such byte.
const BEYOND_ALL: &[u8] = &[0xff];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub prefix: Vec<u8>,
    pub delimiter: Option<Vec<u8>>,
    pub entries_max: usize,
}

/// One line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry<T> {
    Object(T),
    Prefix(Vec<u8>),
}

/// A page being filled.
pub(crate) struct Page<T> {
    query: Query,
    position: Vec<u8>,
    pub entries: Vec<Entry<T>>,
    pub truncated: bool,
}

impl<T> Page<T> {
    /// A page that begins at `position`.
    pub(crate) fn at(query: Query, position: Vec<u8>) -> Self {
        Self {
            position: position.max(query.prefix.clone()),
            query,
            entries: Vec::new(),
            truncated: false,
        }
    }

    /// The first key to look at next; after a truncated page, where the next one begins.
    pub(crate) fn position(&self) -> &[u8] {
        &self.position
    }

    /// All keys of the listing are below this.
    pub(crate) fn end(&self) -> Vec<u8> {
        successor(&self.query.prefix)
    }

    /// Takes the next key, in order. Breaks when the page is full.
    pub(crate) fn push(&mut self, key: &[u8], value: T) -> ControlFlow<()> {
        if key < self.position.as_slice() {
            return ControlFlow::Continue(());
        }
        if self.entries.len() >= self.query.entries_max {
            self.truncated = self.query.entries_max > 0;
            return ControlFlow::Break(());
        }
        if let Some(common) = self.query.common_prefix(key) {
            self.position = successor(common);
            self.entries.push(Entry::Prefix(common.to_vec()));
        } else {
            self.position = after(key);
            self.entries.push(Entry::Object(value));
        }
        ControlFlow::Continue(())
    }

    /// Takes another version of the key that was pushed last. Breaks when the page is full. Behind a
    /// common prefix it is not shown, like its key.
    pub(crate) fn push_again(&mut self, value: T) -> ControlFlow<()> {
        if self.ends_in_prefix() {
            return ControlFlow::Continue(());
        }
        if self.entries.len() >= self.query.entries_max {
            self.truncated = true;
            return ControlFlow::Break(());
        }
        self.entries.push(Entry::Object(value));
        ControlFlow::Continue(())
    }

    pub(crate) fn ends_in_prefix(&self) -> bool {
        matches!(self.entries.last(), Some(Entry::Prefix(_)))
    }
}

impl Query {
    /// Where a listing begins that continues after `marker`, a key or a common prefix.
    pub(crate) fn position_after(&self, marker: &[u8]) -> Vec<u8> {
        if self.common_prefix(marker) == Some(marker) {
            successor(marker)
        } else {
            after(marker)
        }
    }

    /// The part of `key` up to the first delimiter behind the prefix.
    fn common_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let delimiter = self.delimiter.as_deref().filter(|text| !text.is_empty())?;
        let rest = key.strip_prefix(self.prefix.as_slice())?;
        let at = rest
            .windows(delimiter.len())
            .position(|window| window == delimiter)?;
        key.get(..self.prefix.len() + at + delimiter.len())
    }
}

fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The first string beyond all that begin with `prefix`.
pub(crate) fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    BEYOND_ALL.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 7] = ["a", "a/b", "a/c", "b/1", "b/2/x", "c", "ü/z"];

    #[test]
    fn pages_follow_the_table() {
        let rows: [(&str, &str, Option<&str>, &[&str]); 5] = [
            ("all", "", None, &KEYS),
            ("by folder", "", Some("/"), &["a", "a/", "b/", "c", "ü/"]),
            ("in a folder", "b/", Some("/"), &["b/1", "b/2/"]),
            ("a prefix that is a key", "a", Some("/"), &["a", "a/"]),
            ("nothing", "x", None, &[]),
        ];

        for (name, prefix, delimiter, expected) in rows {
            for entries_max in [1, 2, 1000] {
                let query = Query {
                    prefix: prefix.into(),
                    delimiter: delimiter.map(Into::into),
                    entries_max,
                };
                assert_eq!(list(&query), expected, "{name}, {entries_max} a page");
            }
        }
    }

    #[test]
    fn an_empty_page_is_not_truncated() {
        let mut page = Page::at(Query::default(), Vec::new());

        assert!(page.push(b"a", ()).is_break());

        assert!(!page.truncated);
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_skips_what_is_behind_it() {
        let query = Query {
            delimiter: Some(b"/".to_vec()),
            ..Query::default()
        };

        assert_eq!(query.position_after(b"a/"), b"a0");
        assert_eq!(query.position_after(b"a/b"), b"a/b\0");
    }

    /// The whole listing, page after page.
    fn list(query: &Query) -> Vec<String> {
        let mut names = Vec::new();
        let mut position = Vec::new();
        loop {
            let mut page = Page::at(query.clone(), position);
            let end = page.end();
            for key in KEYS.iter().filter(|key| key.as_bytes() < end.as_slice()) {
                if page.push(key.as_bytes(), key.to_owned()).is_break() {
                    break;
                }
            }
            position = page.position().to_vec();
            names.extend(page.entries.into_iter().map(|entry| match entry {
                Entry::Object(key) => key.to_owned(),
                Entry::Prefix(prefix) => String::from_utf8(prefix).unwrap(),
            }));
            if !page.truncated {
                return names;
            }
        }
    }
}
