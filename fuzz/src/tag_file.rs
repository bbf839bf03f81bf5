//! Target: tag files, in any encoding that `bagit.txt` may declare.
//!
//! The first byte of the input chooses the encoding ([`crate::seeds::ENCODINGS`]), the rest is the file.

use std::fmt::Write;

use muniment_bagit::tag_file::{
    BAG_INFO, DECLARATION, TAGS_MAX, TagEncoding, TagFile, TagFileParser, TagFiles, VALUE_BYTES_MAX,
};
use muniment_model::Findings;

use crate::cut::{Cut, OTHERS};
use crate::encoding_and_text;

pub(crate) fn check(input: &[u8]) {
    let (encoding, text) = encoding_and_text(input);
    for path in [DECLARATION, BAG_INFO] {
        let read = |cut: Cut| read(path, encoding, &cut.pieces(text));
        let said = read(Cut::Whole);
        for cut in OTHERS {
            assert_eq!(read(cut), said, "{path} cut {cut:?}");
        }
        check_tags(&said.0);
        check_written_again(&said.0);
        check_declaration(said.0);
    }
}

pub(crate) fn parse(input: &[u8]) {
    let (encoding, text) = encoding_and_text(input);
    drop(read(BAG_INFO, encoding, &Cut::Every(1023).pieces(text)));
}

fn check_tags(file: &TagFile) {
    assert!(file.tags.len() <= TAGS_MAX);
    for tag in &file.tags {
        let (label, value) = (&tag.label, &tag.value);
        assert!(!label.is_empty() && !label.contains(':'), "{tag:?}");
        assert_eq!(label, label.trim(), "{tag:?}");
        assert_eq!(value, value.trim(), "{tag:?}");
        assert!(value.len() <= VALUE_BYTES_MAX, "{tag:?}");
        assert!(!label.contains(['\r', '\n']) && !value.contains(['\r', '\n']));
        assert_eq!(
            file.all(label).filter(|other| other == &tag).count().min(1),
            1
        );
    }
}

/// The tags, written in the plain form in UTF-8, are the same tags, and nothing about them is odd.
fn check_written_again(file: &TagFile) {
    // Its first bytes could be taken for those of another encoding.
    let mut text = String::from("First: line\n");
    for tag in &file.tags {
        // Such a line is cut, and said to be.
        if tag.label.len() + tag.value.len() + 2 > VALUE_BYTES_MAX {
            return;
        }
        let written = writeln!(text, "{}: {}", tag.label, tag.value);
        assert!(written.is_ok());
    }
    if file.tags.len() == TAGS_MAX {
        return;
    }
    let (again, findings) = read(BAG_INFO, TagEncoding::UTF_8, &[text.as_bytes()]);
    assert_eq!(again.tags.get(1..), Some(file.tags.as_slice()));
    assert!(again.is_plain, "{text:?}");
    assert_eq!(findings.iter().count(), 0, "{findings:?}");
}

/// Whatever a declaration says, there is an encoding to read the others in.
fn check_declaration(file: TagFile) {
    let mut files = TagFiles::default();
    files.add(file);
    let encoding = files.encoding();
    match files.declared_encoding().and_then(TagEncoding::for_label) {
        Some(declared) => assert_eq!(encoding, declared),
        None => assert_eq!(encoding, TagEncoding::UTF_8),
    }
    assert!(files.version().is_none_or(|version| !version.is_empty()));
}

fn read(path: &str, encoding: TagEncoding, pieces: &[&[u8]]) -> (TagFile, Findings) {
    let mut findings = Findings::default();
    let mut parser = TagFileParser::new(path, encoding);
    for piece in pieces {
        parser.push(piece, &mut findings);
    }
    (parser.end(&mut findings), findings)
}
