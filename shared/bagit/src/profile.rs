//! What a bag must have to be accepted, read from `profiles/*.json`.
//!
//! The profiles are compiled in and parsed once. A profile that a bag names is never downloaded:
//! an unknown one is kept as text, and the bag is held to the default profile.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use muniment_model::Algorithm;
use serde::Deserialize;

/// Whether the bag must be one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SerializationRule {
    Required,
    Optional,
}

/// In how many payload manifests each payload file must be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingRule {
    EveryManifest,
    /// In every one from BagIt 1.0 on, before that in one (RFC 8493 section 3).
    ByVersion,
}

/// What becomes of a `bagit.txt` that can be understood but is not in the form of BagIt 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclarationRule {
    Strict,
    Tolerant,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRule {
    /// Empty: any.
    pub allowed: Vec<String>,
    pub required: Vec<Algorithm>,
}

impl ManifestRule {
    pub fn allows(&self, algorithm: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed == algorithm)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRule {
    pub file: String,
    pub name: String,
    pub required: bool,
    pub empty_allowed: bool,
    /// Empty: any.
    pub values: Vec<String>,
}

impl TagRule {
    /// The case of values does not matter.
    pub fn allows(&self, value: &str) -> bool {
        self.values.is_empty()
            || self
                .values
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(value))
    }
}

/// The tag that chooses where the copies go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageOptionTag {
    pub file: String,
    pub tag: String,
}

/// The rules a bag is held to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    /// How people call it.
    pub title: String,
    /// Empty for plain BagIt.
    pub identifier: String,
    pub bagit_versions: Vec<String>,
    pub serialization: SerializationRule,
    pub fetch_allowed: bool,
    pub listing: ListingRule,
    pub declaration: DeclarationRule,
    pub manifests: ManifestRule,
    pub tag_manifests: ManifestRule,
    pub storage_option: StorageOptionTag,
    pub tags: Vec<TagRule>,
}

static APTRUST_2_3: LazyLock<Profile> =
    LazyLock::new(|| compiled_in(include_str!("../profiles/aptrust-2.3.json")));
static BTR_1_0: LazyLock<Profile> =
    LazyLock::new(|| compiled_in(include_str!("../profiles/btr-1.0.json")));
static PLAIN: LazyLock<Profile> =
    LazyLock::new(|| compiled_in(include_str!("../profiles/plain.json")));

fn compiled_in(text: &str) -> Profile {
    serde_json::from_str(text).unwrap_or_else(|error| {
        unreachable!("a test reads every compiled-in profile, but this one is wrong: {error}")
    })
}

/// Earlier places of the BTR profile, which bags still name.
const BTR_FORMER_IDENTIFIERS: [&str; 2] = [
    "https://raw.githubusercontent.com/APTrust/dart/master/profiles/btr-v0.1.json",
    "https://raw.githubusercontent.com/dpscollaborative/btr_bagit_profile/master/btr-bagit-profile.json",
];

impl Profile {
    /// The profile that a bag is held to: BTR when it names that one, else APTrust 2.3, whatever it
    /// names. That includes APTrust 2.2: what it allows, 2.3 allows as well, with one storage option
    /// more.
    pub fn choose(bagit_profile_identifier: Option<&str>) -> &'static Self {
        let identifier = Self::normalised_identifier(bagit_profile_identifier);
        let names = |part: &str| identifier.contains(part);
        if names("/btr_bagit_profile") || names("/btr-bagit-profile") {
            &BTR_1_0
        } else {
            &APTRUST_2_3
        }
    }

    /// The profile a person asks for: `aptrust`, `btr`, or `none` for plain BagIt.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        match name {
            "aptrust" => Some(&APTRUST_2_3),
            "btr" => Some(&BTR_1_0),
            "none" => Some(&PLAIN),
            _ => None,
        }
    }

    /// The identifier to record for a bag: the default one for a bag that names none, the present
    /// one for a former name of the BTR profile, any other as it is.
    pub fn normalised_identifier(bagit_profile_identifier: Option<&str>) -> String {
        match bagit_profile_identifier.unwrap_or_default() {
            "" => APTRUST_2_3.identifier.clone(),
            former if BTR_FORMER_IDENTIFIERS.contains(&former) => BTR_1_0.identifier.clone(),
            other => other.to_owned(),
        }
    }
}
