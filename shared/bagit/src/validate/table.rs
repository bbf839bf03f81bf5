//! The files of one partition, found by path.
//!
//! A path is looked up by its 128-bit hash under a key that the bag cannot know, so names cannot
//! be made to collide. The order of the files is that in which they came.
//!
//! Bounded: refuses a file beyond [`Partition::files_max`] and folders beyond a number for each file,
//! and keeps names only up to an average length; what is not kept is named by its place in the tar.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use muniment_model::{Digests, MemberKind};
use siphasher::sip128::SipHasher13;

use super::join::{FileFacts, JoinKey};
use super::partition::Partition;
use crate::manifest::path::{decoded, nfc, unmarked};

/// What one file costs: its entry (176), its slot in the index (up to 76), its name, and room to
/// grow.
pub(super) const FILE_BYTES: usize = 512;
/// Names are some 60 bytes long. Beyond this on average, further ones are not kept.
const PATH_BYTES_AVERAGE: usize = 192;

/// Folders are kept as hashes, some 40 bytes each. Most bags have more files than folders, and those
/// that lie deepest, pairs of characters of an identifier, have a few folders for each file.
const FOLDERS_PER_FILE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileIndex(u32);

/// The file that a manifest's line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub index: FileIndex,
    pub spelling: Spelling,
}

/// How a line writes the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the tar has it, but for marks.
    Exact,
    /// In another way, told from others by the hash of it.
    Other(u64),
}

pub(super) struct FileEntry {
    pub digests: Digests,
    pub kind: MemberKind,
    /// One bit per manifest that lists the file.
    pub listed: u32,
    /// One bit per manifest whose first line for the file has its digest.
    pub matched: u32,
    tar_offset: u64,
    path_start: u32,
    path_len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// Another file's name is the same in Unicode normalisation form C.
    NewTwin,
    /// The path is there already, with the same bytes.
    Repeated,
    /// The path is there already, with other bytes.
    Conflicting,
    /// The path is that of a folder.
    Folder,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InsertedFolder {
    New,
    Known,
    /// The path is that of a file.
    File,
    Full,
}

/// Files whose names share a normalised form that is not their own name.
#[derive(Clone, Copy)]
enum Normalised {
    One(u32),
    Several,
}

type ByHash<V> = HashMap<u128, V, BuildHasherDefault<AlreadyHashed>>;

pub(super) struct FileTable {
    key: JoinKey,
    files_max: usize,
    entries: Vec<FileEntry>,
    /// The names, one after the other.
    paths: String,
    by_path: ByHash<u32>,
    by_normal_form: ByHash<Normalised>,
    folders: HashSet<u128, BuildHasherDefault<AlreadyHashed>>,
}

impl FileTable {
    pub(super) fn new(partition: Partition, key: JoinKey) -> Self {
        let expected = partition.files_expected;
        Self {
            key,
            files_max: partition.files_max(),
            entries: Vec::with_capacity(expected),
            paths: String::new(),
            by_path: ByHash::with_capacity_and_hasher(expected, BuildHasherDefault::default()),
            by_normal_form: ByHash::default(),
            folders: HashSet::default(),
        }
    }

    pub(super) fn insert(&mut self, file: &FileFacts<'_>) -> Inserted {
        let hash = self.hash(file.path);
        if let Some(first) = self
            .by_path
            .get(&hash)
            .and_then(|at| self.entries.get(*at as usize))
        {
            return if first.digests == *file.digests {
                Inserted::Repeated
            } else {
                Inserted::Conflicting
            };
        }
        let Ok(at) = u32::try_from(self.entries.len()) else {
            return Inserted::Full;
        };
        if self.entries.len() >= self.files_max {
            return Inserted::Full;
        }
        self.by_path.insert(hash, at);
        let (path_start, path_len) = self.keep(file.path);
        self.entries.push(FileEntry {
            digests: *file.digests,
            kind: file.kind,
            listed: 0,
            matched: 0,
            tar_offset: file.tar_offset,
            path_start,
            path_len,
        });
        if self.folders.contains(&hash) {
            Inserted::Folder
        } else if self.has_twin(file.path, at) {
            Inserted::NewTwin
        } else {
            Inserted::New
        }
    }

    /// A folder that is a member, or that a file is in.
    pub(super) fn insert_folder(&mut self, path: &str) -> InsertedFolder {
        let hash = self.hash(path);
        if self.folders.contains(&hash) {
            return InsertedFolder::Known;
        }
        if self.folders.len() >= self.files_max.saturating_mul(FOLDERS_PER_FILE) {
            return InsertedFolder::Full;
        }
        self.folders.insert(hash);
        if self.by_path.contains_key(&hash) {
            InsertedFolder::File
        } else {
            InsertedFolder::New
        }
    }

    /// Whether an earlier file has the same normalised name; remembers it for later ones.
    fn has_twin(&mut self, path: &str, at: u32) -> bool {
        if path.is_ascii() {
            return false;
        }
        let normal = nfc(path);
        let hash = self.hash(&normal);
        if normal == path {
            return self.by_normal_form.contains_key(&hash);
        }
        let others = self.by_path.contains_key(&hash);
        let earlier = self
            .by_normal_form
            .insert(hash, Normalised::One(at))
            .is_some();
        if earlier {
            self.by_normal_form.insert(hash, Normalised::Several);
        }
        others || earlier
    }

    fn keep(&mut self, path: &str) -> (u32, u32) {
        let kept_max = self.files_max.saturating_mul(PATH_BYTES_AVERAGE);
        let fits = self.paths.len() + path.len() <= kept_max;
        match (u32::try_from(self.paths.len()), u32::try_from(path.len())) {
            (Ok(start), Ok(len)) if fits => {
                self.paths.push_str(path);
                (start, len)
            }
            _ => (0, 0),
        }
    }

    /// The file that a manifest's line means: the path as written first, then without marks, then
    /// percent-decoded, then by its normalised form when only one file has that.
    pub(super) fn locate(&self, written: &str) -> Option<Located> {
        let exact = |index| Located {
            index,
            spelling: Spelling::Exact,
        };
        if let Some(found) = self.exactly(written) {
            return Some(exact(found));
        }
        let plain = unmarked(written);
        if plain.len() != written.len()
            && let Some(found) = self.exactly(plain)
        {
            return Some(exact(found));
        }
        self.in_other_spelling(plain).map(|index| Located {
            index,
            spelling: Spelling::Other(self.short_hash(plain)),
        })
    }

    fn in_other_spelling(&self, plain: &str) -> Option<FileIndex> {
        let decoded = decoded(plain);
        if decoded != plain
            && let Some(found) = self.exactly(&decoded)
        {
            return Some(found);
        }
        if decoded.is_ascii() {
            return None;
        }
        let hash = self.hash(&nfc(&decoded));
        let normal = self.by_path.get(&hash).copied();
        match (normal, self.by_normal_form.get(&hash).copied()) {
            (Some(at), None) | (None, Some(Normalised::One(at))) => Some(FileIndex(at)),
            (Some(_), Some(_)) | (None, None | Some(Normalised::Several)) => None,
        }
    }

    fn exactly(&self, path: &str) -> Option<FileIndex> {
        self.by_path.get(&self.hash(path)).copied().map(FileIndex)
    }

    pub(super) fn entry(&self, index: FileIndex) -> Option<&FileEntry> {
        self.entries.get(index.0 as usize)
    }

    pub(super) fn entry_mut(&mut self, index: FileIndex) -> Option<&mut FileEntry> {
        self.entries.get_mut(index.0 as usize)
    }

    pub(super) fn entries(&self) -> &[FileEntry] {
        &self.entries
    }

    /// The file's path in the bag, or where it is in the tar when the name was not kept.
    pub(super) fn path_of(&self, entry: &FileEntry) -> String {
        let start = entry.path_start as usize;
        match self.paths.get(start..start + entry.path_len as usize) {
            Some(path) if !path.is_empty() => path.to_owned(),
            Some(_) | None => format!("at byte {} of the tar", entry.tar_offset),
        }
    }

    fn hash(&self, path: &str) -> u128 {
        SipHasher13::new_with_key(&self.key.0)
            .hash(path.as_bytes())
            .into()
    }

    fn short_hash(&self, path: &str) -> u64 {
        let hasher = SipHasher13::new_with_key(&self.key.0);
        hasher.hash(path.as_bytes()).h1
    }
}

/// Takes what is a hash already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a good hash is a good hash"
    )]
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
