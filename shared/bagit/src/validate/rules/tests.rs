mod metadata;

use muniment_model::{Finding, MemberKind, Received, Severity};

use super::*;
use crate::census;
use crate::survey::BagMember;
use crate::tag_file::TagFileParser;

const BAGIT: &str = "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n";
const BAG_INFO_TEXT: &str = "Source-Organization: A\n";
const APTRUST: &str = "Title: T\nAccess: Institution\n";
const BTR: &str = "BagIt-Profile-Identifier: https://x.test/btr-bagit-profile.json\nBagging-Date: \
                   2020-01-01\nPayload-Oxum: 8.2\nSource-Organization: A\n";

#[test]
fn a_good_bag_has_no_findings() {
    let found = check(
        "aptrust",
        &received(),
        &[("bagit.txt", BAGIT), ("aptrust-info.txt", APTRUST)],
    );

    assert_eq!(found.messages(), [""; 0]);
}

#[test]
fn tag_files_are_held_to_the_profile_in_the_contracts_words() {
    const NO_TITLE: &str = "Access: Institution\n";
    const EMPTY_TITLE: &str = "Title: \nAccess: Institution\n";
    const BAD_ACCESS: &str = "Title: T\nAccess: Hands Off!\n";
    const BAD_OPTION: &str = "Title: T\naccess: CONSORTIA\nStorage-Option: Attic\n";
    const LATIN: &str = "BagIt-Version: 0.97\nTag-File-Character-Encoding: ISO-8859-1\n";
    const UNKNOWN: &str = "BagIt-Version: 0.97\nTag-File-Character-Encoding: Klingon\n";
    let rows: [(&str, Texts, &[&str]); 12] = [
        (
            "aptrust",
            &[("aptrust-info.txt", NO_TITLE)],
            &["Required tag Title in file aptrust-info.txt is missing"],
        ),
        (
            "aptrust",
            &[("aptrust-info.txt", EMPTY_TITLE)],
            &["In file aptrust-info.txt, required tag Title has no value"],
        ),
        (
            "aptrust",
            &[("aptrust-info.txt", BAD_ACCESS)],
            &["In file aptrust-info.txt, tag Access has illegal value 'Hands Off!'"],
        ),
        (
            "aptrust",
            &[("aptrust-info.txt", BAD_OPTION)],
            &["In file aptrust-info.txt, tag Storage-Option has illegal value 'Attic'"],
        ),
        (
            "aptrust",
            &[],
            &[
                "Required tag Title in file aptrust-info.txt is missing",
                "Required tag Access in file aptrust-info.txt is missing",
            ],
        ),
        (
            "aptrust",
            &[("aptrust-info.txt", APTRUST), ("bagit.txt", LATIN)],
            &["In file bagit.txt, tag Tag-File-Character-Encoding has illegal value 'ISO-8859-1'"],
        ),
        ("btr", &[("bag-info.txt", BTR)], &[]),
        ("btr", &[("bag-info.txt", BTR), ("bagit.txt", LATIN)], &[]),
        (
            "btr",
            &[("bag-info.txt", "Bagging-Date: \nSource-Organization: A\n")],
            &[
                "Required tag Payload-Oxum in file bag-info.txt is missing",
                "Required tag BagIt-Profile-Identifier in file bag-info.txt is missing",
                "In file bag-info.txt, required tag Bagging-Date has no value",
            ],
        ),
        ("none", &[], &[]),
        ("none", &[("bagit.txt", LATIN)], &[]),
        (
            "none",
            &[("bagit.txt", UNKNOWN)],
            &["Tag-File-Character-Encoding 'Klingon' is not an encoding we know"],
        ),
    ];

    for (profile, files, expected) in rows {
        let with_bagit = with_default(files);
        let found = check(profile, &received(), &with_bagit);
        assert_eq!(found.errors(), expected, "{profile} {files:?}");
    }
}

#[test]
fn the_declaration_is_understood_or_refused() {
    let missing = "Missing required tag bagit.txt/BagIt-Version.";
    let no_encoding = "Required tag Tag-File-Character-Encoding in file bagit.txt is missing";
    let mark = "File bagit.txt begins with a byte order mark, which BagIt does not allow";
    let form = "File bagit.txt is not exactly the two lines that BagIt 1.0 demands";
    let not_plain =
        |version| format!("BagIt-Version {version} is not permitted in BagIt profile plain BagIt.");
    let rows = [
        (None, vec![missing.to_owned()]),
        (Some(""), vec![missing.to_owned(), no_encoding.to_owned()]),
        (Some("BagIt-Version: 0.97\n"), vec![no_encoding.to_owned()]),
        (
            Some("BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n"),
            vec![not_plain(".97")],
        ),
        (
            Some("BagIt-Version: 0.98\nTag-File-Character-Encoding: UTF-8\n"),
            vec![not_plain("0.98")],
        ),
        (
            Some("BagIt-Version:   0.97\n\nTag-File-Character-Encoding : UTF-8\nX: y\n"),
            vec![],
        ),
        (
            Some("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8"),
            vec![],
        ),
        (
            Some("BagIt-Version: 1.0\nTag-File-Character-Encoding:  UTF-8\n"),
            vec![form.to_owned()],
        ),
        (
            Some("Tag-File-Character-Encoding: UTF-8\nBagIt-Version: 1.0\n"),
            vec![form.to_owned()],
        ),
        (
            Some("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\nX: y\n"),
            vec![form.to_owned()],
        ),
        (
            Some("\u{feff}BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
            vec![mark.to_owned()],
        ),
        (
            Some("\u{feff}BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n"),
            vec![mark.to_owned()],
        ),
    ];

    for (text, expected) in rows {
        let files: Vec<_> = text.map(|text| ("bagit.txt", text)).into_iter().collect();
        assert_eq!(
            check("none", &received(), &files).errors(),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_depositors_profile_tolerates_a_sloppy_declaration_but_not_an_old_version() {
    let sloppy = "BagIt-Version: 1.0\nTag-File-Character-Encoding:UTF-8\n";
    let old = "BagIt-Version: 0.96\nTag-File-Character-Encoding: UTF-8\n";
    let aptrust = ("aptrust-info.txt", APTRUST);

    let tolerated = check("aptrust", &received(), &[("bagit.txt", sloppy), aptrust]);
    let refused = check("aptrust", &received(), &[("bagit.txt", old), aptrust]);

    assert!(tolerated.findings.is_valid());
    assert_eq!(tolerated.findings.warnings().count(), 1);
    assert_eq!(
        refused.errors(),
        [
            "BagIt-Version 0.96 is not permitted in BagIt profile https://raw.githubusercontent.com/\
          APTrust/preservation-services/master/profiles/aptrust-v2.3.json."
        ]
    );
}

#[test]
fn the_bag_as_a_whole_is_checked() {
    let good = received();
    let fetch = with(&good, "fetch.txt", MemberKind::Fetch);
    let bare = Received {
        manifests: Vec::new(),
        ..good.clone()
    };
    let with_sha224 = |bag: &Received| {
        let bag = with(bag, "manifest-sha224.txt", MemberKind::Manifest);
        with(&bag, "tagmanifest-sha224.txt", MemberKind::TagManifest)
    };
    let (odd, only_odd) = (with_sha224(&good), with_sha224(&bare));
    let empty = Received {
        has_payload_folder: false,
        ..good.clone()
    };
    let no_fetch = "Bag has fetch.txt file which profile does not allow";
    let no_manifest = "Bag must have at least one payload manifest";
    let illegal =
        "Bag contains illegal manifest 'sha224'; Bag contains illegal tag manifest 'sha224'";
    let rows = [
        ("fetch.txt", "aptrust", &fetch, no_fetch),
        ("fetch.txt", "btr", &fetch, no_fetch),
        ("fetch.txt", "none", &fetch, ""),
        (
            "no manifest",
            "aptrust",
            &bare,
            "Bag is missing required manifest 'md5'",
        ),
        ("no manifest", "btr", &bare, no_manifest),
        ("no manifest", "none", &bare, no_manifest),
        ("an unknown algorithm", "aptrust", &odd, illegal),
        ("an unknown algorithm", "none", &odd, ""),
        ("only an unknown algorithm", "none", &only_odd, ""),
        ("no data", "none", &empty, "Bag has no data folder"),
    ];

    for (name, profile, bag, expected) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", BTR),
            ("aptrust-info.txt", APTRUST),
        ];
        let found = check(profile, bag, &files);
        assert_eq!(found.findings.note(), expected, "{name}, {profile}");
    }
}

/// A value that the registry cannot hold must not be found out when the copies are made already.
#[test]
fn an_access_that_no_profile_checks_and_the_registry_does_not_know_means_institution() {
    let files = [
        ("bag-info.txt", BTR),
        ("aptrust-info.txt", "Access: Public\n"),
    ];

    let found = check("btr", &received(), &with_default(&files));

    assert!(found.findings.is_valid());
    assert_eq!(found.metadata.access.as_str(), "institution");
    assert_eq!(found.findings.warnings().count(), 1);
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let good = received();
    let in_folder = |folder: &str| Received {
        folder: folder.to_owned(),
        ..received()
    };
    let (other, part) = (in_folder("other"), in_folder("bag.b01.of02"));
    let repeated = "Title: T\nTitle: U\nAccess: Institution\n";
    let too_large = "Payload-Oxum: 99999999999999999999999999.1\n";
    let rows: [(&Received, &str, &str, &[FindingCode]); 7] = [
        (
            &other,
            BAG_INFO_TEXT,
            APTRUST,
            &[FindingCode::FolderNameDiffers],
        ),
        (&part, BAG_INFO_TEXT, APTRUST, &[]),
        (&good, "Payload-Oxum: 8.2\n", APTRUST, &[]),
        (
            &good,
            "Payload-Oxum: 9.2\n",
            APTRUST,
            &[FindingCode::OxumDiffers],
        ),
        (&good, too_large, APTRUST, &[FindingCode::OxumDiffers]),
        (
            &good,
            "Payload-Oxum: many\n",
            APTRUST,
            &[FindingCode::OxumDiffers],
        ),
        (&good, BAG_INFO_TEXT, repeated, &[FindingCode::TagRepeated]),
    ];

    for (bag, bag_info, aptrust, expected) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", bag_info),
            ("aptrust-info.txt", aptrust),
        ];
        let found = check("aptrust", bag, &files);
        assert_eq!(found.warnings(), expected, "{bag_info} {aptrust}");
        assert!(found.findings.is_valid(), "{bag_info} {aptrust}");
    }
}

#[test]
fn a_tag_manifest_may_leave_out_manifests_before_version_1_0() {
    let rows = [
        ("aptrust", "1.0", ListingPolicy::Every),
        ("aptrust", "0.97", ListingPolicy::EveryPayload),
        ("none", "1.0", ListingPolicy::Every),
        ("none", "0.97", ListingPolicy::One),
    ];

    for (name, version, expected) in rows {
        let mut findings = Findings::default();
        let mut parser = TagFileParser::new("bagit.txt", TagEncoding::UTF_8);
        parser.push(
            format!("BagIt-Version: {version}\n").as_bytes(),
            &mut findings,
        );
        let mut tags = TagFiles::default();
        tags.add(parser.end(&mut findings));
        let profile = Profile::by_name(name).expect("a profile");
        assert_eq!(listing_policy(profile, &tags), expected, "{name} {version}");
    }
}

#[test]
fn a_folder_must_be_packed_where_the_profile_wants_a_tar() {
    let files = [("bagit.txt", BAGIT), ("aptrust-info.txt", APTRUST)];
    let rows: [(&str, &[FindingCode]); 2] = [
        ("aptrust", &[FindingCode::SerializationNotAllowed]),
        ("none", &[]),
    ];

    for (profile, expected) in rows {
        let found = check_as(Serialization::Folder, profile, &received(), &files);
        assert_eq!(found.warnings(), expected, "{profile}");
        assert!(found.findings.is_valid(), "{profile}");
    }
}

/// Tag files by path.
type Texts = &'static [(&'static str, &'static str)];

struct Checked {
    findings: Findings,
    metadata: BagMetadata,
}

impl Checked {
    fn errors(&self) -> Vec<&str> {
        self.of(Some(Severity::Error))
    }

    fn messages(&self) -> Vec<&str> {
        self.of(None)
    }

    fn warnings(&self) -> Vec<FindingCode> {
        let warnings = self.findings.warnings();
        warnings.map(|finding| finding.code).collect()
    }

    fn of(&self, severity: Option<Severity>) -> Vec<&str> {
        let wanted = |finding: &&Finding| severity.is_none_or(|wanted| finding.severity == wanted);
        let findings = self.findings.iter().filter(wanted);
        findings.map(|finding| &*finding.message).collect()
    }
}

fn check(profile: &str, bag: &Received, files: &[(&str, &str)]) -> Checked {
    check_as(Serialization::Tar, profile, bag, files)
}

fn check_as(
    serialization: Serialization,
    profile: &str,
    received: &Received,
    files: &[(&str, &str)],
) -> Checked {
    let mut findings = Findings::default();
    let mut tags = TagFiles::default();
    for (path, text) in files {
        let mut parser = TagFileParser::new(path, TagEncoding::UTF_8);
        parser.push(text.as_bytes(), &mut findings);
        tags.add(parser.end(&mut findings));
    }
    let profile = Profile::by_name(profile).expect("a profile");
    let facts = BagFacts {
        bag_name: "bag",
        object: "test.edu/bag",
        serialization,
        received,
    };
    let metadata = check_bag(profile, &facts, &tags, &mut findings);
    Checked { findings, metadata }
}

fn with_default<'a>(files: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = files.to_vec();
    if !files.iter().any(|(path, _)| *path == "bagit.txt") {
        all.push(("bagit.txt", BAGIT));
    }
    all
}

/// Two payload files of eight bytes together, and a manifest.
fn received() -> Received {
    let bag = Received {
        folder: "bag".to_owned(),
        payload_files: 2,
        payload_bytes: 8,
        has_payload_folder: true,
        ..census::empty()
    };
    with(&bag, "manifest-md5.txt", MemberKind::Manifest)
}

fn with(bag: &Received, path: &str, kind: MemberKind) -> Received {
    let mut more = bag.clone();
    census::count(&mut more, BagMember { path, kind }, 0, 0);
    more
}
