//! Identifiers, and how those of files and events are derived so that a repeated step writes the
//! same thing again.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

impl Namespace {
    /// Where pass one stages the member whose tar header is at `tar_offset`:
    /// `<item>/<uuid>`. Known before a byte of the member has been read.
    pub fn staging_key(self, item: WorkItemId, tar_offset: u64) -> ObjectKey {
        let uuid = self.derive(&[&item.to_string(), &tar_offset.to_string()]);
        KeyPrefix::of(item).key(&uuid.to_string())
    }

    /// The file's uuid in the registry and its key in every preservation bucket. `sha256` is in
    /// lower-case hexadecimal.
    pub fn file_uuid(self, item: WorkItemId, path: &str, sha256: &str) -> Uuid {
        self.derive(&[&item.to_string(), path, sha256])
    }

    /// The identifier of a PREMIS event. `subject` is the file or object identifier, `detail` the
    /// event's outcome detail, which tells apart events of one type: algorithm, manifest or URL.
    pub fn event_uuid(
        self,
        item: WorkItemId,
        subject: &str,
        event_type: &str,
        detail: &str,
    ) -> Uuid {
        self.derive(&[&item.to_string(), subject, event_type, detail])
    }

    /// Parts are separated by NUL, which none of them can hold, so no two lists read alike.
    fn derive(self, parts: &[&str]) -> Uuid {
        Uuid::new_v5(&self.0, parts.join("\0").as_bytes())
    }
}

#[cfg(test)]
mod tests {
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
    fn parts_cannot_run_into_each_other() {
        let item = WorkItemId(1);

        assert_ne!(
            NAMESPACE.file_uuid(item, "data/ab", "c"),
            NAMESPACE.file_uuid(item, "data/a", "bc")
        );
    }
}
