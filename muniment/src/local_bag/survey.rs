//! What the first reading of a local bag saw: counts, and where the files are that are read again.
//!
//! Holds a bounded number of places; the files as such are in [`Notes`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use muniment_bagit::manifest::ManifestFile;
use muniment_bagit::member::kind_of;
use muniment_bagit::survey::is_payload_folder;
use muniment_bagit::tag_file::PARSED;
use muniment_bagit::validate::{BagFacts, FileFacts, Serialization};
use muniment_model::{Digests, Manifest, MemberKind};

use super::notes::{Note, Notes};
use super::{LocalBagError, pump};

/// Manifests of algorithms we do not compute are only looked at; nobody needs more.
const UNKNOWN_MANIFESTS_MAX: usize = 16;

/// Where the bytes of the bag are.
pub(super) enum Source {
    Tar(PathBuf),
    Folder(PathBuf),
}

/// Where a file that is read again stands.
pub(super) struct Place {
    pub path: String,
    pub data_offset: u64,
    pub size: u64,
}

/// A file as it is met.
pub(super) struct Met<'a> {
    pub path: &'a str,
    pub size: u64,
    pub tar_offset: u64,
    pub data_offset: u64,
}

pub(super) struct Survey {
    source: Source,
    folder: String,
    files: u64,
    payload_files: u64,
    payload_bytes: u64,
    has_payload_folder: bool,
    manifests: Vec<Manifest>,
    unknown_manifests: Vec<String>,
    places: Vec<Place>,
    notes: Notes,
}

impl Survey {
    pub(super) fn new(source: Source, folder: &str) -> Result<Self, LocalBagError> {
        Ok(Self {
            source,
            folder: folder.to_owned(),
            files: 0,
            payload_files: 0,
            payload_bytes: 0,
            has_payload_folder: false,
            manifests: Vec::new(),
            unknown_manifests: Vec::new(),
            places: Vec::new(),
            notes: Notes::new().map_err(|fault| LocalBagError::Notes { source: fault })?,
        })
    }

    /// Of a tar, known when its members are.
    pub(super) fn set_folder(&mut self, folder: &str) {
        folder.clone_into(&mut self.folder);
    }

    pub(super) fn add_folder(&mut self, path: &str) {
        self.has_payload_folder |= is_payload_folder(path);
    }

    pub(super) fn add_file(
        &mut self,
        met: &Met<'_>,
        digests: Digests,
    ) -> Result<(), LocalBagError> {
        let kind = kind_of(met.path);
        self.files += 1;
        match kind {
            MemberKind::Payload => {
                self.payload_files += 1;
                self.payload_bytes += met.size;
                self.has_payload_folder = true;
            }
            MemberKind::Manifest | MemberKind::TagManifest => self.add_manifest(met),
            MemberKind::Fetch | MemberKind::Declaration | MemberKind::Tag => {
                if kind == MemberKind::Fetch || PARSED.contains(&met.path) {
                    self.add_place(met);
                }
            }
            MemberKind::Directory => {}
        }
        let note = Note {
            path: met.path.to_owned(),
            kind,
            tar_offset: met.tar_offset,
            digests,
        };
        self.notes
            .add(&note)
            .map_err(|source| LocalBagError::Notes { source })
    }

    fn add_manifest(&mut self, met: &Met<'_>) {
        let Some(file) = ManifestFile::at(met.path) else {
            return;
        };
        // A second member with the path is judged where all files are.
        if self.place_of(met.path).is_some() {
            return;
        }
        match file.algorithm {
            Some(algorithm) => self.manifests.push(Manifest {
                path: file.path,
                algorithm,
                of_tags: file.of_tags,
                tar_offset: met.tar_offset,
                size: met.size,
            }),
            None if self.unknown_manifests.len() < UNKNOWN_MANIFESTS_MAX => {
                self.unknown_manifests.push(file.path);
            }
            None => return,
        }
        self.add_place(met);
    }

    fn add_place(&mut self, met: &Met<'_>) {
        if self.place_of(met.path).is_none() {
            self.places.push(Place {
                path: met.path.to_owned(),
                data_offset: met.data_offset,
                size: met.size,
            });
        }
    }

    pub(super) fn files(&self) -> u64 {
        self.files
    }

    pub(super) fn place_of(&self, path: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.path == path)
    }

    pub(super) fn facts<'a>(&'a self, bag_name: &'a str) -> BagFacts<'a> {
        BagFacts {
            bag_name,
            folder: &self.folder,
            serialization: match &self.source {
                Source::Tar(_) => Serialization::Tar,
                Source::Folder(_) => Serialization::Folder,
            },
            payload_files: self.payload_files,
            payload_bytes: self.payload_bytes,
            has_payload_folder: self.has_payload_folder,
            has_fetch: self.place_of("fetch.txt").is_some(),
            manifests: &self.manifests,
            unknown_manifests: &self.unknown_manifests,
        }
    }

    pub(super) fn each_file(
        &mut self,
        each: &mut dyn FnMut(&FileFacts<'_>),
    ) -> Result<(), LocalBagError> {
        self.notes
            .each(each)
            .map_err(|source| LocalBagError::Notes { source })
    }

    /// Reads one of the places again.
    pub(super) fn read(
        &self,
        place: &Place,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), LocalBagError> {
        let path = match &self.source {
            Source::Tar(tar) => tar.clone(),
            Source::Folder(root) => root.join(&place.path),
        };
        let start = match &self.source {
            Source::Tar(_) => place.data_offset,
            Source::Folder(_) => 0,
        };
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            pump(file.take(place.size), each)
        });
        match read {
            Ok(read) if read == place.size => Ok(()),
            Ok(_) => Err(LocalBagError::Changed { path }),
            Err(source) => Err(LocalBagError::Read { path, source }),
        }
    }
}
