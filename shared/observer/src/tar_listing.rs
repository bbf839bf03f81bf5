//! A bag as another tar reader sees it: what is in it, and what of it has to be preserved.
//!
//! Holds paths and digests, never a member's bytes.

use std::io::{self, Read};

use muniment_digest::FanOut;
use muniment_model::{Algorithm, Digests};

/// How much of a member is in memory at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// One regular member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Below the bag's folder.
    pub path: String,
    pub size: u64,
    pub digests: Digests,
}

/// The regular members of one tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarListing {
    members: Vec<Member>,
}

impl TarListing {
    /// Reads a whole tar.
    pub fn read(tar: impl Read) -> io::Result<Self> {
        let mut members = Vec::new();
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))?;
            let path = match name.trim_start_matches("./").split_once('/') {
                Some((_folder, path)) => path.to_owned(),
                None => name,
            };
            let (size, digests) = digest(&mut entry)?;
            members.push(Member {
                path,
                size,
                digests,
            });
        }
        Ok(Self { members })
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members that have to be preserved: all but those that a restoration makes anew.
    pub fn preserved(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| !is_made_anew(&member.path))
    }

    /// The others: their bytes are in the deposit record.
    pub fn made_anew(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| is_made_anew(&member.path))
    }

    /// How many payload manifests there are: each is checked, and each check is an event.
    pub fn payload_manifests(&self) -> usize {
        let manifests = self.members.iter();
        manifests
            .filter(|member| is_manifest("manifest", &member.path))
            .count()
    }
}

fn digest(from: &mut impl Read) -> io::Result<(u64, Digests)> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut fan_out = FanOut::new();
    let mut size = 0;
    loop {
        let count = from.read(&mut buffer)?;
        let Some(bytes @ [_, ..]) = buffer.get(..count) else {
            return Ok((size, fan_out.finish()));
        };
        fan_out.update(bytes);
        size += count as u64;
    }
}

fn is_made_anew(path: &str) -> bool {
    path == "bagit.txt"
        || path == "fetch.txt"
        || is_manifest("manifest", path)
        || is_manifest("tagmanifest", path)
}

fn is_manifest(kind: &str, path: &str) -> bool {
    Algorithm::ALL
        .iter()
        .any(|algorithm| path == format!("{kind}-{algorithm}.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder
                .append_data(&mut header, path, *bytes)
                .expect("a member");
        }
        builder.into_inner().expect("a tar")
    }

    #[test]
    fn manifests_are_counted_and_what_is_made_anew_is_not_preserved() {
        let large = vec![7; 600_000];
        let tar = tar(&[
            ("bag/bagit.txt", b"BagIt-Version: 1.0"),
            ("bag/manifest-md5.txt", b""),
            ("bag/manifest-sha256.txt", b""),
            ("bag/tagmanifest-md5.txt", b""),
            ("bag/manifest-of-the-ship.txt", b"a tag file"),
            ("bag/data/a.bin", &large),
        ]);

        let listing = TarListing::read(tar.as_slice()).expect("a listing");

        assert_eq!(listing.members().len(), 6);
        assert_eq!(listing.payload_manifests(), 2);
        let preserved: Vec<_> = listing.preserved().collect();
        let paths: Vec<_> = preserved.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["manifest-of-the-ship.txt", "data/a.bin"]);
        let file = preserved.last().expect("a file");
        assert_eq!(file.size, 600_000);
        assert_eq!(file.digests, muniment_digest::digest(&large));
    }

    #[test]
    fn a_tar_that_is_cut_inside_a_member_is_an_error() {
        let whole = tar(&[("bag/data/a", &[7; 2_000])]);

        let listing = TarListing::read(&whole[..1_000]);

        assert!(listing.is_err(), "{listing:?}");
    }
}
