use muniment_digest::digest;
use muniment_model::{FindingCode, StorageOption};

use super::*;
use crate::census;
use crate::member::kind_of;
use crate::survey::BagMember;

const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const MD5_OF_A: &str = "0cc175b9c0f1b6a831c399e269772661";

#[test]
fn the_declaration_is_wanted_before_what_it_names_the_encoding_of() {
    let files = [
        ("bag-info.txt", ""),
        ("tagmanifest-md5.txt", ""),
        ("manifest-sha224.txt", ""),
        ("manifest-md5.txt", ""),
        ("fetch.txt", ""),
        ("data/a", "a"),
        ("bagit.txt", BAGIT),
    ];

    let plain = drive(&files, "none", |_| true);
    let aptrust = drive(&files, "aptrust", |_| true);

    let joined = [
        "(members)",
        "manifest-md5.txt",
        "manifest-sha224.txt",
        "tagmanifest-md5.txt",
    ];
    let whole = ["bagit.txt", "bag-info.txt", "fetch.txt"];
    assert_eq!(plain.wanted, [&whole[..], &joined[..]].concat());
    // Where fetch.txt is not allowed, its lines do not matter.
    assert_eq!(aptrust.wanted, [&whole[..2], &joined[..]].concat());
}

#[test]
fn every_part_of_a_large_bag_is_joined_with_all_members_and_all_manifests() {
    let mut received = census::empty();
    see(&mut received, "manifest-md5.txt", "");
    received.files = 1_000_000;
    let parts = 1_000_000_usize.div_ceil(131_072);

    let done = drive_bag(&received, &[("manifest-md5.txt", "")], "none", |_| true);

    let one = ["(members)", "manifest-md5.txt"];
    assert_eq!(done.wanted, one.repeat(parts));
}

#[test]
fn a_good_bag_has_a_verdict_with_its_metadata() {
    let manifest = format!("{MD5_OF_A}  data/a\n");
    let files = [
        ("bagit.txt", BAGIT),
        ("aptrust-info.txt", "Title: Papers\nAccess: Restricted\n"),
        ("manifest-md5.txt", &*manifest),
        ("data/a", "a"),
    ];

    let verdict = drive(&files, "aptrust", |_| true).verdict;

    assert_eq!(verdict.findings, Findings::default());
    let metadata = verdict.metadata.expect("is complete");
    assert_eq!(metadata.title, "Papers");
    assert_eq!(metadata.storage_option, Some(StorageOption::Standard));
}

#[test]
fn findings_come_in_the_order_of_the_steps() {
    let files = [
        ("bag-info.txt", "no tag\nPayload-Oxum: 9.9\n"),
        ("manifest-md5.txt", "nonsense\n"),
        ("fetch.txt", "nonsense\n"),
        ("data/a", "a"),
        ("bagit.txt", BAGIT),
    ];
    let mut received = received(&files);
    let early = &mut received.findings;
    early.warning(FindingCode::TarEndMissing, "", "Seen by the first reading");

    let done = drive_bag(&received, &files, "none", |_| true);

    let codes: Vec<_> = done
        .verdict
        .findings
        .iter()
        .map(|found| found.code)
        .collect();
    let expected = [
        FindingCode::TarEndMissing,
        FindingCode::TagFileInvalid,
        FindingCode::OxumDiffers,
        FindingCode::FetchInvalid,
        FindingCode::ManifestLineInvalid,
        FindingCode::FileNotInManifest,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_manifest_with_a_byte_order_mark_or_in_another_encoding_is_an_error_said_once() {
    let text = format!("{MD5_OF_A}  data/a\n");
    let wide: String = text
        .chars()
        .flat_map(|character| [character, '\0'])
        .collect();
    let marked = format!("\u{feff}{text}");
    let mark = "File manifest-md5.txt begins with a byte order mark, which BagIt does not allow";
    let other = "File manifest-md5.txt is in UTF-16LE, which is not the encoding that bagit.txt \
                 declares";

    for (manifest, expected) in [(marked, mark), (wide, other)] {
        let files = [
            ("bagit.txt", BAGIT),
            ("manifest-md5.txt", &*manifest),
            ("data/a", "a"),
        ];
        let verdict = drive(&files, "none", |_| true).verdict;
        assert_eq!(verdict.findings.note(), expected);
    }
}

/// The server keeps no bytes of such manifests; a disk does.
#[test]
fn a_manifest_of_an_unknown_algorithm_counts_only_where_its_bytes_are_kept() {
    let manifest = format!("{MD5_OF_A}  data/a\n");
    let files = [
        ("bagit.txt", BAGIT),
        ("manifest-md5.txt", &*manifest),
        ("manifest-sha224.txt", "00  data/b\n"),
        ("data/a", "a"),
    ];

    let kept = drive(&files, "none", |_| true).verdict;
    let not_kept = drive(&files, "none", |path| path != "manifest-sha224.txt").verdict;

    let notes = [kept, not_kept].map(|verdict| verdict.findings.note());
    let expected = "File test.edu/bag/data/b in manifest-sha224.txt is missing from bag; File \
                    test.edu/bag/data/a is not in manifest manifest-sha224.txt";
    assert_eq!(notes, [expected, ""]);
}

/// What the check wanted, in order, and what came of it.
struct Done {
    wanted: Vec<String>,
    verdict: Verdict,
}

fn drive(files: &[(&str, &str)], profile: &str, is_kept: fn(&str) -> bool) -> Done {
    drive_bag(&received(files), files, profile, is_kept)
}

fn drive_bag(
    received: &Received,
    files: &[(&str, &str)],
    profile: &str,
    is_kept: fn(&str) -> bool,
) -> Done {
    let facts = BagFacts {
        bag_name: "bag",
        object: "test.edu/bag",
        serialization: Serialization::Tar,
        received,
    };
    let mut check = BagCheck::new(facts, Profile::by_name(profile), JoinKey([7; 16]));
    let mut wanted = Vec::new();
    while let Some(want) = check.next_want() {
        match want {
            Want::File(mut file) => {
                wanted.push(file.path().to_owned());
                let found = files.iter().find(|(path, _)| *path == file.path());
                match found.filter(|(path, _)| is_kept(path)) {
                    Some((_, text)) => file.push(text.as_bytes()),
                    None => file.pass_over(),
                }
            }
            Want::Members(mut members) => {
                wanted.push("(members)".to_owned());
                for (path, text) in files {
                    members.add(&FileFacts {
                        path,
                        kind: kind_of(path),
                        tar_offset: 512,
                        digests: &digest(text.as_bytes()),
                    });
                }
            }
        }
    }
    let verdict = check.finish();
    Done { wanted, verdict }
}

fn received(files: &[(&str, &str)]) -> Received {
    let mut received = Received {
        folder: "bag".to_owned(),
        ..census::empty()
    };
    for (path, text) in files {
        see(&mut received, path, text);
    }
    received
}

fn see(received: &mut Received, path: &str, text: &str) {
    let kind = kind_of(path);
    census::count(received, BagMember { path, kind }, text.len() as u64, 512);
}
