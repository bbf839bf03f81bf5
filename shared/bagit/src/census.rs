//! Counts the members of a bag as they pass, and remembers which of them the check reads again.
//!
//! Pass one and the `muniment` command count here, so that both hold a bag to the same figures. Pure:
//! the same members in the same order give the same record. Bounded: at most eight manifests, the
//! parsed tag files, fetch.txt and [`UNKNOWN_MANIFESTS_MAX`] more are remembered.
//!
//! Cannot see two members with one path as such: it remembers the first, and the check names the
//! second.

#[cfg(test)]
mod tests;

use muniment_model::{Crc64Nvme, Findings, Manifest, MemberKind, Received, StagedTagFile};

use crate::manifest::ManifestFile;
use crate::survey::BagMember;
use crate::tag_file::PARSED;

/// Manifests of algorithms we do not compute are named and, where their bytes are kept, looked at.
/// The profiles of depositors refuse the first, and there are not ten algorithms in use beside ours.
pub const UNKNOWN_MANIFESTS_MAX: usize = 10;

/// What is known before the first member.
pub fn empty() -> Received {
    Received {
        folder: String::new(),
        batches: 0,
        files: 0,
        payload_files: 0,
        payload_bytes: 0,
        has_payload_folder: false,
        // Of no bytes.
        crc64nvme: Crc64Nvme(0),
        confirmed: false,
        findings: Findings::default(),
        manifests: Vec::new(),
        tag_files: Vec::new(),
        unknown_manifests: Vec::new(),
        fetch_offset: None,
    }
}

/// Counts one member. Says whether the check may want its bytes again: those of manifests, parsed tag
/// files and fetch.txt.
pub fn count(seen: &mut Received, member: BagMember<'_>, size: u64, tar_offset: u64) -> bool {
    let is_read_again = match member.kind {
        MemberKind::Directory => {
            seen.has_payload_folder |= member.path == "data" || member.path.starts_with("data/");
            return false;
        }
        MemberKind::Payload => {
            seen.payload_files += 1;
            seen.payload_bytes += size;
            seen.has_payload_folder = true;
            false
        }
        MemberKind::Manifest | MemberKind::TagManifest => {
            count_manifest(seen, member.path, size, tar_offset)
        }
        MemberKind::Fetch => {
            let is_first = seen.fetch_offset.is_none();
            seen.fetch_offset.get_or_insert(tar_offset);
            is_first
        }
        MemberKind::Declaration | MemberKind::Tag => {
            count_tag_file(seen, member.path, size, tar_offset)
        }
    };
    seen.files += 1;
    is_read_again
}

fn count_manifest(seen: &mut Received, path: &str, size: u64, tar_offset: u64) -> bool {
    let Some(file) = ManifestFile::at(path) else {
        return false;
    };
    if let Some(algorithm) = file.algorithm {
        let is_first = seen.manifests.iter().all(|known| known.path != path);
        if is_first {
            seen.manifests.push(Manifest {
                path: file.path,
                algorithm,
                of_tags: file.of_tags,
                tar_offset,
                size,
                crc64nvme: None,
            });
        }
        return is_first;
    }
    let is_kept = seen.unknown_manifests.len() < UNKNOWN_MANIFESTS_MAX
        && !seen.unknown_manifests.contains(&file.path);
    if is_kept {
        seen.unknown_manifests.push(file.path);
    }
    is_kept
}

fn count_tag_file(seen: &mut Received, path: &str, size: u64, tar_offset: u64) -> bool {
    let is_kept = PARSED.contains(&path) && seen.tag_files.iter().all(|known| known.path != path);
    if is_kept {
        seen.tag_files.push(StagedTagFile {
            path: path.to_owned(),
            tar_offset,
            size,
            crc64nvme: None,
        });
    }
    is_kept
}
