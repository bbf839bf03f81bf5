//! Names of buckets, keys and objects, as types that cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::WorkItemId;

/// S3 user guide, "Creating object key names": at most 1,024 bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// S3 user guide, "General purpose bucket naming rules".
pub const BUCKET_NAME_BYTES_MAX: usize = 63;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, not {0:?}")]
    Bucket(String),
    #[error("an object key has 1 to 1,024 bytes, this one has {0}")]
    KeyLength(usize),
}

/// The name of an S3 bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

impl BucketName {
    /// As the rules have it that [`BUCKET_NAME_BYTES_MAX`] comes from.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-'
        };
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = name.as_bytes();
        let fits = (3..=BUCKET_NAME_BYTES_MAX).contains(&bytes.len());
        if fits
            && bytes.iter().copied().all(allowed)
            && edge(bytes.first())
            && edge(bytes.last())
            && !name.contains("..")
        {
            Ok(Self(name))
        } else {
            Err(InvalidName::Bucket(name))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BucketName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl std::str::FromStr for BucketName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of an S3 object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidName> {
        let key = key.into();
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(InvalidName::KeyLength(key.len()));
        }
        Ok(Self(key))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<uuid::Uuid> for ObjectKey {
    fn from(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string())
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = InvalidName;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        Self::new(key)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What to list under. Ends in `/`, so `12/` does not also match `120/` and `1234/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Everything staged for one work item.
    pub fn of(item: WorkItemId) -> Self {
        Self(format!("{item}/"))
    }

    /// The index of one work item's file records: `<item>/index/`.
    pub fn index_of(item: WorkItemId) -> Self {
        Self(format!("{item}/index/"))
    }

    /// The item whose prefix this is; `None` for what [`Self::of`] would not have written.
    pub fn item_of(prefix: &str) -> Option<WorkItemId> {
        let item = WorkItemId(prefix.strip_suffix('/')?.parse().ok()?);
        (item.0 > 0 && Self::of(item).as_str() == prefix).then_some(item)
    }

    /// A key under this prefix. `name` is one of ours (a uuid, a number), never the bag's.
    pub fn key(&self, name: &str) -> ObjectKey {
        ObjectKey(format!("{}{name}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `<institution>/<bag name>`: names an object for good. The institution comes from the bucket
/// the bag was put in, never from anything inside the bag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectIdentifier(String);

impl ObjectIdentifier {
    pub fn new(institution: &str, bag_name: &str) -> Self {
        Self(format!("{institution}/{bag_name}"))
    }

    /// The identifier of the object's file at `path` in the bag.
    pub fn file(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_item_12_does_not_match_item_120() {
        let prefix = KeyPrefix::of(WorkItemId(12));

        assert!(!"120/x".starts_with(prefix.as_str()));
        assert!("12/x".starts_with(prefix.as_str()));
    }

    #[test]
    fn only_what_was_written_as_an_items_prefix_is_read_as_one() {
        let rows = [
            ("12/", Some(WorkItemId(12))),
            ("12", None),
            ("012/", None),
            ("+12/", None),
            ("0/", None),
            ("-1/", None),
            ("12a/", None),
            ("/", None),
            ("99999999999999999999/", None),
        ];

        for (prefix, expected) in rows {
            assert_eq!(KeyPrefix::item_of(prefix), expected, "{prefix}");
        }
    }

    #[test]
    fn bucket_names_follow_the_s3_rules() {
        let rows = [
            ("receiving.test.edu", true),
            ("ab", false),
            ("Upper", false),
            ("a..b", false),
            ("-ab", false),
            ("under_score", false),
        ];

        for (name, expected) in rows {
            assert_eq!(BucketName::new(name).is_ok(), expected, "{name}");
        }
    }
}
