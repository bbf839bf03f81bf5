//! A bag folder as a tar, packed while it is read: nothing is written to a disk.
//!
//! Members stand in order of their names, so the same folder always gives the same tar. The size
//! of the tar is known from names and sizes before any file is opened, and a file that has another
//! size by then is a fault: a bag that changes under our hands is not the bag that was checked.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::bags::BagFault;

const BLOCK: u64 = 512;
/// A tar ends with two blocks of zeros.
const END_BYTES: u64 = 2 * BLOCK;
/// Longer names stand in a member of their own before it (GNU tar manual, "Basic Tar Format").
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
            let path = root.join(&folder);
            let entries = std::fs::read_dir(&path).map_err(BagFault::unreadable(&path))?;
            for entry in entries {
                let entry = entry.map_err(BagFault::unreadable(&path))?;
                let member = Member::look_at(&entry, &folder)?;
                if member.kind == Kind::Folder {
                    folders.push(member.path.clone());
                }
                members.push(member);
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
        append_folder(&mut tar, &self.root, &Path::new(&self.top).join(""))?;
        for member in &self.members {
            let from = self.root.join(&member.path);
            let name = Path::new(&self.top).join(&member.path);
            match member.kind {
                Kind::Folder => append_folder(&mut tar, &from, &name.join(""))?,
                Kind::File { size } => append_file(&mut tar, &from, &name, size)?,
            }
        }
        tar.into_inner()?.flush()
    }
}

impl Member {
    fn look_at(entry: &std::fs::DirEntry, folder: &Path) -> Result<Self, BagFault> {
        let meta = entry
            .metadata()
            .map_err(BagFault::unreadable(&entry.path()))?;
        let kind = if meta.is_dir() {
            Kind::Folder
        } else if meta.is_file() {
            Kind::File { size: meta.len() }
        } else {
            return Err(BagFault::NeitherFileNorFolder { path: entry.path() });
        };
        Ok(Self {
            path: folder.join(entry.file_name()),
            kind,
        })
    }
}

fn header_bytes(name_bytes: usize) -> u64 {
    if name_bytes <= NAME_BYTES_MAX {
        return BLOCK;
    }
    // A header, the name with its closing NUL, and the header of the member itself.
    BLOCK + (name_bytes as u64 + 1).next_multiple_of(BLOCK) + BLOCK
}

fn append_folder(tar: &mut Builder<impl Write>, from: &Path, name: &Path) -> io::Result<()> {
    let mut header = header_of(&std::fs::metadata(from)?);
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    tar.append_data(&mut header, name, io::empty())
}

fn append_file(
    tar: &mut Builder<impl Write>,
    from: &Path,
    name: &Path,
    size: u64,
) -> io::Result<()> {
    let file = File::open(from)?;
    let meta = file.metadata()?;
    if meta.len() != size {
        return Err(changed(from));
    }
    let mut header = header_of(&meta);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    let mut counted = Counted {
        from: file.take(size),
        read: 0,
    };
    tar.append_data(&mut header, name, &mut counted)?;
    if counted.read != size {
        return Err(changed(from));
    }
    Ok(())
}

/// Owner and rights are those of this machine and mean nothing in an archive; the time does.
fn header_of(meta: &std::fs::Metadata) -> Header {
    let mut header = Header::new_gnu();
    let modified = meta.modified().ok();
    let since_epoch = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    header.set_mtime(since_epoch.unwrap_or_default().as_secs());
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn changed(path: &Path) -> io::Error {
    let path = path.display();
    io::Error::other(format!("{path} was changed while it was packed"))
}

struct Counted<R> {
    from: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
