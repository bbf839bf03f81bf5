//! Writes the sample bags into the demo's own folder, where they can be looked at afterwards.
//!
//! Each tar is written in one pass; only the small ones that are damaged on purpose are made in
//! memory first.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crc_fast::CrcAlgorithm;
use muniment_bag_builder::BagBuilder;

use super::samples::Form;

/// A sample bag on the disk.
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    /// Those that can be found in it; `None` when it is no tar.
    pub(crate) files: Option<u64>,
}

/// Writes one bag as `<folder>/<name>.tar`.
pub(crate) fn write(bag: &BagBuilder, form: Form, folder: &Path) -> io::Result<Written> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(bag.key());
    let mut out = BufWriter::new(File::create(&path)?);
    match form {
        Form::Whole => bag.write_tar(&mut out)?,
        Form::Truncated => out.write_all(two_thirds(&bag.to_tar()))?,
        Form::Gzip => out.write_all(&gzip(&bag.to_tar()))?,
    }
    out.flush()?;
    let files = files_in(&path);
    Ok(Written { path, files })
}

/// Counts the files in a tar, up to where it is damaged.
fn files_in(path: &Path) -> Option<u64> {
    let mut tar = tar::Archive::new(File::open(path).ok()?);
    let entries = tar.entries_with_seek().ok()?;
    let files = entries
        .map_while(Result::ok)
        .filter(|entry| entry.header().entry_type().is_file());
    Some(files.count() as u64).filter(|count| *count > 0)
}

fn two_thirds(tar: &[u8]) -> &[u8] {
    tar.get(..tar.len() / 3 * 2).unwrap_or_default()
}

/// A gzip file that any tool unpacks (RFC 1952), its blocks stored rather than compressed
/// (RFC 1951, 3.2.4).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    const LAST_EMPTY_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

    let mut out = HEADER.to_vec();
    for block in bytes.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(LAST_EMPTY_BLOCK);
    let crc = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes);
    // Both are kept modulo 2^32.
    out.extend(crc.to_le_bytes().iter().take(4));
    out.extend((bytes.len() as u64).to_le_bytes().iter().take(4));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_gzip_file_are_where_the_standard_has_them() {
        let out = gzip(b"hello");

        let expected: &[u8] = &[
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, // header
            0, 5, 0, 0xfa, 0xff, b'h', b'e', b'l', b'l', b'o', // a stored block
            1, 0, 0, 0xff, 0xff, // the last one
            0x86, 0xa6, 0x10, 0x36, // CRC-32 of "hello"
            5, 0, 0, 0,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_truncated_tar_ends_too_early() {
        let folder = tempfile::tempdir().expect("a folder");
        let bag = BagBuilder::aptrust("bag").file("data/a", vec![1; 9_000]);

        let path = write(&bag, Form::Truncated, folder.path())
            .expect("writes")
            .path;

        let written = std::fs::read(path).expect("reads");
        let whole = bag.to_tar();
        assert!(written.len() < whole.len());
        assert!(whole.starts_with(&written));
    }

    #[test]
    fn the_files_of_a_tar_are_counted_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let bag = BagBuilder::aptrust("bag").file("data/a", "a");
        let rows = [(Form::Whole, Some(8)), (Form::Gzip, None)];

        for (form, expected) in rows {
            let written = write(&bag, form, folder.path()).expect("writes");
            assert_eq!(written.files, expected, "{form:?}");
        }
    }
}
