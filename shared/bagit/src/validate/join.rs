//! Joins the lines of the manifests with the files of the bag.
//!
//! First every file goes in, in tar order, then every manifest, by its bytes. In a bag of many
//! files this is done once per [`Partition`], each time with all files and all manifests: a
//! partition keeps the files that fall to it and passes the other lines over. All spellings of a
//! name fall to one partition.
//!
//! Idempotent: the same bag gives the same findings in the same order, whatever the key.
//!
//! Lines are never kept: a million lines for files that are not there cost a hash and a look-up
//! each. It cannot check the digests of an algorithm we do not compute, nor tell which of two
//! members with one path the depositor meant.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use muniment_model::{Algorithm, Digests, FindingCode, Findings, MemberKind};

use super::partition::Partition;
use super::table::{FileEntry, FileIndex, FileTable, Inserted, InsertedFolder, Located, Spelling};
use crate::manifest::path::{exit_of, unmarked};
use crate::manifest::{ManifestEntry, ManifestFile, ManifestLine, ManifestParser};
use crate::tag_file::TagEncoding;

/// How many manifests are told apart: a bit each. A bag has at most eight with algorithms we know.
const MANIFESTS_MAX: usize = u32::BITS as usize;

/// The secret under which paths are hashed: random, new for every bag.
#[derive(Clone, Copy)]
pub struct JoinKey(pub [u8; 16]);

/// In which payload manifests a payload file must be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListingPolicy {
    /// In every one; and each payload manifest in every tag manifest (RFC 8493 section 2.2.1).
    Every,
    /// In every one; a payload manifest that is not in every tag manifest is a warning, because
    /// before BagIt 1.0 a tag manifest could leave out what it liked.
    EveryPayload,
    /// In at least one, as before BagIt 1.0.
    One,
}

/// One member of the bag.
#[derive(Clone, Copy, Debug)]
pub struct FileFacts<'a> {
    /// Path in the bag.
    pub path: &'a str,
    pub kind: MemberKind,
    pub tar_offset: u64,
    pub digests: &'a Digests,
}

/// What became of a file that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It falls to another partition, or is a folder.
    Elsewhere,
    New,
    /// An earlier member has the same path and the same bytes: this one is redundant.
    Repeated,
    /// An earlier member has the same path and other bytes.
    Conflicting,
}

/// The join of one partition.
pub(super) struct ManifestJoin {
    /// Begins the identifiers of files in findings: the object's identifier.
    object: String,
    policy: ListingPolicy,
    manifests: Vec<ManifestFile>,
    /// One bit per manifest that has been read to its end.
    read: u32,
    partition: Partition,
    files: FileTable,
    is_overfull: bool,
    /// The folder of the last file: most files are in the same one as the file before them.
    last_folder: String,
    has_too_many_folders: bool,
}

impl ManifestJoin {
    /// `manifests` are all manifests of the bag, 32 of which count, those we can check first. One
    /// of an unknown algorithm says something about files only if it is read.
    pub(super) fn new(
        object: &str,
        policy: ListingPolicy,
        manifests: &[ManifestFile],
        partition: Partition,
        key: JoinKey,
    ) -> Self {
        let mut manifests = manifests.to_vec();
        manifests.sort_by_key(|manifest| manifest.algorithm.is_none());
        manifests.truncate(MANIFESTS_MAX);
        Self {
            object: object.to_owned(),
            policy,
            manifests,
            read: 0,
            partition,
            files: FileTable::new(partition, key),
            is_overfull: false,
            last_folder: String::new(),
            has_too_many_folders: false,
        }
    }

    /// Adds a member. All members come before all manifests, in tar order.
    pub(super) fn file(&mut self, file: &FileFacts<'_>, findings: &mut Findings) -> Placed {
        if file.kind == MemberKind::Directory {
            self.folder(file.path, findings);
            return Placed::Elsewhere;
        }
        self.folders_of(file.path, findings);
        if !self.partition.holds(file.path) {
            return Placed::Elsewhere;
        }
        let path = file.path;
        match self.files.insert(file) {
            Inserted::New => Placed::New,
            Inserted::Folder => {
                file_is_folder(path, findings);
                Placed::New
            }
            Inserted::NewTwin => {
                let message = format_args!(
                    "File name '{path}' differs from another one only in how its letters are \
                     composed"
                );
                findings.warning(FindingCode::MemberNamesCollide, path, message);
                Placed::New
            }
            Inserted::Repeated => {
                let message =
                    format_args!("File {path} is in the bag twice, with the same content");
                findings.warning(FindingCode::MemberRepeated, path, message);
                Placed::Repeated
            }
            Inserted::Conflicting => {
                let message =
                    format_args!("File {path} is in the bag twice, with different content");
                findings.error(FindingCode::MemberRepeated, path, message);
                Placed::Conflicting
            }
            Inserted::Full => {
                self.overfull(findings);
                Placed::New
            }
        }
    }

    /// Adds a folder, and those that it is in.
    pub(super) fn folder(&mut self, path: &str, findings: &mut Findings) {
        self.one_folder(path, findings);
        self.folders_of(path, findings);
    }

    /// No file system holds a file and a folder of one name, so one of the two would be lost when the
    /// bag is unpacked or restored.
    fn folders_of(&mut self, path: &str, findings: &mut Findings) {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent == self.last_folder {
            return;
        }
        parent.clone_into(&mut self.last_folder);
        let mut folder = parent;
        while !folder.is_empty() {
            self.one_folder(folder, findings);
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    fn one_folder(&mut self, path: &str, findings: &mut Findings) {
        if self.has_too_many_folders || !self.partition.holds(path) {
            return;
        }
        match self.files.insert_folder(path) {
            InsertedFolder::New | InsertedFolder::Known => {}
            InsertedFolder::File => file_is_folder(path, findings),
            InsertedFolder::Full => {
                self.has_too_many_folders = true;
                let message = "Bag has too many folders for the number of its files";
                findings.error(FindingCode::TooManyMembers, "", message);
            }
        }
    }

    fn overfull(&mut self, findings: &mut Findings) {
        if !std::mem::replace(&mut self.is_overfull, true) {
            let message = "Bag has too many file names that differ only in how they are written";
            findings.error(FindingCode::MemberNamesCollide, "", message);
        }
    }

    /// Begins reading a manifest, one of those given to [`Self::new`].
    pub(super) fn manifest(
        &self,
        manifest: &ManifestFile,
        encoding: TagEncoding,
    ) -> ManifestReading {
        let mut known = self.manifests.iter();
        let at = known.position(|known| known.path == manifest.path);
        ManifestReading {
            listing: Listing {
                manifest: manifest.clone(),
                bit: at.map_or(0, bit),
                others: HashMap::new(),
            },
            parser: ManifestParser::new(encoding),
        }
    }

    /// All manifests have been read: what do they not list?
    pub(super) fn finish(self, findings: &mut Findings) {
        // Where not every file could be kept, most would seem unlisted.
        if self.is_overfull {
            return;
        }
        for entry in self.files.entries() {
            self.check_listed(entry, findings);
        }
    }

    fn check_listed(&self, entry: &FileEntry, findings: &mut Findings) {
        let wanted = match (entry.kind, self.policy) {
            (MemberKind::Payload, _) => self.bits_of(|manifest| !manifest.of_tags),
            (MemberKind::Manifest, ListingPolicy::Every | ListingPolicy::EveryPayload) => {
                self.bits_of(|manifest| manifest.of_tags)
            }
            (
                MemberKind::Manifest
                | MemberKind::TagManifest
                | MemberKind::Declaration
                | MemberKind::Fetch
                | MemberKind::Tag
                | MemberKind::Directory,
                _,
            ) => 0,
        };
        let missing = wanted & !entry.listed;
        let reported = match self.policy {
            ListingPolicy::Every | ListingPolicy::EveryPayload => missing,
            // In none of them: said once, of the first.
            ListingPolicy::One if missing == wanted => missing & missing.wrapping_neg(),
            ListingPolicy::One => 0,
        };
        if reported == 0 {
            return;
        }
        let is_warning =
            entry.kind == MemberKind::Manifest && self.policy == ListingPolicy::EveryPayload;
        let path = self.files.path_of(entry);
        for (at, manifest) in self.manifests.iter().enumerate() {
            if reported & bit(at) != 0 {
                let (object, name) = (&self.object, &manifest.path);
                let message = format_args!("File {object}/{path} is not in manifest {name}");
                if is_warning {
                    findings.warning(FindingCode::FileNotInManifest, &path, message);
                } else {
                    findings.error(FindingCode::FileNotInManifest, &path, message);
                }
            }
        }
    }

    fn bits_of(&self, is_wanted: impl Fn(&ManifestFile) -> bool) -> u32 {
        let manifests = self.manifests.iter().enumerate();
        manifests
            .filter(|(_, manifest)| is_wanted(manifest))
            .map(|(at, manifest)| match manifest.algorithm {
                Some(_) => bit(at),
                None => bit(at) & self.read,
            })
            .fold(0, |bits, bit| bits | bit)
    }

    fn entry(&mut self, from: &mut Listing, entry: ManifestEntry<'_>, findings: &mut Findings) {
        match entry {
            ManifestEntry::Line(line) => {
                if self.partition.holds(line.path) {
                    self.line(from, line, findings);
                }
            }
            ManifestEntry::Fault { number, fault } => {
                if self.partition.is_first() {
                    fault.report(&from.manifest.path, number, findings);
                }
            }
        }
    }

    fn line(&mut self, from: &mut Listing, line: ManifestLine<'_>, findings: &mut Findings) {
        if unmarked(line.path) == from.manifest.path {
            let name = &from.manifest.path;
            let message = format_args!("Manifest {name} lists itself; that line is not checked");
            findings.warning(FindingCode::ManifestLineInvalid, name, message);
            return;
        }
        let Some(found) = self.files.locate(line.path) else {
            self.not_in_bag(&from.manifest.path, line, findings);
            return;
        };
        if !self.may_have(from, found, line, findings) {
            return;
        }
        let name = &from.manifest.path;
        let index = found.index;
        let Some(entry) = self.files.entry_mut(index) else {
            return;
        };
        let agrees = match from.manifest.algorithm {
            Some(algorithm) => line
                .digest
                .eq_ignore_ascii_case(&entry.digests.hex(algorithm)),
            None => true,
        };
        let first_agreed = (entry.listed & from.bit != 0).then_some(entry.matched & from.bit != 0);
        entry.listed |= from.bit;
        if agrees {
            entry.matched |= from.bit;
        } else if let Some(algorithm) = from.manifest.algorithm {
            self.digest_differs(index, (name, algorithm), line, findings);
        }
        if let Some(first) = first_agreed
            && let Some(file) = self.files.entry(index)
        {
            let (object, path) = (&self.object, self.files.path_of(file));
            let twice = format_args!("File {object}/{path} is listed twice in {name}");
            if first == agrees {
                findings.warning(FindingCode::ManifestLineRepeated, &path, twice);
            } else {
                let message = format_args!("{twice}, with different checksums");
                findings.error(FindingCode::ManifestLineRepeated, &path, message);
            }
        }
    }

    /// Whether a line may have the file that was found for it. A manifest that spells a name in two
    /// ways lists two files. Where the bag has one, it is that of the line with its very name, else
    /// of the first line, and the other is missing.
    fn may_have(
        &mut self,
        from: &mut Listing,
        found: Located,
        line: ManifestLine<'_>,
        findings: &mut Findings,
    ) -> bool {
        let Some(entry) = self.files.entry_mut(found.index) else {
            return false;
        };
        let first = from.others.get(&found.index).copied();
        if entry.listed & from.bit == 0 {
            if found.spelling != Spelling::Exact {
                let other = OtherLine {
                    spelling: found.spelling,
                    number: line.number,
                };
                from.others.insert(found.index, other);
            }
            return true;
        }
        match (first, found.spelling) {
            (None, Spelling::Exact) => true,
            (Some(first), Spelling::Exact) => {
                entry.listed &= !from.bit;
                entry.matched &= !from.bit;
                from.others.remove(&found.index);
                self.missing_as_spelled(found.index, &from.manifest.path, first.number, findings);
                true
            }
            (Some(first), spelling) if first.spelling == spelling => true,
            (Some(_) | None, Spelling::Other(_)) => {
                self.not_in_bag(&from.manifest.path, line, findings);
                false
            }
        }
    }

    fn missing_as_spelled(
        &self,
        index: FileIndex,
        manifest: &str,
        number: u64,
        findings: &mut Findings,
    ) {
        if let Some(entry) = self.files.entry(index) {
            let (object, path) = (&self.object, self.files.path_of(entry));
            let message = format_args!(
                "File {object}/{path}, as line {number} of {manifest} spells it, is missing from bag"
            );
            findings.error(FindingCode::FileMissing, &path, message);
        }
    }

    fn digest_differs(
        &self,
        index: FileIndex,
        (name, algorithm): (&str, Algorithm),
        line: ManifestLine<'_>,
        findings: &mut Findings,
    ) {
        let Some(entry) = self.files.entry(index) else {
            return;
        };
        let path = self.files.path_of(entry);
        let (object, digest, number) = (&self.object, line.digest, line.number);
        if digest.len() == algorithm.hex_len() {
            let ours = entry.digests.hex(algorithm);
            let message = format_args!(
                "File {object}/{path}: ingest {algorithm} checksum {ours} doesn't match manifest \
                 checksum {digest}"
            );
            findings.error(FindingCode::DigestDiffers, &path, message);
        } else {
            let (length, wanted) = (digest.chars().count(), algorithm.hex_len());
            let message = format_args!(
                "Line {number} of {name}: the checksum of {path} has {length} characters, {algorithm} \
                 has {wanted}"
            );
            findings.error(FindingCode::ManifestLineInvalid, &path, message);
        }
    }

    fn not_in_bag(&self, manifest: &str, line: ManifestLine<'_>, findings: &mut Findings) {
        // Whatever else can be said about a file that could not be kept would be a guess.
        if self.is_overfull {
            return;
        }
        let path = unmarked(line.path);
        let number = line.number;
        if let Some(exit) = exit_of(path) {
            let message = format_args!(
                "Line {number} of {manifest} names a path outside the bag: {path} ({exit})"
            );
            findings.error(FindingCode::MemberOutsideBag, manifest, message);
        } else {
            let message = format_args!(
                "File {}/{path} in {manifest} is missing from bag",
                self.object
            );
            findings.error(FindingCode::FileMissing, path, message);
        }
    }
}

fn file_is_folder(path: &str, findings: &mut Findings) {
    let message = format_args!("{path} is in the bag as a file and as a folder");
    findings.error(FindingCode::MemberNamesCollide, path, message);
}

fn bit(number: usize) -> u32 {
    u32::try_from(number)
        .ok()
        .and_then(|number| 1_u32.checked_shl(number))
        .unwrap_or(0)
}

/// The manifest that is being read, and its bit among all.
struct Listing {
    manifest: ManifestFile,
    bit: u32,
    /// The first line of a file, where it spells the name in another way than the tar. At most one
    /// per file, and gone with the reading.
    others: HashMap<FileIndex, OtherLine>,
}

#[derive(Clone, Copy)]
struct OtherLine {
    spelling: Spelling,
    number: u64,
}

/// One manifest on its way into a join.
pub(super) struct ManifestReading {
    listing: Listing,
    parser: ManifestParser,
}

impl ManifestReading {
    pub(super) fn push(&mut self, join: &mut ManifestJoin, bytes: &[u8], findings: &mut Findings) {
        let Self { listing, parser } = self;
        parser.push(bytes, &mut |entry| join.entry(listing, entry, findings));
    }

    /// The end of the manifest.
    pub(super) fn end(mut self, join: &mut ManifestJoin, findings: &mut Findings) {
        let Self { listing, parser } = &mut self;
        parser.end(&mut |entry| join.entry(listing, entry, findings));
        join.read |= listing.bit;
        if join.partition.is_first()
            && let Some(oddity) = parser.oddity()
        {
            oddity.report(&listing.manifest.path, findings);
        }
    }
}
