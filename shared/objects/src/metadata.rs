//! The user metadata of preserved objects (worker contract, 1.5): what a copy says about itself
//! if the registry is ever lost.
//!
//! Values go into signed HTTP headers, which carry nothing but plain printable ASCII raw. What is
//! written is decided in the model, where Receive asks as well.

use std::collections::HashMap;

pub use muniment_model::METADATA_BYTES_MAX;
use muniment_model::{Digests, ObjectIdentifier, copy_metadata, copy_metadata_bytes};

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
    let size = copy_metadata_bytes(institution, object, path);
    if size > METADATA_BYTES_MAX {
        return Err(MetadataTooLarge { size });
    }
    Ok(copy_metadata(institution, object, path, digests)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

#[cfg(test)]
mod tests {
    use muniment_bagit::member::{check_identity, place_file};
    use muniment_model::{Crc64Nvme, check_bag_name};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// A bag that Receive has accepted must not halt at Store.
        #[test]
        fn what_receive_accepts_can_be_stored(
            institution in "[a-z]{1,60}\\.edu",
            bag in "(a{1,250}|[a-zä  %+]{1,80})",
            folder in "(b| b|b  b|ü){1,120}",
            name in "(a| |  |ä|%|\u{202f}|~){1,1000}",
        ) {
            let object = ObjectIdentifier::new(&institution, &bag);
            let path = format!("data/{folder}/{name}");
            let raw = format!("{bag}/{path}");
            let accepted = check_bag_name(&format!("{bag}.tar")).is_ok()
                && place_file(raw.as_bytes()).is_ok()
                && check_identity(&institution, &object, &path).is_ok();
            let stored = user_metadata(&institution, &object, &path, &digests());
            prop_assert!(!accepted || stored.is_ok(), "{raw}: {stored:?}");
        }
    }

    /// Counted raw, as names without blanks are, such a name fits; encoded it does not.
    #[test]
    fn a_long_name_with_blanks_at_its_edge_is_refused_before_anything_is_stored() {
        let object = ObjectIdentifier::new("test.edu", "photos");
        for edge in [" ", "  x"] {
            let path = format!("data/{}{edge}", "%".repeat(700));
            let received = check_identity("test.edu", &object, &path);
            let stored = user_metadata("test.edu", &object, &path, &digests());
            assert!(received.is_err(), "{path}");
            assert!(stored.is_err(), "{path}");
        }
    }

    fn digests() -> Digests {
        Digests {
            md5: [0xab; 16],
            sha1: [0; 20],
            sha256: [0xcd; 32],
            sha512: [0; 64],
            crc64nvme: Crc64Nvme(0),
        }
    }

    fn metadata(path: &str) -> Result<HashMap<String, String>, MetadataTooLarge> {
        let object = ObjectIdentifier::new("test.edu", "photos");
        user_metadata("test.edu", &object, path, &digests())
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
        let prefixes = 5 * "x-amz-meta-".len();
        let without_path = prefixes + 11 + 8 + 3 + 15 + 3 + 32 + 6 + 64 + 7;
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
