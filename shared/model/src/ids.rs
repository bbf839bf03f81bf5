//! Identifiers, and how those of files and events are derived so that a repeated step writes the
//! same thing again.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use crate::{KeyPrefix, ObjectKey};

/// Declares a number that names one thing of a kind.
macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident($inner:ty),)+) => {
        $(
            $(#[$meta])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
                Default,
            )]
            #[serde(transparent)]
            pub struct $name(pub $inner);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )+
    };
}

numbers! {
    /// The registry's number for one upload.
    WorkItemId(i64),
    /// The registry's number for a file.
    FileId(i64),
    /// The registry's number for an institution.
    InstitutionId(i64),
    /// Counts the batches of one item's file records from 0, in tar order.
    BatchNumber(u32),
}

/// The one namespace of an installation, from which the identifiers of its files and events are
/// derived. Made once at set-up and kept in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(pub Uuid);

/// A member of an upload: the item, and where the member's tar header is in the tar. What is about the
/// upload as a whole is at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TarPlace {
    pub item: WorkItemId,
    pub tar_offset: u64,
}

/// How many bits of the item's number and of the block's are in an ordered identifier. Greater numbers
/// lose their upper bits, and with them only the order.
const ITEM_BITS: u32 = 20;
const BLOCK_BITS: u32 = 40;
const TAR_BLOCK_BYTES: u64 = 512;

impl TarPlace {
    /// Sixty bits that grow along a tar, and from one upload to the next.
    fn order(self) -> u64 {
        self.order_after(self.item.0.cast_unsigned())
    }

    /// The lower bits of a number, then the place in the tar.
    fn order_after(self, number: u64) -> u64 {
        let item = number & ((1 << ITEM_BITS) - 1);
        let block = (self.tar_offset / TAR_BLOCK_BYTES) & ((1 << BLOCK_BITS) - 1);
        (item << BLOCK_BITS) | block
    }
}

impl Namespace {
    /// Where pass one stages the member whose tar header is at `tar_offset`:
    /// `<item>/<uuid>`. Known before a byte of the member has been read.
    pub fn staging_key(self, item: WorkItemId, tar_offset: u64) -> ObjectKey {
        let uuid = self.derive_in_order(TarPlace { item, tar_offset }, &[]);
        KeyPrefix::of(item).key(&uuid.to_string())
    }

    /// The file's uuid in the registry and its key in every preservation bucket: those of one upload are
    /// neighbours, and uploads are anywhere, as S3 spreads its load by the beginning of keys (decision 14).
    /// `sha256` is in lower-case hexadecimal.
    pub fn file_uuid(self, place: TarPlace, path: &str, sha256: &str) -> Uuid {
        let item = place.item.to_string();
        let (_, anywhere) = self.derive(&[&item]).as_u64_pair();
        in_order(
            place.order_after(anywhere),
            self.derive(&[&item, path, sha256]),
        )
    }

    /// The identifier of a PREMIS event about a member, or about the object as a whole. `subject` is the
    /// file or object identifier, `detail` the event's outcome detail, which tells apart events of one
    /// type: algorithm, manifest or URL.
    pub fn event_uuid(
        self,
        place: TarPlace,
        subject: &str,
        event_type: &str,
        detail: &str,
    ) -> Uuid {
        self.derive_in_order(place, &[subject, event_type, detail])
    }

    /// As [`Self::derive`], but identifiers of neighbours in a tar are neighbours as well.
    fn derive_in_order(self, place: TarPlace, parts: &[&str]) -> Uuid {
        let numbers = [place.item.to_string(), place.tar_offset.to_string()];
        let all: Vec<&str> = numbers
            .iter()
            .map(String::as_str)
            .chain(parts.iter().copied())
            .collect();
        in_order(place.order(), self.derive(&all))
    }

    /// Parts are separated by NUL, which none of them can hold, so no two lists read alike.
    fn derive(self, parts: &[&str]) -> Uuid {
        Uuid::new_v5(&self.0, parts.join("\0").as_bytes())
    }
}

/// Sixty bits of order, then the end of a digest, as a uuid of version 8 (RFC 9562 §5.8). A database's indexes take
/// such identifiers one beside the other, where random ones each change a page of their own (decision 14).
fn in_order(order: u64, digest: Uuid) -> Uuid {
    let (order, end) = (u128::from(order), digest.as_u128() & u128::from(u64::MAX));
    // Version and variant, of 4 and 2 bits, are set by the builder.
    let ordered = ((order >> 12) << 80) | ((order & 0xfff) << 64) | end;
    Builder::from_custom_bytes(ordered.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NAMESPACE: Namespace = Namespace(Uuid::from_u128(7));

    #[test]
    fn a_repeated_step_derives_the_same_identifiers() {
        let item = WorkItemId(12);

        assert_eq!(
            NAMESPACE.staging_key(item, 512),
            NAMESPACE.staging_key(item, 512)
        );
        assert_ne!(
            NAMESPACE.staging_key(item, 512),
            NAMESPACE.staging_key(item, 1024)
        );
        assert_ne!(
            NAMESPACE.staging_key(item, 512),
            NAMESPACE.staging_key(WorkItemId(120), 512)
        );
    }

    #[test]
    fn identifiers_of_neighbours_in_a_tar_are_in_its_order() {
        let event = |item, tar_offset, detail: &str| {
            let place = place(item, tar_offset);
            NAMESPACE.event_uuid(place, "test.edu/a/b", "ingestion", detail)
        };
        let in_order = [
            event(1, 0, "md5:1"),
            event(1, 512, "md5:1"),
            event(1, 1 << 45, "md5:1"),
            event(2, 512, "md5:1"),
        ];

        assert!(in_order.is_sorted());
        assert!(in_order.iter().all(|uuid| uuid.get_version_num() == 8));
        assert_eq!(in_order[0].get_variant(), uuid::Variant::RFC4122);
        assert_ne!(event(1, 512, "md5:1"), event(1, 512, "md5:2"));
        // Where the upper bits do not fit, the digest still tells them apart.
        assert_ne!(event(1, 512, ""), event(1 + (1 << ITEM_BITS), 512, ""));
    }

    #[test]
    fn uuids_of_an_upload_s_files_are_in_the_order_of_its_tar_and_uploads_are_anywhere() {
        let file = |item, number: u64| {
            let path = format!("data/{number}");
            NAMESPACE.file_uuid(place(item, number * 1_024), &path, "00ff")
        };
        let files: Vec<Uuid> = (0..100).map(|number| file(7, number)).collect();
        let beginnings: BTreeSet<u8> = (0..500).map(|item| file(item, 0).as_bytes()[0]).collect();

        assert!(files.is_sorted());
        assert!(files.iter().all(|uuid| uuid.get_version_num() == 8));
        assert!(beginnings.len() > 150, "{}", beginnings.len());
    }

    #[test]
    fn versions_of_a_file_and_files_at_one_place_have_uuids_of_their_own() {
        let wrapped = 512 << BLOCK_BITS;
        let files = [
            NAMESPACE.file_uuid(place(1, 512), "data/a", "00"),
            NAMESPACE.file_uuid(place(1, 512), "data/a", "01"),
            NAMESPACE.file_uuid(place(1, 512), "data/b", "00"),
            NAMESPACE.file_uuid(place(1, 512 + wrapped), "data/c", "00"),
        ];

        let all: BTreeSet<Uuid> = files.into_iter().collect();

        assert_eq!(all.len(), files.len());
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let place = place(1, 512);

        assert_ne!(
            NAMESPACE.file_uuid(place, "data/ab", "c"),
            NAMESPACE.file_uuid(place, "data/a", "bc")
        );
    }

    fn place(item: i64, tar_offset: u64) -> TarPlace {
        TarPlace {
            item: WorkItemId(item),
            tar_offset,
        }
    }
}
