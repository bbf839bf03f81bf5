//! What a copy says about itself (worker contract, 1.5), should the registry ever be lost: its
//! S3 user metadata, and how much of it fits.
//!
//! The one place that knows how a name is written there. Receive refuses a bag by it and Store writes
//! by it, so that nothing is accepted which cannot be stored. Pure.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Algorithm, Digests, ObjectIdentifier};

/// S3 user guide, "User-defined object metadata": 2 KB for all names and values of an object.
pub const METADATA_BYTES_MAX: usize = 2_048;

/// Begins each name in a request. S3 does not say whether it counts, so it does.
const PREFIX: &str = "x-amz-meta-";

/// What a form leaves as it is. A space is encoded as `+`, below.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b' ');

const INSTITUTION: &str = "institution";
const BAG: &str = "bag";

/// Names and values, without [`PREFIX`].
pub type MetadataPairs = [(&'static str, String); 5];

/// The metadata of one preserved file.
pub fn copy_metadata(
    institution: &str,
    object: &ObjectIdentifier,
    path: &str,
    digests: &Digests,
) -> MetadataPairs {
    let of = |algorithm: Algorithm| (algorithm.name(), digests.hex(algorithm));
    [
        (INSTITUTION, header_value(institution).into_owned()),
        (BAG, header_value(object.as_str()).into_owned()),
        of(Algorithm::Md5),
        of(Algorithm::Sha256),
        (name_of_path(path), header_value(path).into_owned()),
    ]
}

/// How many bytes of [`METADATA_BYTES_MAX`] it takes.
pub fn copy_metadata_bytes(institution: &str, object: &ObjectIdentifier, path: &str) -> usize {
    let of = |algorithm: Algorithm| (algorithm.name(), algorithm.hex_len());
    let pairs = [
        (INSTITUTION, header_value(institution).len()),
        (BAG, header_value(object.as_str()).len()),
        of(Algorithm::Md5),
        of(Algorithm::Sha256),
        (name_of_path(path), header_value(path).len()),
    ];
    let bytes = pairs.map(|(name, value)| PREFIX.len() + name.len() + value);
    bytes.into_iter().sum()
}

fn name_of_path(path: &str) -> &'static str {
    if is_plain(path) {
        "bagpath"
    } else {
        "bagpath-encoded"
    }
}

/// A text as a value of metadata: as it is, or in the encoding of forms.
pub fn header_value(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(form_encoded(text))
    }
}

/// Whether a header carries the text unchanged. Signing folds runs of spaces and trims the ends,
/// so a text with those is not plain.
fn is_plain(text: &str) -> bool {
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && text.trim() == text && !text.contains("  ") && !text.is_empty()
}

/// As `url.QueryEscape` of Go writes it, which is how earlier holdings are encoded.
fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Crc64Nvme;

    #[test]
    fn what_is_counted_is_what_is_written() {
        let digests = Digests {
            md5: [0xab; 16],
            sha1: [0; 20],
            sha256: [0xcd; 32],
            sha512: [0; 64],
            crc64nvme: Crc64Nvme(0),
        };
        let texts = ["a", "a b", "a  b", " a", "a ", "ä", "a\tb", "a+b%c", ""];

        for institution in texts {
            for bag in texts {
                for path in texts {
                    let object = ObjectIdentifier::new(institution, bag);
                    let pairs = copy_metadata(institution, &object, path, &digests);
                    let written =
                        pairs.map(|(name, value)| PREFIX.len() + name.len() + value.len());
                    let counted = copy_metadata_bytes(institution, &object, path);
                    assert_eq!(
                        counted,
                        written.into_iter().sum::<usize>(),
                        "{object} {path}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_is_raw_only_when_a_header_keeps_it_as_it_is() {
        let rows = [
            ("data/a b+c%d.txt", "data/a b+c%d.txt"),
            ("data/ü.txt", "data%2F%C3%BC.txt"),
            ("data/a\r\nx: y", "data%2Fa%0D%0Ax%3A+y"),
            ("data/a  b", "data%2Fa++b"),
            ("data/end ", "data%2Fend+"),
            ("data/ü+~-_.x", "data%2F%C3%BC%2B~-_.x"),
        ];

        for (text, expected) in rows {
            assert_eq!(header_value(text), expected, "{text}");
        }
    }
}
