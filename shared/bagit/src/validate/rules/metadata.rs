//! What the tag files say about the object, with the contract's defaults.
//!
//! Identity is not among it: institution and name come from the bucket and the key.

use muniment_model::registry::Access;
use muniment_model::{BagMetadata, FindingCode, Findings, StorageOption};

use crate::profile::Profile;
use crate::tag_file::{APTRUST_INFO, BAG_INFO, TagFiles};
use crate::validate::BagFacts;

pub(super) fn gather(
    profile: &Profile,
    facts: &BagFacts<'_>,
    tags: &TagFiles,
    findings: &mut Findings,
) -> BagMetadata {
    // The first that is there and not empty.
    let first_of = |places: &[(&str, &str)]| {
        places
            .iter()
            .find_map(|(file, label)| tags.value(file, label))
            .unwrap_or_default()
            .to_owned()
    };
    let bag_info = |label| first_of(&[(BAG_INFO, label)]);
    let title = first_of(&[
        (APTRUST_INFO, "Title"),
        (BAG_INFO, "Internal-Identifier"),
        (BAG_INFO, "External-Identifier"),
    ]);
    BagMetadata {
        title: if title.is_empty() {
            facts.bag_name.to_owned()
        } else {
            title
        },
        description: first_of(&[
            (APTRUST_INFO, "Description"),
            (BAG_INFO, "Internal-Sender-Description"),
            (BAG_INFO, "External-Description"),
        ]),
        access: access(profile, tags, findings),
        storage_option: storage_option(profile, tags, findings),
        bag_group_identifier: bag_info("Bag-Group-Identifier"),
        alt_identifier: bag_info("Internal-Sender-Identifier"),
        bagit_profile_identifier: Profile::normalised_identifier(tags.profile_identifier()),
        source_organization: bag_info("Source-Organization"),
        internal_sender_identifier: bag_info("Internal-Sender-Identifier"),
        internal_sender_description: bag_info("Internal-Sender-Description"),
    }
}

/// Institution when the tag is absent or empty. An unknown value is an error where the profile lists
/// the values, else it means institution as well: the registry knows no other.
fn access(profile: &Profile, tags: &TagFiles, findings: &mut Findings) -> Access {
    let usual = Access::default();
    let Some(value) = tags.value(APTRUST_INFO, "Access") else {
        return usual;
    };
    let known = Access::ALL
        .iter()
        .copied()
        .find(|known| known.as_str().eq_ignore_ascii_case(value));
    if known.is_none() && !is_checked(profile, APTRUST_INFO, "Access") {
        let message = format_args!(
            "In file {APTRUST_INFO}, tag Access has unknown value '{value}', {usual} is used instead"
        );
        findings.warning(FindingCode::TagValueIllegal, APTRUST_INFO, message);
    }
    known.unwrap_or(usual)
}

fn is_checked(profile: &Profile, file: &str, tag: &str) -> bool {
    profile
        .tags
        .iter()
        .any(|rule| rule.file == file && rule.name == tag)
}

/// Standard when the tag is absent or empty. An unknown value is an error where the profile lists
/// the values (and is reported with the other tags), else it means Standard as well.
fn storage_option(
    profile: &Profile,
    tags: &TagFiles,
    findings: &mut Findings,
) -> Option<StorageOption> {
    let (file, tag) = (&profile.storage_option.file, &profile.storage_option.tag);
    let Some(value) = tags.value(file, tag) else {
        return Some(StorageOption::Standard);
    };
    let known = StorageOption::ALL
        .iter()
        .copied()
        .find(|option| option.as_str().eq_ignore_ascii_case(value));
    if known.is_none() && !is_checked(profile, file, tag) {
        let standard = StorageOption::Standard;
        findings.warning(
            FindingCode::TagValueIllegal,
            file,
            format_args!(
                "In file {file}, tag {tag} has unknown value '{value}'; {standard} is used instead"
            ),
        );
        return Some(standard);
    }
    known
}
