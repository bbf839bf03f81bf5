//! The rules for a bag as a whole: what was seen of it, what its tag files say, and a profile go in;
//! findings and the object's metadata come out.
//!
//! All rules are checked and all findings reported. Never trusts a number in a tag file: a Payload-Oxum
//! is compared, nothing is sized by it.

mod metadata;
#[cfg(test)]
mod tests;

use muniment_model::{BagMetadata, FindingCode, Findings, bag_name_of};

use super::{BagFacts, ListingPolicy, Serialization};
use crate::manifest::{FETCH, ManifestFile};
use crate::profile::{DeclarationRule, ListingRule, ManifestRule, Profile, SerializationRule};
use crate::tag_file::{BAG_INFO, DECLARATION, TagEncoding, TagFiles};

/// Checks everything but the files, and says what the tag files say about the object. The metadata
/// is complete only when no error was found.
pub(super) fn check_bag(
    profile: &Profile,
    facts: &BagFacts<'_>,
    tags: &TagFiles,
    findings: &mut Findings,
) -> BagMetadata {
    check_serialization(profile, facts, findings);
    check_folder(facts, findings);
    check_version(profile, tags, findings);
    check_declaration(profile, tags, findings);
    if facts.received.fetch_offset.is_some() && !profile.fetch_allowed {
        let message = "Bag has fetch.txt file which profile does not allow";
        findings.error(FindingCode::FetchNotAllowed, FETCH, message);
    }
    check_manifests(profile, facts, findings);
    check_required_tags(profile, tags, findings);
    check_tag_values(profile, tags, findings);
    check_oxum(facts, tags, findings);
    metadata::gather(profile, facts, tags, findings)
}

fn check_serialization(profile: &Profile, facts: &BagFacts<'_>, findings: &mut Findings) {
    match (profile.serialization, facts.serialization) {
        (SerializationRule::Required, Serialization::Folder) => findings.warning(
            FindingCode::SerializationNotAllowed,
            "",
            format_args!(
                "Bag is a folder; profile {} requires a tar file, so it must be packed before it is \
                 uploaded",
                profile.title
            ),
        ),
        (SerializationRule::Required, Serialization::Tar) | (SerializationRule::Optional, _) => {}
    }
}

fn check_folder(facts: &BagFacts<'_>, findings: &mut Findings) {
    let (folder, bag_name) = (&facts.received.folder, facts.bag_name);
    // A part of a multi-part bag has a folder with or without the number of the part.
    let without_part = format!("{folder}.tar");
    if folder != bag_name && bag_name_of(&without_part) != Some(bag_name) {
        let message = format_args!("Folder name '{folder}' differs from bag name '{bag_name}'");
        findings.warning(FindingCode::FolderNameDiffers, "", message);
    }
    if !facts.received.has_payload_folder {
        let message = "Bag has no data folder";
        findings.error(FindingCode::PayloadFolderMissing, "data", message);
    }
}

fn check_version(profile: &Profile, tags: &TagFiles, findings: &mut Findings) {
    let Some(version) = tags.version() else {
        let code = match tags.file(DECLARATION) {
            Some(_) => FindingCode::BagitTxtInvalid,
            None => FindingCode::BagitTxtMissing,
        };
        let message = "Missing required tag bagit.txt/BagIt-Version.";
        findings.error(code, DECLARATION, message);
        return;
    };
    if profile.bagit_versions.iter().any(|known| known == version) {
        return;
    }
    let identifier = match profile.identifier.as_str() {
        "" => profile.title.as_str(),
        identifier => identifier,
    };
    let message =
        format_args!("BagIt-Version {version} is not permitted in BagIt profile {identifier}.");
    findings.error(FindingCode::VersionNotAllowed, DECLARATION, message);
}

fn check_declaration(profile: &Profile, tags: &TagFiles, findings: &mut Findings) {
    if let Some(label) = tags.declared_encoding()
        && TagEncoding::for_label(label).is_none()
    {
        let message =
            format_args!("Tag-File-Character-Encoding '{label}' is not an encoding we know");
        findings.error(FindingCode::EncodingUnknown, DECLARATION, message);
    }
    // Before version 1.0 the form was not spelled out.
    let Some(file) = tags.file(DECLARATION).filter(|_| is_1_0(tags)) else {
        return;
    };
    let labels: Vec<_> = file.tags.iter().map(|tag| tag.label.as_str()).collect();
    if file.is_plain && labels == ["BagIt-Version", "Tag-File-Character-Encoding"] {
        return;
    }
    let message = "File bagit.txt is not exactly the two lines that BagIt 1.0 demands";
    match profile.declaration {
        DeclarationRule::Strict => {
            findings.error(FindingCode::BagitTxtInvalid, DECLARATION, message);
        }
        DeclarationRule::Tolerant => {
            findings.warning(FindingCode::BagitTxtInvalid, DECLARATION, message);
        }
    }
}

/// Whether the bag declares version 1.0 or one that we do not know yet.
fn is_1_0(tags: &TagFiles) -> bool {
    tags.version()
        .is_some_and(|version| !version.starts_with("0."))
}

/// In which manifests a file must be listed, for [`ManifestJoin`].
pub(super) fn listing_policy(profile: &Profile, tags: &TagFiles) -> ListingPolicy {
    match profile.listing {
        _ if is_1_0(tags) => ListingPolicy::Every,
        ListingRule::EveryManifest => ListingPolicy::EveryPayload,
        ListingRule::ByVersion => ListingPolicy::One,
    }
}

fn check_manifests(profile: &Profile, facts: &BagFacts<'_>, findings: &mut Findings) {
    let files = facts.manifest_files();
    let groups = [
        ("manifest", &profile.manifests, false),
        ("tag manifest", &profile.tag_manifests, true),
    ];
    for (word, rule, of_tags) in groups {
        let present: Vec<_> = files
            .iter()
            .filter(|file| file.of_tags == of_tags)
            .collect();
        check_manifest_group(word, rule, &present, findings);
    }
    let has_payload_manifest = files.iter().any(|file| !file.of_tags);
    if !has_payload_manifest && profile.manifests.required.is_empty() {
        let message = "Bag must have at least one payload manifest";
        findings.error(FindingCode::ManifestMissing, "", message);
    }
}

fn check_manifest_group(
    word: &str,
    rule: &ManifestRule,
    present: &[&ManifestFile],
    findings: &mut Findings,
) {
    for file in present {
        let name = file.algorithm_name();
        if !rule.allows(name) {
            let message = format_args!("Bag contains illegal {word} '{name}'");
            findings.error(FindingCode::ManifestNotAllowed, &file.path, message);
        } else if file.algorithm.is_none() {
            let message = format_args!(
                "Checksums in {} are not checked: we have no {name}",
                file.path
            );
            findings.warning(FindingCode::ManifestNotAllowed, &file.path, message);
        }
    }
    for required in &rule.required {
        if !present.iter().any(|file| file.algorithm == Some(*required)) {
            let message = format_args!("Bag is missing required {word} '{required}'");
            findings.error(FindingCode::ManifestMissing, "", message);
        }
    }
}

fn check_required_tags(profile: &Profile, tags: &TagFiles, findings: &mut Findings) {
    for rule in profile.tags.iter().filter(|rule| rule.required) {
        let file = tags.file(&rule.file);
        // The version's message says it already.
        let said = rule.file == DECLARATION && file.is_none();
        let is_there = file.is_some_and(|file| file.all(&rule.name).next().is_some());
        if !is_there && !said {
            let message = format_args!(
                "Required tag {} in file {} is missing",
                rule.name, rule.file
            );
            findings.error(FindingCode::TagMissing, &rule.file, message);
        }
    }
}

fn check_tag_values(profile: &Profile, tags: &TagFiles, findings: &mut Findings) {
    for rule in &profile.tags {
        let Some(tag_file) = tags.file(&rule.file) else {
            continue;
        };
        let (file, name) = (&rule.file, &rule.name);
        for tag in tag_file.all(name) {
            let value = &tag.value;
            let may_be_empty = rule.empty_allowed || !rule.required;
            if value.is_empty() && !may_be_empty {
                let message = format_args!("In file {file}, required tag {name} has no value");
                findings.error(FindingCode::TagEmpty, file, message);
            } else if !value.is_empty() && !rule.allows(value) {
                let message =
                    format_args!("In file {file}, tag {name} has illegal value '{value}'");
                findings.error(FindingCode::TagValueIllegal, file, message);
            }
        }
        let mut values = tag_file.all(name).map(|tag| &tag.value);
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            let message =
                format_args!("In file {file}, tag {name} is repeated: the first one counts");
            findings.warning(FindingCode::TagRepeated, file, message);
        }
    }
}

fn check_oxum(facts: &BagFacts<'_>, tags: &TagFiles, findings: &mut Findings) {
    let Some(oxum) = tags.value(BAG_INFO, "Payload-Oxum") else {
        return;
    };
    // Compared as numbers, so that leading zeros do not matter. One too large for 64 bits differs.
    let parts = oxum
        .split_once('.')
        .and_then(|(bytes, files)| Some((bytes.parse().ok()?, files.parse().ok()?)));
    let (bytes, files) = (facts.received.payload_bytes, facts.received.payload_files);
    if parts != Some((bytes, files)) {
        let message = format_args!("Payload-Oxum is '{oxum}', but the payload has {bytes}.{files}");
        findings.warning(FindingCode::OxumDiffers, BAG_INFO, message);
    }
}
