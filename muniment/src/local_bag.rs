//! The server's own verdict on a bag that lies on a disk: a tar file, or a folder.
//!
//! Drives the same validator as pass one and `ingest_validator` do: every file is read once and
//! digested, then manifests and tag files are read again and joined with what was seen. What was
//! seen of each file waits in a temporary file without a name, and is joined in parts of about
//! [`JOIN_BYTES`]. Of a tar, nothing else grows with the number of files; of a folder, the names of
//! the folder's entries and of those above it are held while it is walked.
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

use muniment_bagit::manifest::{FetchParser, ManifestFile};
use muniment_bagit::profile::Profile;
use muniment_bagit::tag_file::{PARSED, TagFileParser, TagFiles};
use muniment_bagit::validate::{JoinKey, ManifestJoin, Partition, check_bag, listing_policy};
use muniment_model::{Findings, bag_name_of};

use survey::Survey;

/// How much is read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Memory for the join of manifests and files: at 512 bytes a file, a bag of up to 131,072 files is
/// joined in one go.
const JOIN_BYTES: usize = 64 * 1024 * 1024;

/// The rules to hold a bag to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileChoice {
    /// As the server does: those of the profile that the bag names, else the default one.
    ByBag,
    Aptrust,
    Btr,
    /// Plain BagIt.
    None,
}

impl ProfileChoice {
    fn profile(self, tags: &TagFiles) -> &'static Profile {
        let by_bag = Profile::choose(tags.profile_identifier());
        let named = |name| Profile::by_name(name).unwrap_or(by_bag);
        match self {
            Self::ByBag => by_bag,
            Self::Aptrust => named("aptrust"),
            Self::Btr => named("btr"),
            Self::None => named("none"),
        }
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
    Notes { source: io::Error },
}

/// Checks a tar file or a folder. `Err` only when the disk fails; whatever is wrong with the bag is a
/// finding.
pub fn validate(path: &Path, choice: ProfileChoice) -> Result<Findings, LocalBagError> {
    let failed = |source| LocalBagError::Read {
        path: path.to_owned(),
        source,
    };
    let kind = path.metadata().map_err(failed)?;
    // `.` and `..` have a name too, which only their real path tells. A tar has the name under which
    // it would be deposited, be that the name of a link.
    let whole = if kind.is_dir() {
        path.canonicalize().map_err(failed)?
    } else {
        path.to_owned()
    };
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let mut findings = Findings::default();
    let survey = if kind.is_dir() {
        Some(folder::survey(&whole, &name, &mut findings)?)
    } else if kind.is_file() {
        tar_file::survey(&whole, &mut findings)?
    } else {
        return Err(LocalBagError::NeitherFileNorFolder {
            path: path.to_owned(),
        });
    };
    let Some(mut survey) = survey else {
        return Ok(findings);
    };
    // Of a multi-part bag, the name without the number of the part.
    let bag_name = bag_name_of(&name).unwrap_or(&name);
    judge(&mut survey, bag_name, choice, &mut findings)?;
    Ok(findings)
}

fn judge(
    survey: &mut Survey,
    bag_name: &str,
    choice: ProfileChoice,
    findings: &mut Findings,
) -> Result<(), LocalBagError> {
    let tags = read_tag_files(survey, findings)?;
    let profile = choice.profile(&tags);
    let facts = survey.facts(bag_name);
    let manifests = facts.manifest_files();
    check_bag(profile, &facts, &tags, findings);
    if profile.fetch_allowed
        && let Some(place) = survey.place_of("fetch.txt")
    {
        let mut parser = FetchParser::new(tags.encoding());
        survey.read(place, &mut |bytes| parser.push(bytes, findings))?;
        parser.end(findings);
    }
    let key = JoinKey(rand::random());
    for partition in Partition::plan(survey.files(), JOIN_BYTES) {
        let policy = listing_policy(profile, &tags);
        let join = ManifestJoin::new(bag_name, policy, &manifests, partition, key);
        run_join(join, survey, (&manifests, &tags), findings)?;
    }
    Ok(())
}

fn read_tag_files(survey: &Survey, findings: &mut Findings) -> Result<TagFiles, LocalBagError> {
    let mut tags = TagFiles::default();
    for path in PARSED {
        if let Some(place) = survey.place_of(path) {
            let mut parser = TagFileParser::new(path, tags.encoding());
            survey.read(place, &mut |bytes| parser.push(bytes, findings))?;
            tags.add(parser.end(findings));
        }
    }
    Ok(tags)
}

fn run_join(
    mut join: ManifestJoin,
    survey: &mut Survey,
    (manifests, tags): (&[ManifestFile], &TagFiles),
    findings: &mut Findings,
) -> Result<(), LocalBagError> {
    survey.each_file(&mut |file| {
        join.file(file, findings);
    })?;
    for manifest in manifests {
        let Some(place) = survey.place_of(&manifest.path) else {
            continue;
        };
        let mut reading = join.manifest(manifest, tags.encoding());
        survey.read(place, &mut |bytes| reading.push(bytes, findings))?;
        reading.end(findings);
    }
    join.finish(findings);
    Ok(())
}

/// Hands the bytes of a file on, piece by piece. Says how many there were.
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
