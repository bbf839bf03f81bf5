//! The user metadata of preserved objects (worker contract, 1.5): what a copy says about itself
//! if the registry is ever lost.
//!
//! Values go into signed HTTP headers, which carry nothing but plain printable ASCII raw.

use std::collections::HashMap;

use muniment_model::{Algorithm, Digests, ObjectIdentifier};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// S3 user guide, "User-defined object metadata": names and values together.
pub const METADATA_BYTES_MAX: usize = 2_048;

/// What a form leaves as it is. A space is encoded as `+`, below.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b' ');

/// The path of a file, in its encoded form, does not fit S3's limit on metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its metadata takes {size} bytes, and S3 allows 2,048")]
pub struct MetadataTooLarge {
    pub size: usize,
}

/// The metadata of one preserved file.
pub fn user_metadata(
    institution: &str,
    object: &ObjectIdentifier,
    path: &str,
    digests: &Digests,
) -> Result<HashMap<String, String>, MetadataTooLarge> {
    let bagpath = if is_plain(path) {
        ("bagpath", path.to_owned())
    } else {
        ("bagpath-encoded", form_encoded(path))
    };
    let pairs = [
        ("institution", plain_or_encoded(institution)),
        ("bag", plain_or_encoded(object.as_str())),
        ("md5", digests.hex(Algorithm::Md5)),
        ("sha256", digests.hex(Algorithm::Sha256)),
        bagpath,
    ];
    let size = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > METADATA_BYTES_MAX {
        return Err(MetadataTooLarge { size });
    }
    Ok(pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// Whether a header carries the text unchanged. Signing folds runs of spaces and trims the ends,
/// so a text with those is not plain.
fn is_plain(text: &str) -> bool {
    let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    printable && text.trim() == text && !text.contains("  ") && !text.is_empty()
}

fn plain_or_encoded(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        form_encoded(text)
    }
}

/// As `url.QueryEscape` of Go writes it, which is how earlier holdings are encoded.
fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use muniment_model::Crc64Nvme;

    use super::*;

    fn metadata(path: &str) -> Result<HashMap<String, String>, MetadataTooLarge> {
        let digests = Digests {
            md5: [0xab; 16],
            sha1: [0; 20],
            sha256: [0xcd; 32],
            sha512: [0; 64],
            crc64nvme: Crc64Nvme(0),
        };
        let object = ObjectIdentifier::new("test.edu", "photos");
        user_metadata("test.edu", &object, path, &digests)
    }

    #[test]
    fn a_path_is_raw_only_when_a_header_keeps_it_as_it_is() {
        let rows = [
            ("data/a b+c%d.txt", "bagpath", "data/a b+c%d.txt"),
            ("data/ü.txt", "bagpath-encoded", "data%2F%C3%BC.txt"),
            ("data/a\tb", "bagpath-encoded", "data%2Fa%09b"),
            ("data/a\r\nx: y", "bagpath-encoded", "data%2Fa%0D%0Ax%3A+y"),
            ("data/a  b", "bagpath-encoded", "data%2Fa++b"),
            ("data/end ", "bagpath-encoded", "data%2Fend+"),
            ("data/ü+~-_.x", "bagpath-encoded", "data%2F%C3%BC%2B~-_.x"),
            ("data/\u{202f}", "bagpath-encoded", "data%2F%E2%80%AF"),
        ];

        for (path, name, value) in rows {
            let metadata = metadata(path).expect("fits");

            assert_eq!(
                metadata.get(name).map(String::as_str),
                Some(value),
                "{path}"
            );
            assert_eq!(metadata.len(), 5, "{path}");
        }
    }

    #[test]
    fn a_path_is_refused_from_the_first_byte_that_s3_would_refuse() {
        let without_path = 11 + 8 + 3 + 15 + 3 + 32 + 6 + 64 + 7;
        let longest = METADATA_BYTES_MAX - without_path;

        assert!(metadata(&"a".repeat(longest)).is_ok());
        assert_eq!(
            metadata(&"a".repeat(longest + 1)),
            Err(MetadataTooLarge { size: 2_049 })
        );
    }

    #[test]
    fn the_other_values_are_the_contracts() {
        let metadata = metadata("data/a").expect("fits");

        assert_eq!(metadata["institution"], "test.edu");
        assert_eq!(metadata["bag"], "test.edu/photos");
        assert_eq!(metadata["md5"], "ab".repeat(16));
        assert_eq!(metadata["sha256"], "cd".repeat(32));
    }
}
