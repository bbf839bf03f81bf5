//! The server's own verdict on a bag that lies on a disk: a tar file, or a folder.
//!
//! Drives the same check as `ingest_validator` does, over what it counted as pass one does: every file
//! is read once and digested, then manifests and tag files are read again and joined with what was
//! seen. Of a tar, nothing but [`notes`] grows with the number of files; of a folder, the names of the
//! folder's entries and of those above it are held while it is walked.
//!
//! Changes nothing, so it can be repeated at will. It cannot know what only the installation knows: the
//! storage option of an earlier deposit, and whose bag it will be unless it is told.

mod folder;
mod identity;
mod notes;
mod survey;
mod tar_file;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use muniment_bagit::profile::Profile;
use muniment_bagit::validate::{BagCheck, BagFacts, JoinKey, Want};
use muniment_model::{BagNameFault, Findings, bag_name_of};

use crate::bag_path::{fault_of_length, key_of_folder, key_of_tar};
use crate::room::says_full;
use identity::Identity;
use survey::Survey;

/// How much is read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// The rules to hold a bag to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProfileChoice {
    /// As the server does: those of the profile that the bag names, else the default one.
    #[value(skip)]
    ByBag,
    /// The APTrust profile
    Aptrust,
    /// The Beyond the Repository profile
    Btr,
    /// The BagIt standard alone
    None,
}

impl ProfileChoice {
    /// `None`: the bag says.
    fn profile(self) -> Option<&'static Profile> {
        Profile::by_name(match self {
            Self::ByBag => return None,
            Self::Aptrust => "aptrust",
            Self::Btr => "btr",
            Self::None => "none",
        })
    }
}

/// What a bag is judged by, beside what is in it.
#[derive(Clone, Debug)]
pub struct Terms {
    pub profile: ProfileChoice,
    /// The identifier of the institution that will deposit it. `None` assumes the longest one that
    /// there is, so that what is accepted is accepted of everybody.
    pub institution: Option<String>,
}

/// How many bytes of a bag have been read, for those who watch its check.
#[derive(Debug, Default)]
pub struct BytesRead(AtomicU64);

impl BytesRead {
    /// Of a tar, its size in the end; of a folder, what its files hold together.
    pub fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Why there is no verdict. Nothing of it is the bag's fault.
#[derive(Debug, thiserror::Error)]
pub enum LocalBagError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is neither a file nor a folder", path.display())]
    NeitherFileNorFolder { path: PathBuf },
    #[error("{} has changed while it was read", path.display())]
    Changed { path: PathBuf },
    #[error("could not use a temporary file")]
    Notes(#[source] io::Error),
    #[error(
        "the disk of temporary files is full: a check notes some 500 bytes for each file of the bag in \
         {}; make room there, or name another folder in TMPDIR", folder.display()
    )]
    NoRoom { folder: PathBuf, source: io::Error },
}

impl LocalBagError {
    fn notes(source: io::Error) -> Self {
        if says_full(&source) {
            let folder = std::env::temp_dir();
            return Self::NoRoom { folder, source };
        }
        Self::Notes(source)
    }

    fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// Checks a tar file or a folder. `Err` only when the disk fails; whatever is wrong with the bag is a
/// finding.
pub fn validate(path: &Path, terms: &Terms, seen: &BytesRead) -> Result<Findings, LocalBagError> {
    let failed = LocalBagError::read(path);
    let kind = match (path.metadata(), fault_of_length(path)) {
        (Ok(kind), _) => kind,
        (Err(_), Some(fault)) => {
            let mut findings = Findings::default();
            fault.report(&mut findings);
            return Ok(findings);
        }
        (Err(error), None) => return Err(failed(error)),
    };
    if kind.is_dir() {
        let real = path.canonicalize().map_err(failed)?;
        let bag = Named::new(key_of_folder(&real), real.file_name());
        let survey = folder::survey(&real, bag.identity(terms), seen)?;
        return bag.judged(judge(survey, &bag.name, terms.profile));
    }
    if !kind.is_file() {
        return Err(LocalBagError::NeitherFileNorFolder {
            path: path.to_owned(),
        });
    }
    // A tar has the name under which it would be deposited, be that the name of a link.
    let bag = Named::new(key_of_tar(path), path.file_stem());
    match tar_file::survey(path, bag.identity(terms), seen)? {
        Ok(survey) => bag.judged(judge(survey, &bag.name, terms.profile)),
        Err(findings) => bag.judged(Ok(findings)),
    }
}

/// What a bag is called, and what is wrong with that.
struct Named {
    name: String,
    fault: Option<BagNameFault>,
}

impl Named {
    /// `otherwise` is what a bag is called here that cannot be deposited under its name.
    fn new(key: Result<String, BagNameFault>, otherwise: Option<&OsStr>) -> Self {
        let otherwise = otherwise.unwrap_or_default().to_string_lossy();
        // Of a multi-part bag, the name without the number of the part.
        let name = key.as_deref().ok().and_then(bag_name_of);
        Self {
            name: name.unwrap_or(&otherwise).to_owned(),
            fault: key.err(),
        }
    }

    /// `None` where bags are refused by their names alone.
    fn identity(&self, terms: &Terms) -> Option<Identity> {
        let institution = terms.institution.as_deref();
        let has_key = self.fault.is_none();
        has_key.then(|| Identity::new(institution, &self.name))
    }

    /// The bag's name comes first among its findings: without a good one, nothing else is looked at
    /// where bags are received.
    fn judged(&self, rest: Result<Findings, LocalBagError>) -> Result<Findings, LocalBagError> {
        let mut findings = Findings::default();
        if let Some(fault) = self.fault {
            fault.report(&mut findings);
        }
        findings.append(rest?);
        Ok(findings)
    }
}

fn judge(
    mut survey: Survey,
    bag_name: &str,
    choice: ProfileChoice,
) -> Result<Findings, LocalBagError> {
    let object = survey.object().unwrap_or(bag_name).to_owned();
    let facts = BagFacts {
        bag_name,
        object: &object,
        serialization: survey.serialization(),
        received: &survey.received,
    };
    let mut check = BagCheck::new(facts, choice.profile(), JoinKey(rand::random()));
    while let Some(want) = check.next_want() {
        match want {
            Want::File(mut file) => match survey.to_read_again(file.path()) {
                Some(met) => survey.read(met, &mut |bytes| file.push(bytes))?,
                None => file.pass_over(),
            },
            Want::Members(mut members) => survey
                .notes
                .give(&mut members)
                .map_err(LocalBagError::notes)?,
        }
    }
    Ok(check.finish().findings)
}

/// Passes the bytes of a file on, piece by piece. Says how many there were.
fn pump(mut source: impl Read, each: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += read as u64;
        each(buffer.get(..read).unwrap_or_default());
    }
}
