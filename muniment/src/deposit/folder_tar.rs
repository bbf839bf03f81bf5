//! A bag folder as a tar, packed while it is read: nothing is written to a disk.
//!
//! Members are in the order of their names, so the same folder always gives the same tar. The size
//! of the tar is known from names and sizes before any file is opened, and a file that has another
//! size by then is an error: a bag that changes under our hands is not the bag that was checked.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::bags::BagFault;

const BLOCK: u64 = 512;
/// A tar ends with two blocks of zeros.
const END_BYTES: u64 = 2 * BLOCK;
/// Longer names are in a member of their own before it (GNU tar manual, "Basic Tar Format").
const NAME_BYTES_MAX: usize = 100;

/// What is in the folder.
#[derive(Debug)]
pub(crate) struct FolderTar {
    root: PathBuf,
    /// The folder at the top of the tar.
    top: String,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    /// From the root.
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File { size: u64 },
}

impl FolderTar {
    /// Looks through the folder. Links and devices are refused: following one could pack files
    /// that are not in the bag.
    pub(crate) fn plan(root: &Path, top: String) -> Result<Self, BagFault> {
        let mut members = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let from = root.join(&folder);
            let entries = std::fs::read_dir(&from).map_err(BagFault::unreadable(&from))?;
            for entry in entries {
                let entry = entry.map_err(BagFault::unreadable(&from))?;
                let meta = entry.metadata();
                let meta = meta.map_err(BagFault::unreadable(&entry.path()))?;
                let path = folder.join(entry.file_name());
                let kind = if meta.is_dir() {
                    folders.push(path.clone());
                    Kind::Folder
                } else if meta.is_file() {
                    Kind::File { size: meta.len() }
                } else {
                    return Err(BagFault::NeitherFileNorFolder { path: entry.path() });
                };
                members.push(Member { path, kind });
            }
        }
        members.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self {
            root: root.to_path_buf(),
            top,
            members,
        })
    }

    /// How many bytes the tar has.
    pub(crate) fn size(&self) -> u64 {
        let top = header_bytes(self.top.len() + 1);
        let members = self.members.iter().map(|member| self.member_bytes(member));
        top + members.sum::<u64>() + END_BYTES
    }

    fn member_bytes(&self, member: &Member) -> u64 {
        let name = self.top.len() + 1 + member.path.as_os_str().len();
        match member.kind {
            Kind::Folder => header_bytes(name + 1),
            Kind::File { size } => header_bytes(name) + size.next_multiple_of(BLOCK),
        }
    }

    /// Writes the tar.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut tar = Builder::new(out);
        let top = Path::new(&self.top);
        append(&mut tar, &self.root, top, Kind::Folder)?;
        for Member { path, kind } in &self.members {
            append(&mut tar, &self.root.join(path), &top.join(path), *kind)?;
        }
        tar.into_inner()?.flush()
    }
}

fn header_bytes(name_bytes: usize) -> u64 {
    if name_bytes <= NAME_BYTES_MAX {
        return BLOCK;
    }
    // A header, the name with its closing NUL, and the header of the member itself.
    BLOCK + (name_bytes as u64 + 1).next_multiple_of(BLOCK) + BLOCK
}

fn append(tar: &mut Builder<impl Write>, from: &Path, name: &Path, kind: Kind) -> io::Result<()> {
    let changed = || {
        let path = from.display();
        io::Error::other(format!("{path} was changed while it was packed"))
    };
    let file = File::open(from)?;
    let meta = file.metadata()?;
    let modified = meta.modified().ok();
    let since_epoch = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    // Owner and rights are those of this machine and mean nothing in an archive; the time does.
    let mut header = Header::new_gnu();
    header.set_mtime(since_epoch.unwrap_or_default().as_secs());
    header.set_uid(0);
    header.set_gid(0);
    match kind {
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, name.join(""), io::empty())
        }
        Kind::File { size } if meta.len() == size => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(size);
            let mut bytes = file.take(size);
            tar.append_data(&mut header, name, &mut bytes)?;
            match bytes.limit() {
                0 => Ok(()),
                _missing => Err(changed()),
            }
        }
        Kind::File { .. } => Err(changed()),
    }
}

#[cfg(test)]
mod tests;
