//! The signatures, narrower ones first.

use super::{Mark, OWN, Signature, weak};
use crate::{Container, Window};

const fn bytes(
    media_type: &'static str,
    form: &'static str,
    parts: &'static [(usize, &'static [u8])],
) -> Signature {
    Signature {
        media_type,
        form,
        container: None,
        mark: Mark::Bytes(parts),
    }
}

const fn test(
    media_type: &'static str,
    form: &'static str,
    test: fn(&Window) -> bool,
) -> Signature {
    Signature {
        media_type,
        form,
        container: None,
        mark: Mark::Test(test),
    }
}

const fn container(signature: Signature, container: Container) -> Signature {
    Signature {
        container: Some(container),
        ..signature
    }
}

// A row is one line, so that the table can be read down its columns.
#[rustfmt::skip]
pub(super) static ALL: &[Signature] = &[
    // Containers and archives. An empty zip file begins with its end record, a split one with a mark.
    container(bytes("application/zip", "zip", &[(0, b"PK\x03\x04")]), Container::Zip),
    container(bytes("application/zip", "zip", &[(0, b"PK\x05\x06")]), Container::Zip),
    container(bytes("application/zip", "zip", &[(0, b"PK\x07\x08PK\x03\x04")]), Container::Zip),
    container(
        bytes("application/x-ole-storage", "ole2", &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")]),
        Container::Ole2,
    ),
    bytes("application/gzip", "gzip", &[(0, b"\x1f\x8b\x08")]),
    bytes("application/x-xz", "xz", &[(0, b"\xfd7zXZ\0")]),
    bytes("application/zstd", OWN, &[(0, b"\x28\xb5\x2f\xfd")]),
    bytes("application/x-7z-compressed", OWN, &[(0, b"7z\xbc\xaf\x27\x1c")]),
    bytes("application/vnd.rar", "rar", &[(0, b"Rar!\x1a\x07")]),
    bytes("application/vnd.ms-cab-compressed", OWN, &[(0, b"MSCF\0\0\0\0")]),
    bytes("application/x-tar", OWN, &[(257, b"ustar\0")]),
    bytes("application/x-tar", OWN, &[(257, b"ustar  \0")]),
    bytes("application/x-iso9660-image", OWN, &[(32_769, b"CD001")]),
    bytes("application/warc", OWN, &[(0, b"WARC/")]),
    test("application/x-bzip2", "bzip2", weak::bzip2),
    // Images.
    bytes("image/jpeg", OWN, &[(0, b"\xff\xd8\xff")]),
    bytes("image/png", "png", &[(0, b"\x89PNG\r\n\x1a\n")]),
    bytes("image/gif", OWN, &[(0, b"GIF87a")]),
    bytes("image/gif", OWN, &[(0, b"GIF89a")]),
    bytes("image/tiff", "tiff", &[(0, b"II\x2a\0")]),
    bytes("image/tiff", "tiff", &[(0, b"MM\0\x2a")]),
    bytes("image/tiff", "tiff", &[(0, b"II\x2b\0\x08\0\0\0")]),
    bytes("image/tiff", "tiff", &[(0, b"MM\0\x2b\0\x08\0\0")]),
    bytes("image/jpx", "jp2", &[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"jpx ")]),
    bytes("image/jpm", "jp2", &[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"jpm ")]),
    bytes("video/mj2", "jp2", &[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"mjp2")]),
    bytes("image/jp2", "jp2", &[(0, b"\0\0\0\x0cjP  \r\n\x87\n")]),
    bytes("image/x-jp2-codestream", OWN, &[(0, b"\xff\x4f\xff\x51")]),
    bytes("image/jxl", OWN, &[(0, b"\0\0\0\x0cJXL \r\n\x87\n")]),
    bytes("image/webp", OWN, &[(0, b"RIFF"), (8, b"WEBP")]),
    bytes("image/vnd.adobe.photoshop", OWN, &[(0, b"8BPS\0\x01")]),
    bytes("image/vnd.adobe.photoshop", OWN, &[(0, b"8BPS\0\x02")]),
    bytes("image/vnd.djvu", OWN, &[(0, b"AT&TFORM"), (12, b"DJV")]),
    bytes("image/aces", OWN, &[(0, b"\x76\x2f\x31\x01")]),
    bytes("image/x-dpx", OWN, &[(0, b"SDPX"), (8, b"V")]),
    bytes("image/x-dpx", OWN, &[(0, b"XPDS"), (8, b"V")]),
    bytes("image/fits", OWN, &[(0, b"SIMPLE  =")]),
    bytes("image/vnd.dwg", OWN, &[(0, b"AC10")]),
    bytes("application/dicom", OWN, &[(128, b"DICM")]),
    test("image/bmp", OWN, weak::bitmap),
    // Sound.
    bytes("audio/x-wav", OWN, &[(0, b"RIFF"), (8, b"WAVE")]),
    bytes("audio/x-wav", OWN, &[(0, b"RF64"), (8, b"WAVE")]),
    bytes("audio/x-wav", OWN, &[(0, b"BW64"), (8, b"WAVE")]),
    bytes("audio/aiff", OWN, &[(0, b"FORM"), (8, b"AIFF")]),
    bytes("audio/aiff", OWN, &[(0, b"FORM"), (8, b"AIFC")]),
    bytes("audio/flac", OWN, &[(0, b"fLaC")]),
    bytes("audio/mpeg", OWN, &[(0, b"ID3\x02")]),
    bytes("audio/mpeg", OWN, &[(0, b"ID3\x03")]),
    bytes("audio/mpeg", OWN, &[(0, b"ID3\x04")]),
    bytes("audio/midi", OWN, &[(0, b"MThd\0\0\0\x06")]),
    bytes("audio/basic", OWN, &[(0, b".snd\0\0\0")]),
    // Moving images. The brand says more than the form, the extension often more than the brand.
    bytes("image/heic", "isobmff", &[(4, b"ftypheic")]),
    bytes("image/avif", "isobmff", &[(4, b"ftypavif")]),
    bytes("audio/mp4", "isobmff", &[(4, b"ftypM4A ")]),
    bytes("video/quicktime", "isobmff", &[(4, b"ftypqt  ")]),
    bytes("video/mp4", "isobmff", &[(4, b"ftyp")]),
    bytes("video/quicktime", "isobmff", &[(4, b"moov"), (12, b"mvhd")]),
    bytes("video/quicktime", "isobmff", &[(4, b"wide"), (12, b"mdat")]),
    bytes("video/x-msvideo", OWN, &[(0, b"RIFF"), (8, b"AVI ")]),
    bytes("video/x-matroska", "ebml", &[(0, b"\x1a\x45\xdf\xa3")]),
    bytes("application/ogg", "ogg", &[(0, b"OggS\0")]),
    bytes("video/x-ms-asf", "asf", &[(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c")]),
    bytes("application/mxf", OWN, &[(0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02")]),
    bytes("application/vnd.rn-realmedia", "real", &[(0, b".RMF\0\0\0")]),
    bytes("video/mpeg", OWN, &[(0, b"\0\0\x01\xba")]),
    bytes("video/x-flv", OWN, &[(0, b"FLV\x01")]),
    test("video/mp2t", OWN, weak::transport_stream),
    // Documents and data.
    bytes("application/postscript", "postscript", &[(0, b"%!PS-Adobe")]),
    bytes("text/rtf", "rtf", &[(0, b"{\\rtf")]),
    bytes("application/vnd.wordperfect", OWN, &[(0, b"\xffWPC")]),
    bytes("application/vnd.ms-outlook-pst", OWN, &[(0, b"!BDN")]),
    bytes("application/vnd.sqlite3", "sqlite", &[(0, b"SQLite format 3\0")]),
    bytes("application/x-hdf5", "hdf5", &[(0, b"\x89HDF\r\n\x1a\n")]),
    bytes("application/x-netcdf", OWN, &[(0, b"CDF\x01")]),
    bytes("application/x-netcdf", OWN, &[(0, b"CDF\x02")]),
    bytes("application/x-sharedlib", "elf", &[(0, b"\x7fELF")]),
    bytes("application/wasm", OWN, &[(0, b"\0asm\x01\0\0\0")]),
    bytes("font/woff", OWN, &[(0, b"wOFF")]),
    bytes("font/woff2", OWN, &[(0, b"wOF2")]),
    bytes("text/calendar", OWN, &[(0, b"BEGIN:VCALENDAR")]),
    bytes("text/vcard", OWN, &[(0, b"BEGIN:VCARD")]),
    test("application/xml", "xml", weak::xml),
    test("text/html", "html", weak::html),
    // Last: its header may come after other bytes.
    test("application/pdf", "pdf", weak::pdf),
];
