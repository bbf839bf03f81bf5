//! The server's own verdict on a bag that lies on a disk: a tar file, or a folder.
//!
//! Drives the same check as `ingest_validator` does, over what it counted as pass one does: every file
//! is read once and digested, then manifests and tag files are read again and joined with what was
//! seen. Of a tar, nothing but [`notes`] grows with the number of files; of a folder, the names of the
//! folder's entries and of those above it are held while it is walked.
//!
//! Changes nothing, so it can be repeated at will. It cannot know what only the installation knows:
//! institution, storage option of an earlier deposit, names too long for the bucket.

mod folder;
mod notes;
mod survey;
mod tar_file;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use muniment_bagit::profile::Profile;
use muniment_bagit::validate::{BagCheck, BagFacts, JoinKey, Want};
use muniment_model::{Findings, bag_name_of};

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
}

impl LocalBagError {
    fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// Checks a tar file or a folder. `Err` only when the disk fails; whatever is wrong with the bag is a
/// finding.
pub fn validate(path: &Path, choice: ProfileChoice) -> Result<Findings, LocalBagError> {
    let failed = LocalBagError::read(path);
    let kind = path.metadata().map_err(&failed)?;
    // `.` and `..` have a name too, which only their real path tells. A tar has the name under which
    // it would be deposited, be that the name of a link.
    let whole = if kind.is_dir() {
        path.canonicalize().map_err(failed)?
    } else {
        path.to_owned()
    };
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let survey = if kind.is_dir() {
        folder::survey(&whole, &name)?
    } else if kind.is_file() {
        match tar_file::survey(&whole)? {
            Ok(survey) => survey,
            Err(findings) => return Ok(findings),
        }
    } else {
        return Err(LocalBagError::NeitherFileNorFolder {
            path: path.to_owned(),
        });
    };
    // Of a multi-part bag, the name without the number of the part.
    let bag_name = bag_name_of(&name).unwrap_or(&name);
    judge(survey, bag_name, choice)
}

fn judge(
    mut survey: Survey,
    bag_name: &str,
    choice: ProfileChoice,
) -> Result<Findings, LocalBagError> {
    let facts = BagFacts {
        bag_name,
        object: bag_name,
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
                .map_err(LocalBagError::Notes)?,
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
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += read as u64;
        each(buffer.get(..read).unwrap_or_default());
    }
}
