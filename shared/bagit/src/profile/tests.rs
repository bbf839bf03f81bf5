use super::*;

#[test]
fn every_compiled_in_profile_can_be_read() {
    let names = [&*APTRUST_2_3, &*BTR_1_0, &*PLAIN].map(|profile| &*profile.name);

    assert_eq!(names, ["aptrust-2.3", "btr-1.0", "plain"]);
}

#[test]
fn a_bag_is_held_to_the_profile_it_names_or_to_the_default() {
    let rows = [
        (None, "aptrust-2.3"),
        (Some(""), "aptrust-2.3"),
        (Some("https://example.org/another.json"), "aptrust-2.3"),
        (
            // The version before, a subset of this one.
            Some("https://example.org/profiles/aptrust-v2.2.json"),
            "aptrust-2.3",
        ),
        (
            Some("https://example.org/btr_bagit_profile/x.json"),
            "btr-1.0",
        ),
        (
            Some("https://example.org/x/btr-bagit-profile.json"),
            "btr-1.0",
        ),
        (Some("btr-bagit-profile.json"), "aptrust-2.3"),
        (Some(BTR_FORMER_IDENTIFIERS[0]), "btr-1.0"),
        (Some(BTR_FORMER_IDENTIFIERS[1]), "btr-1.0"),
    ];

    for (identifier, expected) in rows {
        assert_eq!(Profile::choose(identifier).name, expected, "{identifier:?}");
    }
}

#[test]
fn former_identifiers_are_recorded_as_the_present_ones() {
    let default = "https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.3.json";
    let btr = "https://github.com/dpscollaborative/btr_bagit_profile/releases/download/1.0/btr-bagit-profile.json";
    let rows = [
        (None, default),
        (Some(""), default),
        (Some(BTR_FORMER_IDENTIFIERS[0]), btr),
        (Some(BTR_FORMER_IDENTIFIERS[1]), btr),
        (Some(btr), btr),
        (Some("my own"), "my own"),
    ];

    for (identifier, expected) in rows {
        assert_eq!(
            Profile::normalised_identifier(identifier),
            expected,
            "{identifier:?}"
        );
    }
}

#[test]
fn people_ask_for_profiles_by_name() {
    let rows = [
        ("aptrust", Some("aptrust-2.3")),
        ("btr", Some("btr-1.0")),
        ("none", Some("plain")),
        ("APTrust", None),
    ];

    for (name, expected) in rows {
        let found = Profile::by_name(name).map(|profile| &*profile.name);
        assert_eq!(found, expected, "{name}");
    }
}

/// Version 2.2 does not list the option, but no bag is held to that version any more.
#[test]
fn a_bag_that_names_version_2_2_may_be_stored_in_wasabi_tx() {
    let named = "https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.2.json";
    let profile = Profile::choose(Some(named));

    let mut rules = profile.tags.iter();
    let rule = rules.find(|rule| rule.name == "Storage-Option");

    assert!(rule.is_some_and(|rule| rule.allows("Wasabi-TX")));
    assert_eq!(Profile::normalised_identifier(Some(named)), named);
}

/// The validator has the place of fetch.txt, but not its size; and it keeps no bytes of a manifest whose
/// algorithm is not ours.
#[test]
fn no_profile_of_depositors_asks_for_what_the_server_cannot_read() {
    for profile in [&*APTRUST_2_3, &*BTR_1_0] {
        assert!(!profile.fetch_allowed, "{}", profile.name);
        assert!(!profile.manifests.allows("sha224"), "{}", profile.name);
        assert!(!profile.tag_manifests.allows("sha224"), "{}", profile.name);
    }
}
