//! The table of extensions: what a file's name says about its format.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One line for each extension: the extension, a media type, and the general forms it is stored in.
const TABLE: &str = include_str!("formats.tsv");

/// Longer than any extension in the table. A hostile name is not even copied.
const EXTENSION_BYTES_MAX: usize = 16;

static BY_EXTENSION: LazyLock<HashMap<&'static str, KnownExtension>> =
    LazyLock::new(|| rows(TABLE).collect());

/// What an extension says.
#[derive(Debug)]
pub(crate) struct KnownExtension {
    pub(crate) media_type: &'static str,
    /// Names of forms, separated by spaces.
    forms: &'static str,
}

impl KnownExtension {
    /// Whether a file of this type has the given form when looked at from outside.
    pub(crate) fn refines(&self, form: &str) -> bool {
        self.forms.split(' ').any(|name| name == form)
    }
}

/// What the extension of the last part of `path` says, in whatever case it is written.
pub(crate) fn of(path: &str) -> Option<&'static KnownExtension> {
    let name = path.rsplit('/').next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    // The whole name of a hidden file is not its extension.
    if stem.is_empty() || extension.len() > EXTENSION_BYTES_MAX {
        return None;
    }
    BY_EXTENSION.get(extension.to_ascii_lowercase().as_str())
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, KnownExtension)> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let extension = columns.next()?;
            let media_type = columns.next()?;
            let forms = columns.next().unwrap_or_default();
            Some((extension, KnownExtension { media_type, forms }))
        })
}

#[cfg(test)]
mod tests;
