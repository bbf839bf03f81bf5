//! The check of one bag: what was seen of its members and the bytes of its manifests and tag files go
//! in, findings and the object's metadata come out.
//!
//! [`BagCheck`] knows the order; its caller does the reading: the validator from staging, the
//! `muniment` command from a disk. First the tag files, the declaration before the others because it
//! names their encoding. Then the rules for the bag as a whole, and fetch.txt. Last, once per part of
//! the files that memory holds, all members and then all manifests.
//!
//! All groups of rules are checked and all findings reported. Never wants a byte of payload.
//!
//! Idempotent: the same bag gives the same findings in the same order.

mod join;
mod partition;
mod rules;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use muniment_model::{BagMetadata, Findings, Received};

pub use join::{FileFacts, JoinKey, Placed};

use crate::manifest::{FETCH, FetchParser, ManifestFile};
use crate::profile::Profile;
use crate::tag_file::{PARSED, TagFileParser, TagFiles};
use join::{ListingPolicy, ManifestJoin, ManifestReading};
use partition::Partition;

/// Memory for the join of manifests and files: at 512 bytes a file, a bag of up to 131,072 files is
/// joined in one go.
const JOIN_BYTES: usize = 64 * 1024 * 1024;

/// In what form the bag arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serialization {
    Tar,
    /// A folder on a disk; only the `muniment` command meets one.
    Folder,
}

/// What is known of a bag before its check.
#[derive(Clone, Copy, Debug)]
pub struct BagFacts<'a> {
    /// The name that the key or the file gives it.
    pub bag_name: &'a str,
    /// Begins the identifiers of files in findings: the object's identifier.
    pub object: &'a str,
    pub serialization: Serialization,
    /// What the first reading counted and found.
    pub received: &'a Received,
}

impl BagFacts<'_> {
    /// All manifests, in the order to read them: those of payload files first.
    fn manifest_files(&self) -> Vec<ManifestFile> {
        let known = self.received.manifests.iter().map(ManifestFile::from);
        let unknown = self
            .received
            .unknown_manifests
            .iter()
            .filter_map(|path| ManifestFile::at(path));
        let mut files: Vec<_> = known.chain(unknown).collect();
        files.sort_by(|a, b| (a.of_tags, &a.path).cmp(&(b.of_tags, &b.path)));
        files
    }
}

/// What the check wants to be given next.
pub enum Want<'c, 'a> {
    /// One file of the bag, from its first byte to its last.
    File(WantedFile<'c, 'a>),
    /// Every member of the bag, in tar order.
    Members(WantedMembers<'c>),
}

/// The check of one bag. Ask [`Self::next_want`] and give it what it wants until it wants nothing.
pub struct BagCheck<'a> {
    facts: BagFacts<'a>,
    profile: Option<&'static Profile>,
    key: JoinKey,
    manifests: Vec<ManifestFile>,
    steps: VecDeque<Step>,
    open: Option<Open>,
    join: Option<ManifestJoin>,
    tags: TagFiles,
    findings: Findings,
    metadata: Option<BagMetadata>,
}

/// What came of a check.
#[derive(Debug)]
pub struct Verdict {
    /// Those of the first reading, then those of the check.
    pub findings: Findings,
    /// Complete when no finding is an error. `None` of a check that was not driven to its end.
    pub metadata: Option<BagMetadata>,
}

enum Step {
    TagFile(&'static str),
    Rules,
    Fetch,
    Members(ListingPolicy, Partition),
    Manifest(ManifestFile),
    EndJoin,
}

/// The file whose bytes are coming.
enum Open {
    TagFile(TagFileParser),
    Fetch(FetchParser),
    Manifest(ManifestReading),
}

impl<'a> BagCheck<'a> {
    /// Without a profile, the bag is held to the one it names, or to the default one.
    pub fn new(facts: BagFacts<'a>, profile: Option<&'static Profile>, key: JoinKey) -> Self {
        let tag_files = &facts.received.tag_files;
        let is_there = |path: &&str| tag_files.iter().any(|file| file.path == *path);
        let steps = PARSED.into_iter().filter(is_there).map(Step::TagFile);
        Self {
            facts,
            profile,
            key,
            manifests: facts.manifest_files(),
            steps: steps.chain([Step::Rules]).collect(),
            open: None,
            join: None,
            tags: TagFiles::default(),
            findings: facts.received.findings.clone(),
            metadata: None,
        }
    }

    /// Takes what was given for the last want as whole, and says what is wanted next.
    pub fn next_want(&mut self) -> Option<Want<'_, 'a>> {
        self.close_file();
        loop {
            match self.steps.pop_front()? {
                Step::TagFile(path) => {
                    let parser = TagFileParser::new(path, self.tags.encoding());
                    return Some(self.file(path.to_owned(), Open::TagFile(parser)));
                }
                Step::Rules => self.apply_rules(),
                Step::Fetch => {
                    let parser = FetchParser::new(self.tags.encoding());
                    return Some(self.file(FETCH.to_owned(), Open::Fetch(parser)));
                }
                Step::Members(policy, partition) => {
                    let (object, key) = (self.facts.object, self.key);
                    let join = ManifestJoin::new(object, policy, &self.manifests, partition, key);
                    return Some(Want::Members(WantedMembers {
                        join: self.join.insert(join),
                        findings: &mut self.findings,
                    }));
                }
                Step::Manifest(manifest) => {
                    let encoding = self.tags.encoding();
                    if let Some(join) = &self.join {
                        let reading = join.manifest(&manifest, encoding);
                        return Some(self.file(manifest.path, Open::Manifest(reading)));
                    }
                }
                Step::EndJoin => {
                    if let Some(join) = self.join.take() {
                        join.finish(&mut self.findings);
                    }
                }
            }
        }
    }

    fn file(&mut self, path: String, open: Open) -> Want<'_, 'a> {
        self.open = Some(open);
        Want::File(WantedFile { check: self, path })
    }

    fn close_file(&mut self) {
        match (self.open.take(), &mut self.join) {
            (Some(Open::TagFile(parser)), _) => self.tags.add(parser.end(&mut self.findings)),
            (Some(Open::Fetch(mut parser)), _) => parser.end(&mut self.findings),
            (Some(Open::Manifest(reading)), Some(join)) => reading.end(join, &mut self.findings),
            (Some(Open::Manifest(_)), None) | (None, _) => {}
        }
    }

    /// The tag files are read: judges the bag as a whole, and knows what else to read.
    fn apply_rules(&mut self) {
        let by_bag = || Profile::choose(self.tags.profile_identifier());
        let profile = self.profile.unwrap_or_else(by_bag);
        let metadata = rules::check_bag(profile, &self.facts, &self.tags, &mut self.findings);
        self.metadata = Some(metadata);
        if profile.fetch_allowed && self.facts.received.fetch_offset.is_some() {
            self.steps.push_back(Step::Fetch);
        }
        let policy = rules::listing_policy(profile, &self.tags);
        for partition in Partition::plan(self.facts.received.files, JOIN_BYTES) {
            let manifests = self.manifests.iter().cloned().map(Step::Manifest);
            self.steps.push_back(Step::Members(policy, partition));
            self.steps.extend(manifests);
            self.steps.push_back(Step::EndJoin);
        }
    }

    /// What came of it, once nothing is wanted any more.
    pub fn finish(self) -> Verdict {
        Verdict {
            findings: self.findings,
            metadata: self.metadata,
        }
    }
}

/// A file whose bytes are wanted.
pub struct WantedFile<'c, 'a> {
    check: &'c mut BagCheck<'a>,
    path: String,
}

impl WantedFile<'_, '_> {
    /// Its path in the bag.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The next of its bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let check = &mut *self.check;
        let findings = &mut check.findings;
        match (&mut check.open, &mut check.join) {
            (Some(Open::TagFile(parser)), _) => parser.push(bytes, findings),
            (Some(Open::Fetch(parser)), _) => parser.push(bytes, findings),
            (Some(Open::Manifest(reading)), Some(join)) => reading.push(join, bytes, findings),
            (Some(Open::Manifest(_)), None) | (None, _) => {}
        }
    }

    /// For a caller that has not kept its bytes, as the server has not those of manifests whose
    /// algorithm it does not compute. Then the file says nothing about others.
    pub fn pass_over(self) {
        self.check.open = None;
    }
}

/// The check waits for every member of the bag.
pub struct WantedMembers<'c> {
    join: &'c mut ManifestJoin,
    findings: &'c mut Findings,
}

impl WantedMembers<'_> {
    pub fn add(&mut self, file: &FileFacts<'_>) -> Placed {
        self.join.file(file, self.findings)
    }

    /// A folder that the tar has as a member of its own.
    pub fn add_folder(&mut self, path: &str) {
        self.join.folder(path, self.findings);
    }
}
