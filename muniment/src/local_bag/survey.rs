//! What the first reading of a local bag saw: counts, findings, and which files are read again.
//!
//! Holds a bounded number of files; all of them are in [`Notes`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use muniment_bagit::census;
use muniment_bagit::member::is_of_payload;
use muniment_bagit::survey::BagMember;
use muniment_bagit::validate::Serialization;
use muniment_model::{Digests, MemberKind, Received};
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::notes::Notes;
use super::{LocalBagError, pump};

/// Where the bytes of the bag are.
pub(super) enum Source {
    Tar(PathBuf),
    Folder(PathBuf),
}

/// A file as it is met.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Met {
    pub path: String,
    pub kind: MemberKind,
    pub size: u64,
    pub tar_offset: u64,
    pub data_offset: u64,
}

pub(super) struct Survey {
    pub received: Received,
    pub notes: Notes,
    source: Source,
    /// `None` of a bag that cannot be deposited under its name.
    identity: Option<Identity>,
    /// The files that are read again: as many as [`census::count`] asks for.
    again: Vec<Met>,
}

impl Survey {
    pub(super) fn new(source: Source, identity: Option<Identity>) -> Result<Self, LocalBagError> {
        Ok(Self {
            received: census::empty(),
            source,
            identity,
            again: Vec::new(),
            notes: Notes::new().map_err(LocalBagError::notes)?,
        })
    }

    /// Whether the server could store what is at this path. If not, that is a finding, and the member
    /// no part of the bag, as at Receive.
    pub(super) fn has_room_for(&mut self, path: &str) -> bool {
        let findings = &mut self.received.findings;
        let identity = self.identity.as_ref();
        identity.is_none_or(|identity| identity.has_room_for(path, findings))
    }

    /// Counts a member that may be refused later.
    pub(super) fn count_payload(&mut self, raw_path: &[u8]) {
        self.received.has_payload_folder |= is_of_payload(raw_path);
    }

    pub(super) fn add_folder(&mut self, path: &str) -> Result<(), LocalBagError> {
        let kind = MemberKind::Directory;
        census::count(&mut self.received, BagMember { path, kind }, 0, 0);
        let met = Met {
            path: path.to_owned(),
            kind,
            size: 0,
            tar_offset: 0,
            data_offset: 0,
        };
        self.notes.add(&met, None).map_err(LocalBagError::notes)
    }

    pub(super) fn add_file(&mut self, met: &Met, digests: &Digests) -> Result<(), LocalBagError> {
        let member = BagMember {
            path: &met.path,
            kind: met.kind,
        };
        if census::count(&mut self.received, member, met.size, met.tar_offset) {
            self.again.push(met.clone());
        }
        self.notes
            .add(met, Some(digests))
            .map_err(LocalBagError::notes)
    }

    /// What begins the identifiers of files in findings, when it is known.
    pub(super) fn object(&self) -> Option<&str> {
        self.identity.as_ref().and_then(Identity::object)
    }

    pub(super) fn serialization(&self) -> Serialization {
        match &self.source {
            Source::Tar(_) => Serialization::Tar,
            Source::Folder(_) => Serialization::Folder,
        }
    }

    pub(super) fn to_read_again(&self, path: &str) -> Option<&Met> {
        self.again.iter().find(|met| met.path == path)
    }

    /// Reads one of them again.
    pub(super) fn read(&self, met: &Met, each: &mut dyn FnMut(&[u8])) -> Result<(), LocalBagError> {
        let (path, start) = match &self.source {
            Source::Tar(tar) => (tar.clone(), met.data_offset),
            Source::Folder(root) => (root.join(&met.path), 0),
        };
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            pump(file.take(met.size), each)
        });
        match read {
            Ok(read) if read == met.size => Ok(()),
            Ok(_) => Err(LocalBagError::Changed { path }),
            Err(source) => Err(LocalBagError::Read { path, source }),
        }
    }
}
