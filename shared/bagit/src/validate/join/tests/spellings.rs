//! Names that a manifest writes in another way than the tar.

use super::*;

#[test]
fn a_line_finds_its_file_in_every_spelling() {
    let rows = [
        ("data/a", "data/a"),
        ("data/a", "*data/a"),
        ("data/a", "./data/a"),
        ("data/a", "*./data/a"),
        ("data/a b", "data/a b"),
        ("data/a\nb", "data/a%0Ab"),
        ("data/a\rb", "data/a%0db"),
        ("data/a%b", "data/a%25b"),
        ("data/a%b", "data/a%b"),
        ("data/%7Ea", "data/%7Ea"),
        ("data/a%25b", "data/a%25b"),
        ("data/a%25b", "data/a%2525b"),
        ("data/caf\u{e9}", "data/cafe\u{301}"),
        ("data/cafe\u{301}", "data/caf\u{e9}"),
        ("data/e\u{327}\u{301}", "data/e\u{301}\u{327}"),
        ("*data", "*data"),
    ];

    for (file, written) in rows {
        for of in 1..4 {
            let findings = joined_in(of, &[(file, 1)], &[(MD5, &line(1, written))]);
            assert_eq!(
                messages(&findings),
                [""; 0],
                "{file:?} as {written:?} in {of}"
            );
        }
    }
}

#[test]
fn an_exact_match_comes_before_a_decoded_one() {
    let files = [("data/a%25", 1), ("data/a%", 2)];
    let text = line(1, "data/a%25") + &line(2, "data/a%");

    let findings = joined(&files, &[(MD5, &text)], ListingPolicy::Every);

    assert_eq!(messages(&findings), [""; 0]);
}

#[test]
fn twins_in_unicode_are_two_files_that_only_exact_lines_find() {
    let files = [
        ("data/caf\u{e9}", 1),
        ("data/cafe\u{301}", 2),
        ("data/CAF\u{c9}", 3),
    ];
    let exact =
        line(1, "data/caf\u{e9}") + &line(2, "data/cafe\u{301}") + &line(3, "data/CAF\u{c9}");

    let findings = joined(&files, &[(MD5, &exact)], ListingPolicy::Every);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert!(findings.is_valid(), "{findings:?}");
    assert_eq!(codes, [FindingCode::MemberNamesCollide]);
}

#[test]
fn a_name_that_two_files_answer_to_means_neither() {
    let files = [("data/\u{e9}\u{e9}", 1), ("data/e\u{301}e\u{301}", 2)];
    let text = line(1, "data/\u{e9}\u{e9}")
        + &line(2, "data/e\u{301}e\u{301}")
        + &line(1, "data/\u{e9}e\u{301}");
    let findings = joined(&files, &[(MD5, &text)], ListingPolicy::Every);
    let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::FileMissing]);
}

#[test]
fn a_second_spelling_of_a_name_is_a_file_of_its_own_that_is_missing() {
    const NFC: &str = "data/\u{e9}";
    const NFD: &str = "data/e\u{301}";
    let missing =
        |path: &str| format!("File test.edu/bag/{path} in manifest-md5.txt is missing from bag");
    let displaced = |path: &str| {
        format!(
            "File test.edu/bag/{path}, as line 1 of manifest-md5.txt spells it, is missing from bag"
        )
    };
    let rows = [
        (NFC, vec![NFC, NFD], missing(NFD)),
        (NFC, vec![NFD, NFC], displaced(NFC)),
        (NFD, vec![NFD, NFC], missing(NFC)),
        (NFD, vec![NFC, NFD], displaced(NFD)),
        (
            "data/a%",
            vec!["data/a%", "data/a%25"],
            missing("data/a%25"),
        ),
        (
            "data/a%",
            vec!["data/a%25", "data/a%"],
            displaced("data/a%"),
        ),
        (
            "data/\u{e9}\u{e9}",
            vec!["data/\u{e9}e\u{301}", "data/e\u{301}\u{e9}"],
            missing("data/e\u{301}\u{e9}"),
        ),
    ];

    for (file, written, expected) in rows {
        let text: String = written.iter().map(|path| line(1, path)).collect();
        for of in 1..4 {
            let findings = joined_in(of, &[(file, 1)], &[(MD5, &text)]);
            let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
            assert_eq!(codes, [FindingCode::FileMissing], "{written:?} in {of}");
            assert_eq!(messages(&findings), [&*expected], "{written:?} in {of}");
        }
    }
}

#[test]
fn one_other_spelling_is_listed_once_in_each_manifest_or_twice() {
    const NFD: &str = "data/e\u{301}";
    let sha_line = |path: &str| format!("{}  {path}\n", "01".repeat(32));
    let rows = [
        (line(1, NFD), 0),
        (line(1, NFD) + &line(1, &format!("*{NFD}")), 1),
    ];

    for (md5, warnings) in rows {
        let findings = joined(
            &[("data/\u{e9}", 1)],
            &[(MD5, &md5), (SHA256, &sha_line("data/\u{e9}"))],
            ListingPolicy::Every,
        );
        assert!(findings.is_valid(), "{findings:?}");
        assert_eq!(findings.warnings().count(), warnings);
    }
}
