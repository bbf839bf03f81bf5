use muniment_model::FindingCode;
use proptest::prelude::*;

use super::*;

#[test]
fn lines_end_in_lf_crlf_or_cr() {
    let rows: [(&str, &[&str]); 8] = [
        ("a\nb\n", &["a", "b"]),
        ("a\r\nb\r\n", &["a", "b"]),
        ("a\rb\r", &["a", "b"]),
        ("a\n\rb", &["a", "", "b"]),
        ("a\r\rb", &["a", "", "b"]),
        ("a\r\n\r\nb", &["a", "", "b"]),
        ("a", &["a"]),
        ("", &[]),
    ];

    for (text, expected) in rows {
        let lines = lines_of(&[text.as_bytes()], TagEncoding::UTF_8, 100);
        let texts: Vec<_> = lines.iter().map(|(_, line, _)| line.as_str()).collect();
        assert_eq!(texts, expected, "{text:?}");
    }
}

#[test]
fn text_is_read_in_the_declared_encoding() {
    let big_marked = utf_16(u16::to_be_bytes, "\u{feff}Name: Émile\nx");
    let little_marked = utf_16(u16::to_le_bytes, "\u{feff}Name: Émile\nx");
    let big = utf_16(u16::to_be_bytes, "Name: Émile\nx");
    let little = utf_16(u16::to_le_bytes, "Name: Émile\nx");
    let rows: [(&str, &[u8]); 10] = [
        ("UTF-8", "Name: Émile\nx".as_bytes()),
        ("utf-8", "\u{feff}Name: Émile\nx".as_bytes()),
        (" UTF-16 ", &big_marked),
        ("UTF-16", &little_marked),
        ("UTF-16", &big),
        ("UTF-16", &little),
        ("UTF-16BE", &big),
        ("UTF-16LE", &little),
        ("ISO-8859-1", b"Name: \xc9mile\nx"),
        ("windows-1252", b"Name: \xc9mile\nx"),
    ];

    for (label, bytes) in rows {
        let encoding = TagEncoding::for_label(label).expect("a known encoding");
        let lines = lines_of(&[bytes], encoding, 100);
        let texts: Vec<_> = lines.iter().map(|(_, line, _)| line.as_str()).collect();
        assert_eq!(texts, ["Name: Émile", "x"], "{label} {bytes:?}");
    }
}

#[test]
fn an_encoding_we_do_not_know_has_no_decoder() {
    for label in ["Klingon", "", "UTF-32", "replacement", "hz-gb-2312"] {
        assert_eq!(TagEncoding::for_label(label), None, "{label}");
    }
}

#[test]
fn a_line_is_kept_up_to_its_limit_and_no_further() {
    let rows = [
        ("12345678\nx", "12345678", None),
        ("123456789\nx", "12345678", Some(LineFault::TooLong)),
        // A character is not cut in two.
        ("1234567é\nx", "1234567", Some(LineFault::TooLong)),
    ];

    for (text, expected, fault) in rows {
        for cut in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            let lines = lines_of(&[head, tail], TagEncoding::UTF_8, 8);
            assert_eq!(
                lines[0],
                (1, expected.to_owned(), fault),
                "{text} cut at {cut}"
            );
            assert_eq!(lines[1], (2, "x".to_owned(), None), "{text} cut at {cut}");
        }
    }
}

#[test]
fn bytes_that_mean_nothing_spoil_their_own_line_only() {
    let lines = lines_of(&[b"a\nb\xffc\nd\n\xc3"], TagEncoding::UTF_8, 100);

    assert_eq!(
        lines,
        [
            (1, "a".to_owned(), None),
            (2, "b\u{fffd}c".to_owned(), Some(LineFault::Undecodable)),
            (3, "d".to_owned(), None),
            (4, "\u{fffd}".to_owned(), Some(LineFault::Undecodable)),
        ]
    );
}

#[test]
fn z9_a_gigabyte_without_a_line_end_holds_one_line() {
    let mut reader = LineReader::new(TagEncoding::UTF_8, 64);
    let megabyte = vec![b'x'; 1024 * 1024];
    let mut lines = 0;

    for _ in 0..1024 {
        reader.push(&megabyte, &mut |_| lines += 1);
    }
    reader.end(&mut |line| {
        assert_eq!(line.fault, Some(LineFault::TooLong));
        lines += 1;
    });

    assert_eq!(lines, 1);
}

#[test]
fn tags_are_read_in_every_usual_form() {
    let rows: [(&str, &[(&str, &str)]); 9] = [
        ("Title: A bag\n", &[("Title", "A bag")]),
        ("Title:A bag", &[("Title", "A bag")]),
        ("Title    :   A bag  \r\n", &[("Title", "A bag")]),
        ("Title:\tA bag", &[("Title", "A bag")]),
        ("Title:\nAccess: \n", &[("Title", ""), ("Access", "")]),
        ("URL: http://x.test/a:b", &[("URL", "http://x.test/a:b")]),
        (
            "A: one\n  two\n\tthree\nB: x",
            &[("A", "one two three"), ("B", "x")],
        ),
        ("A: 1\nA: 2\na: 1", &[("A", "1"), ("A", "2"), ("a", "1")]),
        ("A: 1\n\n   \nB: 2", &[("A", "1"), ("B", "2")]),
    ];

    for (text, expected) in rows {
        let (file, findings) = parsed("bag-info.txt", &[text.as_bytes()]);
        let tags: Vec<_> = file.tags.iter().map(pair).collect();
        assert_eq!(tags, expected, "{text:?}");
        assert_eq!(findings.iter().count(), 0, "{text:?}");
    }
}

/// Such a value used to begin with a blank, so that it was none of those that a profile allows.
#[test]
fn a_value_that_begins_on_the_next_line_or_is_cut_has_no_blanks_at_its_edges() {
    let filled = "v".repeat(VALUE_BYTES_MAX - 3);
    let rows = [
        (
            "Access:\n  Institution\n".to_owned(),
            "Institution".to_owned(),
        ),
        ("A: \n\tone\n two\n".to_owned(), "one two".to_owned()),
        (format!("A:\n{filled}\n"), String::new()),
        (format!("A:\n {filled}\n a b\n"), format!("{filled} a")),
        (format!("A:\n {filled}a\n b\n"), format!("{filled}a b")),
        (format!("A:\n {filled}ab\n c\n"), format!("{filled}ab")),
    ];

    for (text, expected) in rows {
        let (file, _) = parsed("aptrust-info.txt", &[text.as_bytes()]);
        assert!(
            file.tags[0].value == expected,
            "{:.40}",
            text.escape_debug().to_string()
        );
    }
}

#[test]
fn what_is_no_tag_is_a_warning_and_drops_its_continuation() {
    let rows = [
        "no colon here\n  and more\nA: 1",
        ": no label\nA: 1",
        "  nothing to continue\n  still nothing\nA: 1",
    ];

    for text in rows {
        let (file, findings) = parsed("bag-info.txt", &[text.as_bytes()]);
        assert_eq!(
            file.tags.iter().map(pair).collect::<Vec<_>>(),
            [("A", "1")],
            "{text}"
        );
        let codes: Vec<_> = findings.warnings().map(|finding| finding.code).collect();
        assert_eq!(codes, [FindingCode::TagFileInvalid], "{text}");
        assert!(findings.is_valid(), "{text}");
    }
}

#[test]
fn only_the_exact_form_is_plain() {
    let rows = [
        ("A: 1\nB: 2\n", true),
        ("A: 1\r\nB: 2", true),
        ("A:1\n", false),
        ("A : 1\n", false),
        ("A:  1\n", false),
        ("A: 1 \n", false),
        ("A: 1\n\n", false),
        ("A: 1\n 2\n", false),
        ("A\n", false),
    ];

    for (text, expected) in rows {
        let (file, _) = parsed("bagit.txt", &[text.as_bytes()]);
        assert_eq!(file.is_plain, expected, "{text:?}");
    }
}

#[test]
fn z13_a_hundred_thousand_continuation_lines_make_one_bounded_value() {
    let text = format!("A: start\n{}B: 2\n", "  more and more\n".repeat(100_000));

    let (file, findings) = parsed("bag-info.txt", &[text.as_bytes()]);

    assert_eq!(file.tags.len(), 2);
    assert!(file.tags[0].value.len() <= VALUE_BYTES_MAX);
    assert_eq!(file.tags[1].value, "2");
    assert_eq!(findings.warnings().count(), 1);
}

#[test]
fn a_tag_file_beyond_its_limits_is_an_error_said_once() {
    let line = "Label: value\n";
    let rows = [
        ("tags", line.repeat(TAGS_MAX), 0),
        ("tags", line.repeat(TAGS_MAX + 1), 1),
        ("bytes", " ".repeat(16 * 1024 * 1024), 0),
        ("bytes", " ".repeat(16 * 1024 * 1024 + 1), 1),
    ];

    for (what, text, expected) in rows {
        let pieces: Vec<_> = text.as_bytes().chunks(1000).collect();
        let (file, findings) = parsed("bag-info.txt", &pieces);
        assert_eq!(findings.error_count(), expected, "{what} {}", text.len());
        assert!(file.tags.len() <= TAGS_MAX);
        let is_right =
            |finding: &muniment_model::Finding| finding.code == FindingCode::TagFileTooLarge;
        assert!(findings.errors().all(is_right), "{what} {}", text.len());
    }
}

#[test]
fn bytes_that_mean_nothing_are_an_error_and_not_a_recorded_value() {
    for bytes in [
        &b"Title: caf\xe9\n"[..],
        b"Title: a\n  caf\xe9",
        b"Ti\xfftle: a\n",
    ] {
        let (_, findings) = parsed("aptrust-info.txt", &[bytes]);
        let codes: Vec<_> = findings.errors().map(|finding| finding.code).collect();
        assert_eq!(codes, [FindingCode::TagFileInvalid], "{bytes:?}");
    }
}

#[test]
fn what_is_not_in_the_encoding_that_is_declared_is_named_once() {
    let little = utf_16(u16::to_le_bytes, "Name: Émile\nB: 2\n");
    let marked = utf_16(u16::to_be_bytes, "\u{feff}Name: Émile\nB: 2\n");
    let with_mark = "\u{feff}Name: Émile\nB: 2\n".as_bytes();
    let error = |code| (1, 0, Some(code));
    let differs = error(FindingCode::EncodingDiffers);
    let rows: [(&str, &str, &[u8], _); 9] = [
        ("bagit.txt", "UTF-8", with_mark, differs),
        ("bagit.txt", "UTF-8", &little, differs),
        ("bagit.txt", "UTF-16", &marked, differs),
        ("bag-info.txt", "UTF-8", &little, differs),
        ("bag-info.txt", "UTF-8", &marked, differs),
        ("bag-info.txt", "ISO-8859-1", &marked, differs),
        ("bag-info.txt", "UTF-16LE", &marked, differs),
        (
            "bag-info.txt",
            "UTF-8",
            with_mark,
            (0, 1, Some(FindingCode::TagFileInvalid)),
        ),
        ("bag-info.txt", "UTF-16", &marked, (0, 0, None)),
    ];

    for (path, label, bytes, expected) in rows {
        let encoding = TagEncoding::for_label(label).expect("known");
        let mut findings = Findings::default();
        let mut parser = TagFileParser::new(path, encoding);
        parser.push(bytes, &mut findings);
        let file = parser.end(&mut findings);
        let code = findings.iter().next().map(|finding| finding.code);
        let counts = (findings.error_count(), findings.warnings().count(), code);
        assert_eq!(counts, expected, "{path} {label} {bytes:?}");
        // Read as what it is: there is not one finding for each line.
        assert_eq!(file.tags.len(), 2, "{path} {label}");
    }
}

#[test]
fn the_declaration_is_utf_8_whatever_it_declares() {
    let text = "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-16\n";
    let encoding = TagEncoding::for_label("UTF-16").expect("known");
    let mut findings = Findings::default();

    let mut parser = TagFileParser::new(DECLARATION, encoding);
    parser.push(text.as_bytes(), &mut findings);
    let mut tags = TagFiles::default();
    tags.add(parser.end(&mut findings));

    assert_eq!(tags.version(), Some("0.97"));
    assert_eq!(tags.encoding(), encoding);
}

#[test]
fn package_info_replaces_bag_info_in_old_bags_only() {
    let rows = [
        ("0.93", true),
        ("0.95", true),
        ("0.96", false),
        ("1.0", false),
    ];

    for (version, expected) in rows {
        let mut tags = TagFiles::default();
        tags.add(
            parsed(
                DECLARATION,
                &[format!("BagIt-Version: {version}\n").as_bytes()],
            )
            .0,
        );
        tags.add(parsed(PACKAGE_INFO, &[b"Source-Organization: A\n"]).0);
        let found = tags.value(BAG_INFO, "source-organization").is_some();
        assert_eq!(found, expected, "{version}");
    }
}

proptest! {
    #[test]
    fn a_tag_file_reads_the_same_however_it_is_cut(
        text in "([A-Ca-c: \t\r\n\u{feff}é\u{1f4e6}]|Label: value\r\n){0,60}",
        spoilt in proptest::option::of(0_usize..60),
        cuts in proptest::collection::vec(0_usize..200, 0..6),
        label in prop_oneof!["UTF-8", "UTF-16", "ISO-8859-1", "Shift_JIS"],
    ) {
        let mut bytes = text.into_bytes();
        if let Some(at) = spoilt && at < bytes.len() {
            bytes[at] = 0xff;
        }
        let encoding = TagEncoding::for_label(&label).expect("known");

        let whole = parsed_in(encoding, &[&bytes]);
        let cut = parsed_in(encoding, &pieces(&bytes, cuts));

        prop_assert_eq!(whole, cut);
    }
}

fn lines_of(
    pieces: &[&[u8]],
    encoding: TagEncoding,
    line_bytes_max: usize,
) -> Vec<(u64, String, Option<LineFault>)> {
    let mut reader = LineReader::new(encoding, line_bytes_max);
    let mut lines = Vec::new();
    let mut each = |line: Line<'_>| lines.push((line.number, line.text.to_owned(), line.fault));
    for piece in pieces {
        reader.push(piece, &mut each);
    }
    reader.end(&mut each);
    lines
}

fn parsed(path: &str, pieces: &[&[u8]]) -> (TagFile, Findings) {
    let mut findings = Findings::default();
    let mut parser = TagFileParser::new(path, TagEncoding::UTF_8);
    for piece in pieces {
        parser.push(piece, &mut findings);
    }
    (parser.end(&mut findings), findings)
}

fn parsed_in(encoding: TagEncoding, pieces: &[&[u8]]) -> (TagFile, Findings) {
    let mut findings = Findings::default();
    let mut parser = TagFileParser::new("x.txt", encoding);
    for piece in pieces {
        parser.push(piece, &mut findings);
    }
    (parser.end(&mut findings), findings)
}

fn pieces(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let (mut rest, mut done) = (bytes, 0);
    for cut in cuts {
        let (head, tail) = rest.split_at((cut - done).min(rest.len()));
        pieces.push(head);
        done += head.len();
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    pieces.push(rest);
    pieces
}

fn pair(tag: &Tag) -> (&str, &str) {
    (&tag.label, &tag.value)
}

fn utf_16(order: fn(u16) -> [u8; 2], text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}
