use std::collections::BTreeSet;
use std::path::PathBuf;

use muniment_bag_builder::{BagBuilder, Entry};
use muniment_model::{Algorithm, FindingCode};
use tempfile::TempDir;

use super::*;

/// Bags made by other people's tools; not part of the project.
const OTHERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/bags");

const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

const NO_ACCESS: &str = "Required tag Access in file aptrust-info.txt is missing";

#[test]
fn bags_of_other_tools_end_as_they_should() {
    let Some(bags) = others() else {
        return;
    };
    for bag in accepted() {
        let findings = verdict(&bags.join(bag), ProfileChoice::ByBag);
        assert_eq!(findings.note(), "", "{bag}");
    }
    for (bag, expected) in rejected() {
        let findings = verdict(&bags.join(bag), ProfileChoice::ByBag);
        let errors: BTreeSet<_> = findings.errors().map(|finding| &*finding.message).collect();
        assert_eq!(errors, expected.iter().copied().collect(), "{bag}");
    }
}

#[test]
fn bags_of_other_tools_that_are_odd_get_warnings() {
    let Some(bags) = others() else {
        return;
    };
    let rows = [
        (
            "aptrust/example.edu.sample_wrong_folder_name.tar",
            FindingCode::FolderNameDiffers,
        ),
        (
            "btr/test.edu.btr_good_sha256.tar",
            FindingCode::FolderNameDiffers,
        ),
        (
            "btr/test.edu.btr-glacier-deep-oh.tar",
            FindingCode::TarEndMissing,
        ),
    ];

    for (bag, expected) in rows {
        let findings = verdict(&bags.join(bag), ProfileChoice::ByBag);
        let codes: Vec<_> = findings.warnings().map(|finding| finding.code).collect();
        assert_eq!(codes, [expected], "{bag}");
    }
}

#[test]
fn the_conformance_suite_is_accepted_and_rejected_as_its_folders_say() {
    let Some(bags) = others() else {
        return;
    };
    let mut seen = 0;
    for class in ["valid", "invalid", "linux-only"] {
        for bag in conformance(&bags, class) {
            let findings = verdict(&bag, ProfileChoice::None);
            assert_eq!(
                findings.is_valid(),
                class == "valid",
                "{}: {findings:?}",
                bag.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 37, "{seen}");
}

#[test]
fn each_rejected_conformance_bag_is_told_its_cause() {
    let Some(bags) = others() else {
        return;
    };
    let rows: [(&str, &[&str]); 12] = [
        (
            "invalid/baginfo-missing-encoding",
            &["Required tag Tag-File-Character-Encoding in file bagit.txt is missing"],
        ),
        ("invalid/corrupt-data-file", &["checksum"]),
        (
            "invalid/corrupt-tag-file",
            &[
                "bag-info.txt: ingest md5 checksum",
                "bagit.txt: ingest md5 checksum",
                "manifest-md5.txt: ingest md5 checksum",
            ],
        ),
        (
            "invalid/extra-file-in-bag",
            &["data/bar is not in manifest manifest-md5.txt"],
        ),
        (
            "invalid/invalid-version-number",
            &["BagIt-Version .97 is not permitted"],
        ),
        (
            "invalid/missing-baginfo",
            &["bag-info.txt in tagmanifest-md5.txt is missing from bag"],
        ),
        (
            "invalid/missing-bagit.txt",
            &["Missing required tag bagit.txt/BagIt-Version."],
        ),
        (
            "invalid/out-of-scope-file-paths-using-dot-notation-for-fetch",
            &["names a path outside the bag: ../../../README.md"],
        ),
        (
            "invalid/same-filename-listed-twice-with-different-hashes",
            &["is listed twice in manifest-sha256.txt, with different checksums"],
        ),
        (
            "linux-only/out-of-scope-file-paths-using-absolute-path",
            &["names a path outside the bag: /tmp/foo"],
        ),
        (
            "linux-only/out-of-scope-file-paths-using-shortcut",
            &["names a path outside the bag: ~/foo"],
        ),
        (
            "linux-only/out-of-scope-file-paths-using-shortcut-username",
            &["names a path outside the bag: ~root/foo"],
        ),
    ];

    for (bag, expected) in rows {
        let note = verdict(
            &bags.join("conformance/v0.97").join(bag),
            ProfileChoice::None,
        )
        .note();
        for part in expected {
            assert!(note.contains(part), "{bag}: {note}");
        }
    }
}

#[test]
fn the_builders_bags_are_judged_by_the_profile_they_name() {
    let rows = [
        (
            "aptrust",
            BagBuilder::aptrust("bag").file("data/a", "a"),
            ProfileChoice::ByBag,
            true,
        ),
        (
            "btr",
            BagBuilder::btr("bag").file("data/a", "a"),
            ProfileChoice::ByBag,
            true,
        ),
        (
            "plain",
            BagBuilder::plain("bag").file("data/a", "a"),
            ProfileChoice::None,
            true,
        ),
        (
            "plain, as aptrust",
            BagBuilder::plain("bag").file("data/a", "a"),
            ProfileChoice::Aptrust,
            false,
        ),
        (
            "aptrust, as btr",
            BagBuilder::aptrust("bag").file("data/a", "a"),
            ProfileChoice::Btr,
            false,
        ),
    ];

    for (name, bag, choice, expected) in rows {
        let (_folder, tar) = written(&bag);
        let findings = verdict(&tar, choice);
        assert_eq!(findings.is_valid(), expected, "{name}: {findings:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_common_mistake_is_found_in_a_tar_and_named() {
    use FindingCode as Code;

    let good = || {
        BagBuilder::aptrust("bag")
            .file("data/a", "a")
            .file("data/b", "b")
    };
    let with = |entry: Entry| good().entry(entry);
    let missing = good().without_file_but_listed("data/a");
    let unlisted = good().extra_unlisted_file("data/c", "c");
    let no_md5 = good().manifests(&[Algorithm::Sha256]);
    let link = with(Entry::symbolic_link("bag/data/link", "/etc/passwd"));
    let twice = with(Entry::file("bag/data/a", "other"));
    let same = with(Entry::file("bag/data/a", "a"));
    let outside = with(Entry::file("bag/../x", "x"));
    let two_folders = with(Entry::file("other/x", "x"));
    let rows = [
        (
            "corrupt",
            good().corrupt_digest("data/a"),
            Some(Code::DigestDiffers),
        ),
        ("missing", missing, Some(Code::FileMissing)),
        ("unlisted", unlisted, Some(Code::FileNotInManifest)),
        (
            "fetch.txt",
            good().with_fetch_txt(),
            Some(Code::FetchNotAllowed),
        ),
        (
            "no bagit.txt",
            good().without_bagit_txt(),
            Some(Code::BagitTxtMissing),
        ),
        ("old", good().version("0.96"), Some(Code::VersionNotAllowed)),
        ("no md5", no_md5, Some(Code::ManifestMissing)),
        ("link", link, Some(Code::MemberNotRegular)),
        ("twice", twice, Some(Code::MemberRepeated)),
        ("twice the same", same, None),
        ("outside", outside, Some(Code::MemberOutsideBag)),
        ("two folders", two_folders, Some(Code::SeveralFolders)),
        ("trailing", good().trailing("rubbish"), None),
        (
            "a file and a folder",
            good().file("data/a/b", "x"),
            Some(Code::MemberNamesCollide),
        ),
        (
            "a file and an empty folder",
            good().entry(Entry::directory("bag/data/a/")),
            Some(Code::MemberNamesCollide),
        ),
        (
            "a file called data",
            good().entry(Entry::file("bag/data", "x")),
            Some(Code::MemberNameInvalid),
        ),
        (
            "a size behind zero bytes",
            good().entry(Entry::file("bag/data/b", "x").with_size_field(*b"\x0000000002000")),
            Some(Code::TarSizesDisagree),
        ),
        (
            "a mark",
            good().file("bagit.txt", format!("\u{feff}{BAGIT}")),
            Some(Code::EncodingDiffers),
        ),
        (
            "garbled",
            good().file("aptrust-info.txt", b"Title: caf\xe9\nAccess: Institution\n"),
            Some(Code::TagFileInvalid),
        ),
    ];

    for (name, bag, expected) in rows {
        let (_folder, tar) = written(&bag);
        let findings = verdict(&tar, ProfileChoice::ByBag);
        let codes: BTreeSet<_> = findings.errors().map(|finding| finding.code).collect();
        assert_eq!(
            codes,
            expected.into_iter().collect(),
            "{name}: {findings:?}"
        );
    }
}

#[test]
fn a_file_that_is_no_whole_tar_has_one_finding() {
    let folder = TempDir::new().expect("a folder");
    let tar = BagBuilder::aptrust("bag").file("data/a", "a").to_tar();
    let half = tar.split_at(tar.len() / 2 / 512 * 512 + 100).0;
    let rows: [(&str, &[u8], FindingCode); 4] = [
        ("cut", half, FindingCode::TarTruncated),
        ("empty", b"", FindingCode::NotATar),
        ("text", b"hello", FindingCode::NotATar),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0", FindingCode::NotATar),
    ];

    for (name, bytes, expected) in rows {
        let path = folder.path().join("bag.tar");
        std::fs::write(&path, bytes).expect("writes");
        let findings = verdict(&path, ProfileChoice::ByBag);
        let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
        assert_eq!(codes, [expected], "{name}");
    }
}

#[test]
fn a_folder_is_a_bag_whose_links_are_not_followed() {
    let folder = TempDir::new().expect("a folder");
    let bag = folder.path().join("bag");
    std::fs::create_dir_all(bag.join("data")).expect("a folder");
    let digest = "0cc175b9c0f1b6a831c399e269772661";
    for (path, text) in [
        ("bagit.txt", BAGIT),
        ("manifest-md5.txt", &format!("{digest}  data/a\n")),
        ("data/a", "a"),
    ] {
        std::fs::write(bag.join(path), text).expect("writes");
    }
    assert_eq!(verdict(&bag, ProfileChoice::None).iter().count(), 0);

    std::os::unix::fs::symlink("/etc", bag.join("data/link")).expect("links");
    let codes: Vec<_> = verdict(&bag, ProfileChoice::None)
        .errors()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, [FindingCode::MemberNotRegular]);
}

#[test]
fn a_manifest_in_another_spelling_is_a_file_like_others() {
    let bag = BagBuilder::aptrust("bag")
        .file("data/a", "a")
        .file("manifest-m-d5.txt", "of the ship");
    let (_folder, tar) = written(&bag);

    let findings = verdict(&tar, ProfileChoice::ByBag);

    assert_eq!(findings.iter().count(), 0, "{findings:?}");
}

#[test]
fn a_second_folder_is_told_in_the_servers_words_even_when_empty() {
    let bag = BagBuilder::aptrust("bag")
        .file("data/a", "a")
        .entry(Entry::directory("other/"));
    let (_folder, tar) = written(&bag);

    let findings = verdict(&tar, ProfileChoice::ByBag);

    let note = "The tar holds more than one folder: bag and other";
    assert_eq!(findings.note(), note);
}

#[test]
fn what_is_not_there_is_our_trouble_and_not_the_bags() {
    let read = BytesRead::default();
    let fault = validate(
        Path::new("/nowhere/bag.tar"),
        &by(ProfileChoice::ByBag),
        &read,
    );

    assert!(matches!(fault, Err(LocalBagError::Read { .. })));
}

fn accepted() -> [&'static str; 9] {
    [
        "aptrust/example.edu.sample_good.tar",
        "aptrust/example.edu.tagsample_good.tar",
        "aptrust/updated/example.edu.tagsample_good.tar",
        "aptrust/example.edu.sample_glacier_oh.tar",
        "aptrust/example.edu.sample_glacier_or.tar",
        "aptrust/example.edu.sample_glacier_va.tar",
        "aptrust/example.edu.sample_wrong_folder_name.tar",
        "btr/test.edu.btr_good_sha256.tar",
        "btr/test.edu.btr-glacier-deep-oh.tar",
    ]
}

/// All errors of each bag, the names of files beginning with the bag's.
fn rejected() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "aptrust/example.edu.fetchtxt.tar",
            vec!["Bag has fetch.txt file which profile does not allow"],
        ),
        (
            "aptrust/example.edu.sample_bad_access.tar",
            vec!["In file aptrust-info.txt, tag Access has illegal value 'Hands Off!'"],
        ),
        (
            "aptrust/example.edu.sample_bad_checksums.tar",
            vec![
                NO_ACCESS,
                "File example.edu.sample_bad_checksums/data/datastream-DC: ingest md5 checksum \
                 44d85cf4810d6c6fe87750117633e461 doesn't match manifest checksum 44d85cf4810d6c6fe877BlahBlahBlah",
                "File example.edu.sample_bad_checksums/data/datastream-descMetadata: ingest md5 checksum \
                 4bd0ad5f85c00ce84a455466b24c8960 doesn't match manifest checksum 4bd0ad5f85c00ce84a45BlahBlahBlah",
                "File example.edu.sample_bad_checksums/data/datastream-MARC: ingest md5 checksum \
                 93e381dfa9ad0086dbe3b92e0324bae6 doesn't match manifest checksum 93e381dfa9ad0086dbe3BlahBlahBlah",
                "File example.edu.sample_bad_checksums/data/datastream-RELS-EXT: ingest md5 checksum \
                 ff731b9a1758618f6cc22538dede6174 doesn't match manifest checksum ff731b9a1758618f6cc2BlahBlahBlah",
            ],
        ),
        (
            "aptrust/example.edu.sample_missing_data_file.tar",
            vec![
                NO_ACCESS,
                "File example.edu.sample_missing_data_file/data/datastream-DC in manifest-md5.txt is missing from bag",
            ],
        ),
        (
            "aptrust/example.edu.sample_no_aptrust_info.tar",
            vec![
                "Required tag Title in file aptrust-info.txt is missing",
                NO_ACCESS,
            ],
        ),
        (
            "aptrust/example.edu.sample_no_bagit.tar",
            vec!["Missing required tag bagit.txt/BagIt-Version.", NO_ACCESS],
        ),
        (
            "aptrust/example.edu.sample_no_md5_manifest.tar",
            vec!["Bag is missing required manifest 'md5'"],
        ),
        (
            "aptrust/example.edu.sample_no_title.tar",
            vec!["In file aptrust-info.txt, required tag Title has no value"],
        ),
        (
            "btr/test.edu.btr_bad_checksums.tar",
            vec![
                concat!(
                    "File test.edu.btr_bad_checksums/data/netutil/listen.go: ingest sha512 checksum ",
                    "b598afc318e6d06f54a162e8e43bbc9cb071fcf0ffb3766b719011d8403d01290d6f2d7a9decc504395501f28f6c452c",
                    "5a4317ee7bd309d4cd597984227d176d doesn't match manifest checksum ",
                    "0000000000000000000000000000000000000000000000000000000000000000",
                    "0000000000000000000000000000000000000000000000000000000000000000",
                ),
                concat!(
                    "File test.edu.btr_bad_checksums/manifest-sha512.txt: ingest sha512 checksum ",
                    "fc9a6f7dfac6ab9edf60858391d90131671fc18f1ca6c15fe7bd652a5a0059e76c023cfdf325305d659f2d9719a12c3c",
                    "97b6d9ead8d4bff3177ab5afdfdf7483 doesn't match manifest checksum ",
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                ),
            ],
        ),
    ]
}

fn others() -> Option<PathBuf> {
    let bags = Some(PathBuf::from(OTHERS)).filter(|bags| bags.is_dir());
    if bags.is_none() {
        println!("skipped: there is no {OTHERS}");
    }
    bags
}

fn conformance(bags: &Path, class: &str) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.collect()
    };
    let versions = list(&bags.join("conformance"));
    let of_class = |version: &PathBuf| list(&version.join(class));
    versions.iter().flat_map(of_class).collect()
}

fn verdict(path: &Path, choice: ProfileChoice) -> Findings {
    validate(path, &by(choice), &BytesRead::default()).expect("a readable disk")
}

fn by(profile: ProfileChoice) -> Terms {
    Terms {
        profile,
        institution: None,
    }
}

fn written(bag: &BagBuilder) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(bag.key());
    std::fs::write(&path, bag.to_tar()).expect("writes");
    (folder, path)
}
