use muniment_model::Crc64Nvme;
use proptest::prelude::*;

use super::*;
use crate::validate::table::FILE_BYTES;

mod folders;
mod spellings;

const KEY: JoinKey = JoinKey([7; 16]);
const MD5: &str = "manifest-md5.txt";
const SHA256: &str = "manifest-sha256.txt";
const TAGS: &str = "tagmanifest-md5.txt";

#[test]
fn the_messages_are_the_contracts() {
    let rows: [(&str, String, &[&str]); 6] = [
        ("listed and right", line(1, "data/a"), &[]),
        (
            "not in the bag",
            line(1, "data/a") + &line(9, "data/b"),
            &["File test.edu/bag/data/b in manifest-md5.txt is missing from bag"],
        ),
        (
            "not listed",
            String::new(),
            &["File test.edu/bag/data/a is not in manifest manifest-md5.txt"],
        ),
        (
            "another digest",
            line(2, "data/a"),
            &[
                "File test.edu/bag/data/a: ingest md5 checksum 01010101010101010101010101010101 doesn't \
               match manifest checksum 02020202020202020202020202020202",
            ],
        ),
        (
            "no digest, but as long as one",
            "44d85cf4810d6c6fe877BlahBlahBlah  data/a\n".to_owned(),
            &[
                "File test.edu/bag/data/a: ingest md5 checksum 01010101010101010101010101010101 doesn't \
               match manifest checksum 44d85cf4810d6c6fe877BlahBlahBlah",
            ],
        ),
        (
            "a digest of the wrong length",
            "\n0101  data/a\n".to_owned(),
            &["Line 2 of manifest-md5.txt: the checksum of data/a has 4 characters, md5 has 32"],
        ),
    ];

    for (name, text, expected) in rows {
        let findings = joined(&[("data/a", 1)], &[(MD5, &text)], ListingPolicy::Every);
        assert_eq!(messages(&findings), expected, "{name}");
        assert_eq!(findings.is_valid(), expected.is_empty(), "{name}");
    }
}

#[test]
fn a_path_outside_the_bag_is_named_as_such() {
    let rows = [
        ("/tmp/foo", "it is an absolute path"),
        ("~/foo", "it begins with '~', a home folder"),
        ("~root/foo", "it begins with '~', a home folder"),
        ("../../x", "it goes up by '..'"),
        ("data/../../x", "it goes up by '..'"),
        ("C:\\x", "it begins with a drive"),
        ("%25/../x", "it goes up by '..'"),
    ];

    for (path, rule) in rows {
        let text = line(1, "data/a") + &line(1, path);
        let findings = joined(&[("data/a", 1)], &[(MD5, &text)], ListingPolicy::Every);
        let expected =
            format!("Line 2 of manifest-md5.txt names a path outside the bag: {path} ({rule})");
        assert_eq!(messages(&findings), [expected], "{path}");
    }
    let findings = joined(
        &[("~odd.txt", 1)],
        &[(TAGS, &line(1, "~odd.txt"))],
        ListingPolicy::Every,
    );
    assert_eq!(messages(&findings), [""; 0], "a tag file may be called so");
}

#[test]
fn a_file_listed_twice_is_an_error_when_the_digests_differ() {
    let rows = [
        ("same", line(1, "data/a") + &line(1, "./data/a"), 0, 1),
        (
            "same, upper case",
            line(0xab, "data/a")
                + &line(0xab, "data/a")
                    .to_uppercase()
                    .replace("DATA/A", "data/a"),
            0,
            1,
        ),
        (
            "right, then wrong",
            line(1, "data/a") + &line(2, "data/a"),
            2,
            0,
        ),
        (
            "wrong, then right",
            line(2, "data/a") + &line(1, "data/a"),
            2,
            0,
        ),
    ];

    for (name, text, errors, warnings) in rows {
        let seed = if text.starts_with("ab") { 0xab } else { 1 };
        let findings = joined(&[("data/a", seed)], &[(MD5, &text)], ListingPolicy::Every);
        assert_eq!(findings.error_count(), errors, "{name} {findings:?}");
        assert_eq!(findings.warnings().count(), warnings, "{name}");
    }
}

#[test]
fn payload_files_are_in_every_payload_manifest_and_manifests_in_every_tag_manifest() {
    let files = [
        ("data/a", 1),
        ("data/b", 1),
        ("notes.txt", 1),
        (MD5, 1),
        (SHA256, 1),
        (TAGS, 1),
        ("bagit.txt", 1),
    ];
    let sha_line = |path: &str| format!("{}  {path}\n", "01".repeat(32));
    let md5 = line(1, "data/a") + &line(1, "data/b");
    let sha256 = sha_line("data/a");
    let tags = line(1, MD5);
    let manifests = [(MD5, &*md5), (SHA256, &*sha256), (TAGS, &*tags)];

    let strict = joined(&files, &manifests, ListingPolicy::Every);
    assert_eq!(
        messages(&strict),
        [
            "File test.edu/bag/data/b is not in manifest manifest-sha256.txt",
            "File test.edu/bag/manifest-sha256.txt is not in manifest tagmanifest-md5.txt",
        ]
    );
    let before_1_0 = joined(&files, &manifests, ListingPolicy::One);
    assert_eq!(messages(&before_1_0), [""; 0]);
    let depositors = joined(&files, &manifests, ListingPolicy::EveryPayload);
    assert_eq!(messages(&depositors), messages(&strict));
    let warned: Vec<_> = depositors.warnings().map(|found| &*found.path).collect();
    assert_eq!(warned, [SHA256]);
    let in_none = joined(&files, &[(MD5, ""), (SHA256, &sha256)], ListingPolicy::One);
    assert_eq!(
        messages(&in_none),
        ["File test.edu/bag/data/b is not in manifest manifest-md5.txt"]
    );
}

#[test]
fn tag_manifests_of_every_algorithm_are_checked() {
    let text = format!("{}  notes.txt\n", "02".repeat(64));

    let findings = joined(
        &[("data/a", 1), ("notes.txt", 1)],
        &[(MD5, &line(1, "data/a")), ("tagmanifest-sha512.txt", &text)],
        ListingPolicy::Every,
    );

    let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::DigestDiffers]);
}

#[test]
fn manifests_may_list_manifests_but_not_vouch_for_themselves() {
    let files = [("data/a", 1), (MD5, 3), (TAGS, 4)];
    let md5 = line(1, "data/a") + &line(9, MD5) + &line(4, TAGS);
    let tags = line(3, MD5) + &line(9, TAGS);

    let findings = joined(&files, &[(MD5, &md5), (TAGS, &tags)], ListingPolicy::One);

    assert!(findings.is_valid(), "{findings:?}");
    assert_eq!(
        messages(&findings),
        [
            "Manifest manifest-md5.txt lists itself; that line is not checked",
            "Manifest tagmanifest-md5.txt lists itself; that line is not checked",
        ]
    );
}

#[test]
fn a_manifest_of_an_unknown_algorithm_still_says_which_files_there_are() {
    let text = "00  data/a\n00  data/c\n";

    let findings = joined(
        &[("data/a", 1), ("data/b", 1)],
        &[("manifest-sha224.txt", text)],
        ListingPolicy::One,
    );

    assert_eq!(
        messages(&findings),
        [
            "File test.edu/bag/data/c in manifest-sha224.txt is missing from bag",
            "File test.edu/bag/data/b is not in manifest manifest-sha224.txt",
        ]
    );
}

#[test]
fn a_manifest_of_an_unknown_algorithm_that_is_not_read_says_nothing() {
    for policy in [ListingPolicy::Every, ListingPolicy::One] {
        let manifests = [MD5, "manifest-sha224.txt", "tagmanifest-sha224.txt"];
        let known: Vec<_> = manifests
            .iter()
            .filter_map(|path| ManifestFile::at(path))
            .collect();
        let partition = Partition {
            index: 0,
            of: 1,
            files_expected: 2,
        };
        let mut findings = Findings::default();
        let mut join = ManifestJoin::new("test.edu/bag", policy, &known, partition, KEY);
        put(&mut join, "data/a", 1, &mut findings);
        put(&mut join, MD5, 1, &mut findings);

        let mut reading = join.manifest(&known[0], TagEncoding::UTF_8);
        reading.push(&mut join, line(1, "data/a").as_bytes(), &mut findings);
        reading.end(&mut join, &mut findings);
        join.finish(&mut findings);

        assert_eq!(messages(&findings), [""; 0], "{policy:?}");
    }
}

#[test]
fn manifests_that_cannot_be_checked_do_not_crowd_out_the_others() {
    let unknown: Vec<_> = (0..40).map(|n| format!("manifest-a{n:02}.txt")).collect();
    let mut manifests: Vec<_> = unknown.iter().map(|path| (path.as_str(), "")).collect();
    manifests.push((MD5, ""));

    let findings = joined(&[("data/a", 1)], &manifests, ListingPolicy::One);

    assert_eq!(
        messages(&findings),
        ["File test.edu/bag/data/a is not in manifest manifest-md5.txt"]
    );
}

#[test]
fn a_member_twice_is_redundant_or_an_error() {
    let mut findings = Findings::default();
    let mut join = join_of(&[MD5], 1, 10);

    let placed = [("data/a", 1), ("data/b", 1), ("data/a", 1), ("data/b", 2)]
        .map(|(path, seed)| put(&mut join, path, seed, &mut findings));

    assert_eq!(
        placed,
        [
            Placed::New,
            Placed::New,
            Placed::Repeated,
            Placed::Conflicting
        ]
    );
    assert_eq!(
        messages(&findings),
        [
            "File data/a is in the bag twice, with the same content",
            "File data/b is in the bag twice, with different content",
        ]
    );
    assert_eq!(findings.error_count(), 1);
}

#[test]
fn partitions_stay_within_the_budget_and_cover_every_file() {
    let rows = [
        (0, 1),
        (1, 1),
        (2_000, 1),
        (2_048, 1),
        (2_049, 2),
        (1_000_000, 489),
    ];

    for (files, expected) in rows {
        let parts: Vec<_> = Partition::plan(files, 1024 * 1024).collect();
        assert_eq!(parts.len(), expected, "{files} files");
    }
    let paths: Vec<_> = (0..1_000).map(|n| format!("data/{n}")).collect();
    let parts: Vec<_> = Partition::plan(1_000, 100 * FILE_BYTES).collect();
    for path in &paths {
        assert_eq!(
            parts.iter().filter(|part| part.holds(path)).count(),
            1,
            "{path}"
        );
    }
}

#[test]
fn names_made_to_fall_together_are_refused_and_not_kept() {
    let mut findings = Findings::default();
    let mut join = join_of(&[MD5], 1, 0);

    // All of them read alike once percent-decoding is undone.
    for n in 0..2_000 {
        put(
            &mut join,
            &format!("data/%{}", "25".repeat(n)),
            1,
            &mut findings,
        );
    }

    assert_eq!(findings.error_count(), 1);
    assert!(join.files.entries().len() <= 1_024);
}

/// A text file must not hold a worker for days: each line once cost the original 0.75 s. How long it takes
/// is measured by the bench (`phantoms`).
#[test]
fn z9_a_million_lines_for_files_that_are_not_there_are_counted_and_take_no_memory() {
    let mut findings = Findings::default();
    let mut join = join_of(&[MD5], 1, 1);
    put(&mut join, "data/a", 1, &mut findings);

    let file = ManifestFile::at(MD5).expect("a manifest");
    let mut reading = join.manifest(&file, TagEncoding::UTF_8);
    for thousand in 0..1_000 {
        let lines: String = (0..1_000)
            .map(|n| line(1, &format!("data/phantom-{thousand}-{n}")))
            .collect();
        reading.push(&mut join, lines.as_bytes(), &mut findings);
    }
    reading.end(&mut join, &mut findings);
    let entries = join.files.entries().len();
    join.finish(&mut findings);

    assert_eq!(findings.error_count(), 1_000_001);
    assert_eq!(entries, 1);
}

proptest! {
    #[test]
    fn partitions_and_keys_change_nothing_but_the_order(
        files in proptest::collection::vec(("data/[a-c%25é]{1,3}", 1_u8..3), 0..12),
        lines in proptest::collection::vec(("[*.]?/?data/[a-c%25é]{1,3}", 1_u8..3), 0..16),
        of in 2_u32..5,
    ) {
        let files: Vec<_> = files.iter().map(|(path, seed)| (path.as_str(), *seed)).collect();
        let text: String = lines.iter().map(|(path, seed)| line(*seed, path)).collect();

        let mut whole = messages(&joined_in(1, &files, &[(MD5, &text)]));
        let mut parts = messages(&joined_in(of, &files, &[(MD5, &text)]));
        let again = messages(&joined_in(of, &files, &[(MD5, &text)]));

        prop_assert_eq!(&parts, &again);
        whole.sort();
        parts.sort();
        prop_assert_eq!(whole, parts);
    }
}

fn joined(files: &[(&str, u8)], manifests: &[(&str, &str)], policy: ListingPolicy) -> Findings {
    join_all(1, files, manifests, policy)
}

fn joined_in(of: u32, files: &[(&str, u8)], manifests: &[(&str, &str)]) -> Findings {
    join_all(of, files, manifests, ListingPolicy::Every)
}

fn join_all(
    of: u32,
    files: &[(&str, u8)],
    manifests: &[(&str, &str)],
    policy: ListingPolicy,
) -> Findings {
    let mut findings = Findings::default();
    let known: Vec<_> = manifests
        .iter()
        .map(|(path, _)| ManifestFile::at(path).expect("a manifest"))
        .collect();
    for index in 0..of {
        let partition = Partition {
            index,
            of,
            files_expected: files.len(),
        };
        let mut join = ManifestJoin::new("test.edu/bag", policy, &known, partition, KEY);
        for (path, seed) in files {
            put(&mut join, path, *seed, &mut findings);
        }
        for (file, (_, text)) in known.iter().zip(manifests) {
            let mut reading = join.manifest(file, TagEncoding::UTF_8);
            reading.push(&mut join, text.as_bytes(), &mut findings);
            reading.end(&mut join, &mut findings);
        }
        join.finish(&mut findings);
    }
    findings
}

fn join_of(manifests: &[&str], of: u32, files_expected: usize) -> ManifestJoin {
    let known: Vec<_> = manifests
        .iter()
        .filter_map(|path| ManifestFile::at(path))
        .collect();
    let partition = Partition {
        index: 0,
        of,
        files_expected,
    };
    ManifestJoin::new("test.edu/bag", ListingPolicy::Every, &known, partition, KEY)
}

/// A file all of whose digests consist of the byte `seed`.
fn put(join: &mut ManifestJoin, path: &str, seed: u8, findings: &mut Findings) -> Placed {
    let digests = Digests {
        md5: [seed; 16],
        sha1: [seed; 20],
        sha256: [seed; 32],
        sha512: [seed; 64],
        crc64nvme: Crc64Nvme(u64::from(seed)),
    };
    let facts = FileFacts {
        path,
        kind: crate::member::kind_of(path),
        tar_offset: 512,
        digests: &digests,
    };
    join.file(&facts, findings)
}

fn line(seed: u8, path: &str) -> String {
    format!("{}  {path}\n", format!("{seed:02x}").repeat(16))
}

fn messages(findings: &Findings) -> Vec<String> {
    findings
        .iter()
        .map(|finding| finding.message.clone())
        .collect()
}
