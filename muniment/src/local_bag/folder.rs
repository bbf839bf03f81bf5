//! Walks a bag that is a folder, in the order of its names.
//!
//! Never follows a link: a link is a finding, as it is in a tar.

use std::fs::{DirEntry, File};
use std::io;
use std::path::Path;

use muniment_bagit::member::{kind_of, place, place_file};
use muniment_bagit::tar::{Irregular, IrregularKind};
use muniment_digest::FanOut;

use super::identity::Identity;
use super::survey::{Met, Source, Survey};
use super::{BytesRead, LocalBagError, pump};

/// Looks through the folder and digests every file.
pub(super) fn survey(
    root: &Path,
    identity: Option<Identity>,
    read: &BytesRead,
) -> Result<Survey, LocalBagError> {
    let mut survey = Survey::new(Source::Folder(root.to_owned()), identity)?;
    let name = root.file_name().unwrap_or_default();
    survey.received.folder = name.to_string_lossy().into_owned();
    // What is still to be visited, the next one last.
    let mut waiting = sorted(root)?;
    while let Some(entry) = waiting.pop() {
        let path = entry.path();
        let kind = entry.file_type().map_err(LocalBagError::read(&path))?;
        // As a tar of the folder would have it, so that the same names are refused. The folder's own
        // name is the bag's, and judged as such.
        let mut raw = b"bag/".to_vec();
        let inside = path.strip_prefix(root).unwrap_or(&path);
        raw.extend_from_slice(inside.as_os_str().as_encoded_bytes());
        survey.count_payload(&raw);
        if !kind.is_dir() && !kind.is_file() {
            let irregular = Irregular {
                raw_path: raw,
                kind: if kind.is_symlink() {
                    IrregularKind::SymbolicLink
                } else {
                    IrregularKind::Other(b'?')
                },
                tar_offset: 0,
            };
            irregular.report(&mut survey.received.findings);
            continue;
        }
        let placed = if kind.is_dir() {
            place(&raw)
        } else {
            place_file(&raw)
        };
        let found = match placed {
            Ok(found) => found,
            Err(fault) => {
                fault.report(&mut survey.received.findings);
                continue;
            }
        };
        let is_kept = survey.has_room_for(found.path);
        if kind.is_dir() {
            if is_kept {
                survey.add_folder(found.path)?;
            }
            waiting.extend(sorted(&path)?);
        } else if is_kept {
            add_file(&mut survey, found.path, &path, read)?;
        }
    }
    Ok(survey)
}

fn add_file(
    survey: &mut Survey,
    path_in_bag: &str,
    path: &Path,
    read: &BytesRead,
) -> Result<(), LocalBagError> {
    let mut digests = FanOut::new();
    let size = File::open(path)
        .and_then(|file| {
            pump(file, &mut |bytes| {
                digests.update_split(bytes);
                read.add(bytes.len());
            })
        })
        .map_err(LocalBagError::read(path))?;
    let met = Met {
        path: path_in_bag.to_owned(),
        kind: kind_of(path_in_bag),
        size,
        tar_offset: 0,
        data_offset: 0,
    };
    survey.add_file(&met, &digests.finish())
}

/// The entries of a folder, the first by name last.
fn sorted(folder: &Path) -> Result<Vec<DirEntry>, LocalBagError> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(LocalBagError::read(folder))?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    Ok(entries)
}
