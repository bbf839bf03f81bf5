use std::collections::BTreeSet;

use super::{BY_EXTENSION, EXTENSION_BYTES_MAX, TABLE, of, rows};
use crate::signatures;

fn media_type(path: &str) -> Option<&'static str> {
    of(path).map(|known| known.media_type)
}

#[test]
fn the_extension_is_that_of_the_last_part() {
    let long = format!("a.{}", "x".repeat(100_000));
    let rows: [(&str, Option<&str>); 14] = [
        ("data/report.pdf", Some("application/pdf")),
        ("data/REPORT.PDF", Some("application/pdf")),
        ("data/v1.2/notes.Txt", Some("text/plain")),
        ("data/photo.tar.gz", Some("application/gzip")),
        ("data/folder.pdf/README", None),
        ("data/.pdf", None),
        ("data/.hidden.pdf", Some("application/pdf")),
        ("data/ends.with.", None),
        ("data/ends/", None),
        ("data/ümläut.jpg", Some("image/jpeg")),
        ("data/a.ünknown", None),
        ("", None),
        ("...", None),
        (&long, None),
    ];

    for (path, expected) in rows {
        assert_eq!(media_type(path), expected, "{path:.40}");
    }
}

#[test]
fn the_table_is_sorted_and_well_formed() {
    let extensions: Vec<&str> = rows(TABLE).map(|(extension, _)| extension).collect();

    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(extensions.len(), lines);
    assert_eq!(BY_EXTENSION.len(), lines);
    assert!(extensions.is_sorted_by(|one, next| one < next));
    for extension in extensions {
        let plain = extension
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(plain, "{extension}");
        assert!(extension.len() <= EXTENSION_BYTES_MAX, "{extension}");
    }
}

#[test]
fn every_media_type_is_a_type_and_a_subtype() {
    for (extension, known) in rows(TABLE) {
        let parts: Vec<&str> = known.media_type.split('/').collect();
        let well_formed = parts.len() == 2
            && parts.iter().all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            });
        assert!(well_formed, "{extension}: {}", known.media_type);
    }
}

/// A misspelt form, in either table, would never be confirmed by any content.
#[test]
fn every_form_in_the_table_has_a_signature() {
    let mut known: BTreeSet<&str> = signatures::forms().collect();
    assert!(known.remove("own"));

    let used: BTreeSet<&str> = rows(TABLE)
        .flat_map(|(_, row)| row.forms.split_whitespace())
        .collect();

    assert_eq!(used, known);
}
