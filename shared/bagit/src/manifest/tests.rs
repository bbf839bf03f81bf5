use proptest::prelude::*;

use super::path::{Exit, canonical, decoded, exit_of, nfc, unmarked};
use super::*;

#[test]
fn a_line_is_a_digest_blanks_and_a_path() {
    let rows = [
        ("abc  data/a", Some(("abc", "data/a"))),
        ("abc data/a", Some(("abc", "data/a"))),
        ("abc\tdata/a", Some(("abc", "data/a"))),
        ("abc \t  data/a b ", Some(("abc", "data/a b "))),
        ("  abc  data/a", Some(("abc", "data/a"))),
        ("ABC *data/a", Some(("ABC", "*data/a"))),
        ("abc  ./data/a", Some(("abc", "./data/a"))),
        ("abc  data/a\u{a0}b", Some(("abc", "data/a\u{a0}b"))),
        ("abc", None),
        ("abc  ", None),
    ];

    for (text, expected) in rows {
        let expected = match expected {
            Some((digest, path)) => format!("1 {digest}|{path}"),
            None => "1 Malformed".to_owned(),
        };
        assert_eq!(entries(&[text.as_bytes()]), [expected], "{text:?}");
    }
}

#[test]
fn empty_lines_count_but_are_no_entries() {
    assert_eq!(
        entries(&[b"\n \t\r\nabc  data/a\r\rdef  data/b"]),
        ["3 abc|data/a", "5 def|data/b"]
    );
}

#[test]
fn a_line_at_the_limit_is_read_and_one_beyond_it_is_skipped() {
    let longest = format!("abc {}", "x".repeat(LINE_BYTES_MAX - 4));
    let too_long = format!("{longest}x\nabc  data/b\n");

    assert!(entries(&[longest.as_bytes()])[0].starts_with("1 abc|xxx"));
    assert_eq!(
        entries(&[too_long.as_bytes()]),
        ["1 TooLong", "2 abc|data/b"]
    );
}

#[test]
fn a_line_that_is_not_in_the_encoding_is_a_fault() {
    assert_eq!(
        entries(&[b"abc  data/\xff\nabc  data/b\n"]),
        ["1 Undecodable", "2 abc|data/b"]
    );
}

#[test]
fn only_three_percent_codes_are_decoded() {
    let rows = [
        ("data/a%0Ab", "data/a\nb"),
        ("data/a%0ab", "data/a\nb"),
        ("data/a%0Db", "data/a\rb"),
        ("data/a%25b", "data/a%b"),
        ("data/%7Ea", "data/%7Ea"),
        ("data/%", "data/%"),
        ("data/%2", "data/%2"),
        ("data/%2525", "data/%25"),
        ("data/%é25", "data/%é25"),
        ("data/%%25", "data/%%"),
    ];

    for (path, expected) in rows {
        assert_eq!(decoded(path), expected, "{path}");
    }
}

#[test]
fn marks_are_taken_off() {
    let rows = [
        ("data/a", "data/a"),
        ("*data/a", "data/a"),
        ("./data/a", "data/a"),
        ("*././data/a", "data/a"),
        (".hidden", ".hidden"),
    ];

    for (path, expected) in rows {
        assert_eq!(unmarked(path), expected, "{path}");
    }
}

#[test]
fn paths_that_leave_the_bag_are_seen() {
    let rows = [
        ("/tmp/foo", Some(Exit::Absolute)),
        ("~/foo", Some(Exit::Home)),
        ("~root/foo", Some(Exit::Home)),
        ("../foo", Some(Exit::Up)),
        ("data/../../foo", Some(Exit::Up)),
        ("data\\..\\foo", Some(Exit::Up)),
        ("C:\\foo", Some(Exit::Drive)),
        ("c:foo", Some(Exit::Drive)),
        ("\\\\host\\foo", Some(Exit::Absolute)),
        ("%HOMEDRIVE%\\foo", Some(Exit::Variable)),
        ("%USER_PROFILE%/foo", Some(Exit::Variable)),
        ("data/~foo", None),
        ("data/..foo", None),
        ("data/a..b", None),
        ("data/a:b", None),
        ("data/100%/50%", None),
        ("%25data", None),
        ("data/a\\b", None),
    ];

    for (path, expected) in rows {
        assert_eq!(exit_of(path), expected, "{path}");
    }
}

#[test]
fn fetch_lines_are_checked_and_never_followed() {
    let rows = [
        ("http://x.test/a - data/a\r\n", 0),
        ("http://x.test/a 12 data/a b\n", 0),
        ("\nhttp://x.test/a\t12\tdata/a", 0),
        ("http://169.254.169.254/latest - data/a", 0),
        ("http://x.test/a - ../../../README.md", 1),
        ("http://x.test/a - /etc/passwd", 1),
        ("http://x.test/a - ~/x", 1),
        ("http://x.test/a twelve data/a", 1),
        ("http://x.test/a 12", 1),
        ("http://x.test/a", 1),
        ("http://x.test/\u{ff} - data/a", 0),
    ];

    for (text, expected) in rows {
        let mut findings = Findings::default();
        let mut parser = FetchParser::new(TagEncoding::UTF_8);
        parser.push(text.as_bytes(), &mut findings);
        parser.end(&mut findings);
        assert_eq!(findings.error_count(), expected, "{text:?}");
    }
}

#[test]
fn a_path_that_leaves_the_bag_on_some_system_is_named_with_its_rule() {
    let rows = [
        ("C:\\x", "it begins with a drive"),
        ("C:/x", "it begins with a drive"),
        ("%HOMEDRIVE%%HOMEPATH%/x", "it has a variable"),
        ("data\\x", "it has a backslash"),
        ("data/a\\x", "it has a backslash"),
        ("~/x", "it begins with '~'"),
        ("/etc/passwd", "it is an absolute path"),
        ("data/../../x", "it goes up by '..'"),
    ];

    for (path, rule) in rows {
        let mut findings = Findings::default();
        let mut parser = FetchParser::new(TagEncoding::UTF_8);
        parser.push(
            format!("http://x.test/a - {path}\n").as_bytes(),
            &mut findings,
        );
        parser.end(&mut findings);
        let note = findings.note();
        assert!(
            note.starts_with("Line 1 of fetch.txt names a path outside"),
            "{note}"
        );
        assert!(note.contains(path), "{note}");
        assert!(note.contains(rule), "{path}: {note}");
    }
}

#[test]
fn a_manifest_is_known_by_its_name() {
    let rows = [
        (
            "manifest-md5.txt",
            Some((Some(Algorithm::Md5), false, "md5")),
        ),
        (
            "tagmanifest-sha256.txt",
            Some((Some(Algorithm::Sha256), true, "sha256")),
        ),
        ("manifest-sha224.txt", Some((None, false, "sha224"))),
        ("manifest-SHA256.txt", Some((None, false, "SHA256"))),
        ("data/manifest-md5.txt", None),
    ];

    for (path, expected) in rows {
        let file = ManifestFile::at(path);
        let found = file
            .as_ref()
            .map(|file| (file.algorithm, file.of_tags, file.algorithm_name()));
        assert_eq!(found, expected, "{path}");
    }
}

proptest! {
    #[test]
    fn a_manifest_reads_the_same_however_it_is_cut(
        text in "([a-c \t*./\r\né]|abc  data/x\r\n){0,60}",
        cut in 0_usize..200,
    ) {
        let bytes = text.as_bytes();
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));

        prop_assert_eq!(entries(&[bytes]), entries(&[head, tail]));
    }

    /// What the join relies on: every spelling of a name falls to the name's partition.
    #[test]
    fn every_spelling_of_a_name_has_its_canonical_form(
        name in "([a-cA%0-9Dd\n\r/éÅ\u{301}\u{30a}\u{212b}]|%25|%0A|%0D){1,24}",
    ) {
        let encoded = name.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0d");
        let decomposed: String = unicode_normalization::UnicodeNormalization::nfd(&*name).collect();
        let composed = nfc(&name).into_owned();
        let spellings = [
            encoded.clone(),
            format!("*{name}"),
            format!("./{name}"),
            format!("*./{encoded}"),
            decomposed,
            composed,
        ];

        for spelling in &spellings {
            prop_assert_eq!(canonical(spelling), canonical(&name), "{:?}", spelling);
            let once = decoded(spelling);
            prop_assert_eq!(canonical(&once), canonical(&name), "{:?}", spelling);
        }
        prop_assert_eq!(decoded(&encoded), name);
    }
}

fn entries(pieces: &[&[u8]]) -> Vec<String> {
    let mut parser = ManifestParser::new(TagEncoding::UTF_8);
    let mut entries = Vec::new();
    let mut each = |entry: ManifestEntry<'_>| {
        entries.push(match entry {
            ManifestEntry::Line(line) => format!("{} {}|{}", line.number, line.digest, line.path),
            ManifestEntry::Fault { number, fault } => format!("{number} {fault:?}"),
        });
    };
    for piece in pieces {
        parser.push(piece, &mut each);
    }
    parser.end(&mut each);
    entries
}
