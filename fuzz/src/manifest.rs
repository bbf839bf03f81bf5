//! Target: manifests and `fetch.txt`, in any encoding that `bagit.txt` may declare.
//!
//! The first byte of the input chooses the encoding ([`crate::seeds::ENCODINGS`]), the rest is the file.

use muniment_bagit::manifest::{
    FetchParser, LINE_BYTES_MAX, ManifestEntry, ManifestFault, ManifestLine, ManifestParser,
};
use muniment_bagit::tag_file::{Oddity, TagEncoding};
use muniment_model::Findings;

use crate::cut::{Cut, OTHERS};
use crate::encoding_and_text;

/// What a manifest said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    entries: Vec<Entry>,
    oddity: Option<Oddity>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Line {
        number: u64,
        digest: String,
        path: String,
    },
    Fault {
        number: u64,
        fault: ManifestFault,
    },
}

pub(crate) fn check(input: &[u8]) {
    let (encoding, text) = encoding_and_text(input);
    let said = read(encoding, &Cut::Whole.pieces(text));
    let fetched = fetch(encoding, &Cut::Whole.pieces(text));
    for cut in OTHERS {
        let pieces = cut.pieces(text);
        assert_eq!(read(encoding, &pieces), said, "cut {cut:?}");
        assert_eq!(fetch(encoding, &pieces), fetched, "cut {cut:?}");
    }
    check_entries(&said.entries);
    check_written_again(&said.entries);
}

pub(crate) fn parse(input: &[u8]) {
    let (encoding, text) = encoding_and_text(input);
    let mut parser = ManifestParser::new(encoding);
    for piece in Cut::Every(1023).pieces(text) {
        parser.push(piece, &mut |_| {});
    }
    parser.end(&mut |_| {});
}

fn check_entries(entries: &[Entry]) {
    let mut last = 0;
    let mut findings = Findings::default();
    for entry in entries {
        let (Entry::Line { number: at, .. } | Entry::Fault { number: at, .. }) = entry;
        assert!(*at > last, "line {at} comes after line {last}");
        last = *at;
        match entry {
            Entry::Line { digest, path, .. } => {
                let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
                assert!(!digest.is_empty() && !digest.contains(blank), "{entry:?}");
                assert!(!path.is_empty() && !path.starts_with(blank), "{entry:?}");
                assert!(!path.contains(['\r', '\n']), "{entry:?}");
                assert!(digest.len() + path.len() < LINE_BYTES_MAX, "{entry:?}");
            }
            Entry::Fault { number, fault } => {
                fault.report("manifest-md5.txt", *number, &mut findings);
            }
        }
    }
    let is_fault = |entry: &&Entry| matches!(entry, Entry::Fault { .. });
    let faults = entries.iter().filter(is_fault).count() as u64;
    assert_eq!(findings.error_count(), faults, "a fault that is no error");
}

/// The lines, written as a manifest in UTF-8, are the same lines.
fn check_written_again(entries: &[Entry]) {
    // Its first bytes could be taken for those of another encoding.
    let mut text = String::from("0 first\n");
    let mut lines = Vec::new();
    for entry in entries {
        if let Entry::Line { digest, path, .. } = entry {
            text.extend([digest.as_str(), " ", path.as_str(), "\n"]);
            lines.push((digest, path));
        }
    }
    let said = read(TagEncoding::UTF_8, &[text.as_bytes()]);
    let again = said.entries.iter().skip(1).map(|entry| match entry {
        Entry::Line { digest, path, .. } => Some((digest, path)),
        Entry::Fault { .. } => None,
    });
    let again: Vec<_> = again.collect();
    assert_eq!(again, lines.into_iter().map(Some).collect::<Vec<_>>());
}

fn read(encoding: TagEncoding, pieces: &[&[u8]]) -> Said {
    let mut parser = ManifestParser::new(encoding);
    let mut entries = Vec::new();
    let mut each = |entry: ManifestEntry<'_>| {
        entries.push(match entry {
            ManifestEntry::Line(ManifestLine {
                number,
                digest,
                path,
            }) => Entry::Line {
                number,
                digest: digest.to_owned(),
                path: path.to_owned(),
            },
            ManifestEntry::Fault { number, fault } => Entry::Fault { number, fault },
        });
    };
    for piece in pieces {
        parser.push(piece, &mut each);
    }
    parser.end(&mut each);
    Said {
        oddity: parser.oddity(),
        entries,
    }
}

fn fetch(encoding: TagEncoding, pieces: &[&[u8]]) -> Findings {
    let mut parser = FetchParser::new(encoding);
    let mut findings = Findings::default();
    for piece in pieces {
        parser.push(piece, &mut findings);
    }
    parser.end(&mut findings);
    findings
}
