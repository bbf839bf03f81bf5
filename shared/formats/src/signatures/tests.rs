use super::{Mark, Signature, of, table};
use crate::{Container, Window};

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    of(&Window::of(bytes)).map(|signature| signature.media_type)
}

/// The least content that shows the signature's fixed bytes.
fn skeleton(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (offset, part) in parts {
        bytes.resize(bytes.len().max(offset + part.len()), 0x20);
        bytes.splice(*offset..offset + part.len(), part.iter().copied());
    }
    bytes
}

fn of_fixed_bytes() -> impl Iterator<Item = (&'static Signature, Vec<u8>)> {
    table::ALL
        .iter()
        .filter_map(|signature| match signature.mark {
            Mark::Bytes(parts) => Some((signature, skeleton(parts))),
            Mark::Test(_) => None,
        })
}

/// Also shows that no row is hidden by a wider one above it.
#[test]
fn every_signature_is_found_and_one_byte_less_is_not() {
    for (signature, mut bytes) in of_fixed_bytes() {
        let found = of(&Window::of(&bytes)).expect("found");
        assert!(std::ptr::eq(found, signature), "{signature:?}, {found:?}");

        bytes.pop();
        let cut = of(&Window::of(&bytes));
        assert!(
            !cut.is_some_and(|other| std::ptr::eq(other, signature)),
            "{signature:?} cut short"
        );
    }
}

#[test]
fn closer_looks_accept_and_refuse() {
    let mut bitmap = b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bitmap.resize(64, 0);
    let mut transport = vec![0; 5 * 188];
    transport
        .iter_mut()
        .step_by(188)
        .for_each(|byte| *byte = 0x47);
    let short_transport = vec![0x47; 4 * 188];
    let rows: [(&str, &[u8], Option<&str>); 22] = [
        ("a bitmap", &bitmap, Some("image/bmp")),
        (
            "a text that begins with BM",
            b"BMW is a maker of cars",
            None,
        ),
        ("a transport stream", &transport, Some("video/mp2t")),
        ("too few packets", &short_transport, None),
        ("bzip2", b"BZh91AY&SY\0\0\0\0", Some("application/x-bzip2")),
        (
            "empty bzip2",
            b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0",
            Some("application/x-bzip2"),
        ),
        ("bzip2 of no level", b"BZh01AY&SY\0\0\0\0", None),
        ("a text that begins with BZh", b"BZhello, world", None),
        ("xml", b"<?xml version='1.0'?><a/>", Some("application/xml")),
        (
            "xml with a mark",
            b"\xef\xbb\xbf<?xml version='1.0'?>",
            Some("application/xml"),
        ),
        (
            "xml in UTF-16",
            b"\xff\xfe<\0?\0x\0m\0l\0 \0",
            Some("application/xml"),
        ),
        ("html", b"<!DOCTYPE html>\n<html>", Some("text/html")),
        (
            "html behind comments",
            b"\xef\xbb\xbf \n<!-- a --> <!-- b -->\n<HTML lang=\"en\">",
            Some("text/html"),
        ),
        ("html behind an open comment", b"<!-- a <html>", None),
        ("a longer tag", b"<htmlarea>", None),
        ("a tag cut short", b"<html", None),
        ("a pdf", b"%PDF-1.7\n", Some("application/pdf")),
        (
            "a pdf behind other bytes",
            b"\r\n%PDF-1.4\n...\n%%EOF\n",
            Some("application/pdf"),
        ),
        ("a text about pdf", b"begins with %PDF-1.4, they say", None),
        ("nothing", b"", None),
        ("one byte", b"P", None),
        ("a text", b"Dear Sir or Madam,\n", None),
    ];

    for (name, bytes, expected) in rows {
        assert_eq!(media_type(bytes), expected, "{name}");
    }
}

#[test]
fn a_pdf_header_counts_within_its_first_kilobyte_only() {
    for (offset, expected) in [(1023, Some("application/pdf")), (1024, None)] {
        let mut bytes = vec![b'\n'; offset];
        bytes.extend_from_slice(b"%PDF-1.4\n%%EOF\n");
        assert_eq!(media_type(&bytes), expected, "at {offset}");
    }
}

#[test]
fn zip_and_ole2_are_containers_and_nothing_else_is() {
    for (signature, _) in of_fixed_bytes() {
        let expected = match signature.media_type {
            "application/zip" => Some(Container::Zip),
            "application/x-ole-storage" => Some(Container::Ole2),
            _ => None,
        };
        assert_eq!(signature.container, expected, "{}", signature.media_type);
    }
}
