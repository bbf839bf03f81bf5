//! Tags of objects, and what S3 takes for one. Pure.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Most tags of one object.
const TAGS_MAX: usize = 10;
/// Most characters of a tag's key, which has one at least.
const KEY_MAX: usize = 128;
/// Most characters of a tag's value.
const VALUE_MAX: usize = 256;
/// What keys and values may hold beside letters, digits and blanks.
const SIGNS: &str = "+-=._:/@";
/// Keys that begin so are for the store itself.
const RESERVED: &str = "aws:";

pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TagFault {
    #[error("an object has {TAGS_MAX} tags at most")]
    TooMany,
    #[error(
        "the key of a tag has 1 to {KEY_MAX} letters, digits, blanks and {SIGNS}, and does not begin \
         with {RESERVED}"
    )]
    Key,
    #[error("the value of a tag has at most {VALUE_MAX} letters, digits, blanks and {SIGNS}")]
    Value,
    #[error("a tag is there twice")]
    Twice,
    #[error("x-amz-tagging is a list of URL-encoded tags, as in a query")]
    Malformed,
}

/// Of the tags one by one.
pub(crate) fn tags_of(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Tags, TagFault> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        if !is_text(&key, KEY_MAX) || key.is_empty() || key.starts_with(RESERVED) {
            return Err(TagFault::Key);
        }
        if !is_text(&value, VALUE_MAX) {
            return Err(TagFault::Value);
        }
        if tags.insert(key, value).is_some() {
            return Err(TagFault::Twice);
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(TagFault::TooMany);
    }
    Ok(tags)
}

/// Of the header, which has them as a query has its parameters.
pub(crate) fn tags_in(header: Option<&str>) -> Result<Tags, TagFault> {
    let pairs = header.unwrap_or_default().split('&');
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(key)?, decoded(value)?))
    });
    tags_of(pairs.collect::<Result<Vec<_>, TagFault>>()?)
}

fn decoded(text: &str) -> Result<String, TagFault> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded
        .map(String::from)
        .map_err(|_not_text| TagFault::Malformed)
}

fn is_text(text: &str, count_max: usize) -> bool {
    let is_one = |c: char| c.is_alphanumeric() || c.is_whitespace() || SIGNS.contains(c);
    text.chars().count() <= count_max && text.chars().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, String)>;

    #[test]
    fn each_limit_holds_at_the_limit_and_not_beyond() {
        let one = |key: usize, value: usize| vec![("ü".repeat(key), "ü".repeat(value))];
        let many = |count: usize| {
            (0..count)
                .map(|at| (at.to_string(), String::new()))
                .collect()
        };
        let named = |key: &str| vec![(key.to_owned(), "v".to_owned())];
        let rows: [(&str, Pairs, Result<usize, TagFault>); 11] = [
            ("none", vec![], Ok(0)),
            ("key", one(KEY_MAX, 0), Ok(1)),
            ("long key", one(KEY_MAX + 1, 0), Err(TagFault::Key)),
            ("no key", one(0, 1), Err(TagFault::Key)),
            ("value", one(1, VALUE_MAX), Ok(1)),
            ("long value", one(1, VALUE_MAX + 1), Err(TagFault::Value)),
            ("count", many(TAGS_MAX), Ok(TAGS_MAX)),
            ("one more", many(TAGS_MAX + 1), Err(TagFault::TooMany)),
            ("signs", named("a b+-=._:/@1"), Ok(1)),
            ("other signs", named("a?"), Err(TagFault::Key)),
            ("reserved", named("aws:a"), Err(TagFault::Key)),
        ];

        for (name, pairs, expected) in rows {
            assert_eq!(tags_of(pairs).map(|tags| tags.len()), expected, "{name}");
        }
    }

    #[test]
    fn the_header_is_read_as_a_query_is() {
        let rows = [
            ("", Ok(vec![])),
            ("a=b&c=d+e%20f", Ok(vec![("a", "b"), ("c", "d e f")])),
            ("a=%C3%BC&b", Ok(vec![("a", "ü"), ("b", "")])),
            ("a=1&a=2", Err(TagFault::Twice)),
            ("a=%FF", Err(TagFault::Malformed)),
        ];

        for (header, expected) in rows {
            let expected = expected.map(|pairs| {
                let pairs = pairs.into_iter();
                pairs
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect()
            });
            assert_eq!(tags_in(Some(header)), expected, "{header}");
        }
    }
}
