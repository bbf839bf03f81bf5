use proptest::prelude::*;

use super::{Container, Identified, UNKNOWN_MEDIA_TYPE, Window, identify};

const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0";
const OLE2: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0";
const TIFF: &[u8] = b"II\x2a\0\x08\0\0\0";

/// Path, content, and what is expected: media type, basis, container.
type Row<'a> = (&'a str, &'a [u8], &'a str, &'a str, Option<Container>);

fn look(path: &str, bytes: &[u8]) -> Identified {
    identify(path, bytes.len() as u64, &Window::of(bytes))
}

#[test]
fn name_and_content_are_weighed() {
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let rows: [Row; 16] = [
        // Neither says anything.
        (
            "data/README",
            b"hello",
            UNKNOWN_MEDIA_TYPE,
            "extension",
            None,
        ),
        ("data/a.unheard", b"", UNKNOWN_MEDIA_TYPE, "extension", None),
        // The name alone.
        ("data/a.txt", b"hello", "text/plain", "extension", None),
        ("data/a.pdf", b"", "application/pdf", "extension", None),
        ("data/a.docx", b"hello", docx, "extension", None),
        // The content alone, or in agreement.
        ("data/scan", TIFF, "image/tiff", "signature", None),
        ("data/scan.tif", TIFF, "image/tiff", "signature", None),
        // The name says the same in more detail.
        ("data/a.dng", TIFF, "image/x-adobe-dng", "extension", None),
        ("data/a.docx", ZIP, docx, "extension", Some(Container::Zip)),
        (
            "data/a.odt",
            ZIP,
            "application/vnd.oasis.opendocument.text",
            "extension",
            Some(Container::Zip),
        ),
        (
            "data/a.epub",
            ZIP,
            "application/epub+zip",
            "extension",
            Some(Container::Zip),
        ),
        (
            "data/a.doc",
            OLE2,
            "application/msword",
            "extension",
            Some(Container::Ole2),
        ),
        (
            "data/a.svg",
            b"<?xml version='1.0'?><svg/>",
            "image/svg+xml",
            "extension",
            None,
        ),
        // The content contradicts the name.
        ("data/a.jpg", TIFF, "image/tiff", "signature", None),
        (
            "data/a.doc",
            ZIP,
            "application/zip",
            "signature",
            Some(Container::Zip),
        ),
        (
            "data/a.docx",
            OLE2,
            "application/x-ole-storage",
            "signature",
            Some(Container::Ole2),
        ),
    ];

    for (path, bytes, media_type, basis, container) in rows {
        let found = look(path, bytes);
        assert_eq!(found.format.media_type, media_type, "{path}");
        assert_eq!(found.format.basis, basis, "{path}");
        assert_eq!(found.container, container, "{path}");
    }
}

#[test]
fn a_window_of_another_size_says_nothing() {
    let found = identify("data/a.jpg", 1_000, &Window::of(ZIP));

    assert_eq!(found.format.media_type, "image/jpeg");
    assert_eq!(found.format.basis, "extension");
    assert_eq!(found.container, None);
}

proptest! {
    #[test]
    fn every_name_and_content_has_an_answer(
        path in any::<String>(),
        magic in prop::sample::select(vec![
            ZIP, OLE2, b"%PDF-", b"RIFF", b"BM", b"BZh", b"<!--", b"\xef\xbb\xbf", b"\xff\xfe", b"G",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let found = look(&path, &[magic, &rest].concat());

        prop_assert!(found.format.media_type.contains('/'));
    }
}
