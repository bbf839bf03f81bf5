mod metadata;

use muniment_model::{Algorithm, Finding, Severity};

use super::*;
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
        &facts(),
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
        let found = check(profile, &facts(), &with_bagit);
        assert_eq!(found.errors(), expected, "{profile} {files:?}");
    }
}

#[test]
fn the_declaration_is_understood_or_refused() {
    let missing = "Missing required tag bagit.txt/BagIt-Version.";
    let no_encoding = "Required tag Tag-File-Character-Encoding in file bagit.txt is missing";
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
            vec![form.to_owned()],
        ),
    ];

    for (text, expected) in rows {
        let files: Vec<_> = text.map(|text| ("bagit.txt", text)).into_iter().collect();
        assert_eq!(
            check("none", &facts(), &files).errors(),
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

    let tolerated = check("aptrust", &facts(), &[("bagit.txt", sloppy), aptrust]);
    let refused = check("aptrust", &facts(), &[("bagit.txt", old), aptrust]);

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
    let sha224 = [
        "manifest-sha224.txt".to_owned(),
        "tagmanifest-sha224.txt".to_owned(),
    ];
    let good = facts();
    let fetch = BagFacts {
        has_fetch: true,
        ..good
    };
    let bare = BagFacts {
        manifests: &[],
        ..good
    };
    let odd = BagFacts {
        unknown_manifests: &sha224,
        ..good
    };
    let only_odd = BagFacts {
        unknown_manifests: &sha224,
        ..bare
    };
    let empty = BagFacts {
        has_payload_folder: false,
        ..good
    };
    let no_fetch = "Bag has fetch.txt file which profile does not allow";
    let no_manifest = "Bag must have at least one payload manifest";
    let illegal =
        "Bag contains illegal manifest 'sha224'; Bag contains illegal tag manifest 'sha224'";
    let rows = [
        ("fetch.txt", "aptrust", fetch, no_fetch),
        ("fetch.txt", "btr", fetch, no_fetch),
        ("fetch.txt", "none", fetch, ""),
        (
            "no manifest",
            "aptrust",
            bare,
            "Bag is missing required manifest 'md5'",
        ),
        ("no manifest", "btr", bare, no_manifest),
        ("no manifest", "none", bare, no_manifest),
        ("an unknown algorithm", "aptrust", odd, illegal),
        ("an unknown algorithm", "none", odd, ""),
        ("only an unknown algorithm", "none", only_odd, ""),
        ("no data", "none", empty, "Bag has no data folder"),
    ];

    for (name, profile, facts, expected) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", BTR),
            ("aptrust-info.txt", APTRUST),
        ];
        let found = check(profile, &facts, &files);
        assert_eq!(found.findings.note(), expected, "{name}, {profile}");
    }
}

/// A value that the registry cannot hold must not be found out when the copies are made already.
#[test]
fn an_access_that_no_profile_checks_and_nobody_knows_means_institution() {
    let files = [
        ("bag-info.txt", BTR),
        ("aptrust-info.txt", "Access: Public\n"),
    ];

    let found = check("btr", &facts(), &with_default(&files));

    assert!(found.findings.is_valid());
    assert_eq!(found.metadata.access, "institution");
    assert_eq!(found.findings.warnings().count(), 1);
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let good = facts();
    let repeated = "Title: T\nTitle: U\nAccess: Institution\n";
    let rows: [(BagFacts<'_>, &str, &str, &[FindingCode]); 8] = [
        (
            BagFacts {
                folder: "other",
                ..good
            },
            BAG_INFO_TEXT,
            APTRUST,
            &[FindingCode::FolderNameDiffers],
        ),
        (
            BagFacts {
                folder: "bag.b01.of02",
                ..good
            },
            BAG_INFO_TEXT,
            APTRUST,
            &[],
        ),
        (
            BagFacts {
                serialization: Serialization::Folder,
                ..good
            },
            BAG_INFO_TEXT,
            APTRUST,
            &[FindingCode::SerializationNotAllowed],
        ),
        (good, "Payload-Oxum: 8.2\n", APTRUST, &[]),
        (
            good,
            "Payload-Oxum: 9.2\n",
            APTRUST,
            &[FindingCode::OxumDiffers],
        ),
        (
            good,
            "Payload-Oxum: 99999999999999999999999999.1\n",
            APTRUST,
            &[FindingCode::OxumDiffers],
        ),
        (
            good,
            "Payload-Oxum: many\n",
            APTRUST,
            &[FindingCode::OxumDiffers],
        ),
        (good, BAG_INFO_TEXT, repeated, &[FindingCode::TagRepeated]),
    ];

    for (facts, bag_info, aptrust, expected) in rows {
        let files = [
            ("bagit.txt", BAGIT),
            ("bag-info.txt", bag_info),
            ("aptrust-info.txt", aptrust),
        ];
        let found = check("aptrust", &facts, &files);
        let codes: Vec<_> = found
            .findings
            .warnings()
            .map(|finding| finding.code)
            .collect();
        assert_eq!(codes, expected, "{facts:?} {bag_info} {aptrust}");
        assert!(found.findings.is_valid(), "{facts:?} {bag_info} {aptrust}");
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

    fn of(&self, severity: Option<Severity>) -> Vec<&str> {
        let wanted = |finding: &&Finding| severity.is_none_or(|wanted| finding.severity == wanted);
        let findings = self.findings.iter().filter(wanted);
        findings.map(|finding| &*finding.message).collect()
    }
}

fn check(profile: &str, facts: &BagFacts<'_>, files: &[(&str, &str)]) -> Checked {
    let mut findings = Findings::default();
    let mut tags = TagFiles::default();
    for (path, text) in files {
        let mut parser = TagFileParser::new(path, TagEncoding::UTF_8);
        parser.push(text.as_bytes(), &mut findings);
        tags.add(parser.end(&mut findings));
    }
    let profile = Profile::by_name(profile).expect("a profile");
    let metadata = check_bag(profile, facts, &tags, &mut findings);
    Checked { findings, metadata }
}

fn with_default<'a>(files: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = files.to_vec();
    if !files.iter().any(|(path, _)| *path == "bagit.txt") {
        all.push(("bagit.txt", BAGIT));
    }
    all
}

fn facts() -> BagFacts<'static> {
    static MANIFESTS: std::sync::LazyLock<[Manifest; 1]> = std::sync::LazyLock::new(|| {
        [Manifest {
            path: "manifest-md5.txt".to_owned(),
            algorithm: Algorithm::Md5,
            of_tags: false,
            tar_offset: 0,
            size: 0,
        }]
    });
    BagFacts {
        bag_name: "bag",
        folder: "bag",
        serialization: Serialization::Tar,
        payload_files: 2,
        payload_bytes: 8,
        has_payload_folder: true,
        has_fetch: false,
        manifests: &*MANIFESTS,
        unknown_manifests: &[],
    }
}
