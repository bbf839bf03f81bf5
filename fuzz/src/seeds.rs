//! The inputs to begin with, made here and not kept as files: what each one is for can be read, and
//! each is the same on every machine.
//!
//! Files in `corpus/` are others: what a fuzzer found.

mod tars;

use std::borrow::Cow;

pub use self::tars::tars;

/// An input with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    pub name: Cow<'static, str>,
    pub bytes: Vec<u8>,
}

impl Seed {
    pub fn new(name: impl Into<Cow<'static, str>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }

    /// A text, and before it the byte that chooses its encoding.
    fn text(name: &'static str, encoding: u8, text: impl AsRef<[u8]>) -> Self {
        Self::new(name, [&[encoding], text.as_ref()].concat())
    }
}

/// What the first byte of a text chooses: by its place in this list, over and over.
pub const ENCODINGS: [&str; 8] = [
    "UTF-8",
    "UTF-16",
    "UTF-16LE",
    "UTF-16BE",
    "ISO-8859-1",
    "Shift_JIS",
    "ISO-2022-JP",
    "gb18030",
];

fn utf_16(order: fn(u16) -> [u8; 2], text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

pub fn manifests() -> Vec<Seed> {
    let plain = "\
        d41d8cd98f00b204e9800998ecf8427e  data/a\n\
        D41D8CD98F00B204E9800998ECF8427E *data/b c.txt\n\
        d41d8cd98f00b204e9800998ecf8427e\t./data/caf\u{e9} %25 100%0A\n";
    let odd = "\n  \nword\nd41d  \n d41d data/a \r\rd41d data/\u{a0}\u{2028}x\r\n\tx\ty\tz";
    let fetch = "\
        http://x.test/a 12 data/a\n\
        http://x.test/b - data/b%0a\n\
        http://x.test/c 1 ../c\n\
        http://x.test/d 1 C:\\d\n\
        http://x.test/e x data/e\n\
        ~/f 1 ~/f\n%HOME%/g 0 %HOME%/g\n";
    let long = format!("d41d data/{}\nd41d data/b\n", "n".repeat(8200));
    vec![
        Seed::text("plain", 0, plain),
        Seed::text("crlf", 0, plain.replace('\n', "\r\n")),
        Seed::text("odd", 0, odd),
        Seed::text("fetch", 0, fetch),
        Seed::text("long_line", 0, long),
        Seed::text("marked", 0, ["\u{feff}", plain].concat()),
        Seed::text("undecodable", 0, b"d41d data/caf\xe9\nd41d data/b\n"),
        Seed::text("utf_16", 1, utf_16(u16::to_be_bytes, plain)),
        Seed::text("utf_16_le", 1, utf_16(u16::to_le_bytes, odd)),
        Seed::text("utf_16_as_utf_8", 0, utf_16(u16::to_le_bytes, plain)),
        Seed::text("latin", 4, b"d41d data/caf\xe9\n"),
        Seed::text("shift_jis", 5, b"d41d data/\x83\x65\x83\x58\n"),
        Seed::text("iso_2022_jp", 6, b"d41d data/\x1b$B%F\x1b(B\n"),
        Seed::text("gb18030", 7, b"d41d data/\x81\x30\x81\x30\n"),
        Seed::text("empty", 0, ""),
    ]
}

pub fn tag_files() -> Vec<Seed> {
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    let old = "BagIt-Version : 0.97  \r\nTag-File-Character-Encoding:ISO-8859-1";
    let info = "\
        Source-Organization: A college\n\
        External-Description: A description\n  that goes on\n\tand on\n\
        Bagging-Date: 2024-01-01\n\
        Payload-Oxum: 12.3\n\
        Contact-Name: \n\
        Contact-Name: \u{c9}mile: a name\n";
    let odd = "no tag\n  more of it\n: no label\n\nA:\n   \n  first\n  second\nB:1\rB:\u{a0}2\u{2003}\r\n";
    let long = format!(
        "A: {}\n  {}\nB: 2\n",
        "v".repeat(70_000),
        "w".repeat(70_000)
    );
    let folded = format!("A:\n{}B: 2\n", "  more and more\n".repeat(6000));
    vec![
        Seed::text("declaration", 0, declaration),
        Seed::text("old_declaration", 0, old),
        Seed::text("info", 0, info),
        Seed::text("odd", 0, odd),
        Seed::text("long_value", 0, long),
        Seed::text("folded", 0, folded),
        Seed::text("marked", 0, ["\u{feff}", declaration].concat()),
        Seed::text("undecodable", 0, b"Title: caf\xe9\nTitle: \xff\xfe\n"),
        Seed::text("utf_16", 1, utf_16(u16::to_be_bytes, info)),
        Seed::text("utf_16_le", 2, utf_16(u16::to_le_bytes, odd)),
        Seed::text("utf_16_as_utf_8", 0, utf_16(u16::to_be_bytes, info)),
        Seed::text("latin", 4, b"Title: caf\xe9\n"),
        Seed::text("shift_jis", 5, b"Title: \x83\x65\x83\x58\x5c\n"),
        Seed::text("iso_2022_jp", 6, b"Title: \x1b$B%F\x1b(B\n"),
        Seed::text("gb18030", 7, b"Title: \x81\x30\x81\x30\n"),
        Seed::text("empty", 0, ""),
    ]
}

pub fn member_names() -> Vec<Seed> {
    let rows: [(&str, &[u8]); 30] = [
        ("file", b"bag/data/a.txt"),
        ("folder", b"bag/data/"),
        ("bag", b"bag"),
        ("root", b"./"),
        ("dot", b"."),
        ("from_the_root", b"././bag/bagit.txt"),
        ("no_folder", b"a.txt"),
        ("absolute", b"/etc/passwd"),
        ("drive", b"C:\\bag\\a"),
        ("drive_of_a_name", b"C:bag/a"),
        ("share", b"\\\\server\\a"),
        ("up", b"bag/../../a"),
        ("up_backwards", b"bag/x\\..\\..\\a"),
        ("empty_part", b"bag//a"),
        ("dot_part", b"bag/./a"),
        ("two_slashes", b"bag/a//"),
        ("manifest", b"bag/manifest-md5.txt"),
        ("tag_manifest", b"tagmanifest-sha256.txt"),
        ("no_manifest", b"manifest-of-the-ship.txt"),
        ("unknown_manifest", b"manifest-sha224.txt"),
        ("data_as_file", b"bag/data"),
        ("nul", b"bag/a\0b"),
        ("control", b"bag/a\x7fb"),
        ("line_end", b"bag/a\nb"),
        ("not_utf_8", b"bag/caf\xe9"),
        (
            "accents",
            "bag/data/e\u{301}t\u{e9} \u{6f22}.txt".as_bytes(),
        ),
        ("blanks", b"bag/data/ a  b "),
        ("line_separator", "bag/a\u{2028}b".as_bytes()),
        ("next_line", "bag/a\u{85}b".as_bytes()),
        ("empty", b""),
    ];
    let long = [
        Seed::new("long", format!("bag/{}", "n".repeat(1024))),
        Seed::new("too_long", format!("bag/{}", "n".repeat(1025))),
        Seed::new("long_encoded", format!("bag/{}", "\u{e9}".repeat(242))),
        Seed::new("deep", format!("bag/{}a", "d/".repeat(500))),
    ];
    let rows = rows.map(|(name, bytes)| Seed::new(name, bytes));
    rows.into_iter().chain(long).collect()
}
