//! Writes bags as tar files: valid ones, and every common mistake.
//!
//! The demonstration and the tests use it. A builder starts from a valid bag and each method changes
//! one thing, so that a test shows what is wrong with its bag and nothing else.
//! The same builder always gives the same bytes. Large files are generated while they are
//! written, in one pass, so a bag of any size takes little memory.
//!
//! It does not check what it is told to write.

use std::collections::BTreeSet;
use std::io::{self, Write};

use muniment_model::{Algorithm, StorageOption, TAR_EXTENSION};

mod content;
mod entry;
mod writing;

use content::Content;
pub use entry::Entry;
use writing::Writing;

/// The profile that BTR bags name in their bag-info.txt.
const BTR_PROFILE: &str = "https://github.com/dpscollaborative/btr_bagit_profile/releases/download/1.0/btr-bagit-profile.json";

const BAG_INFO: &str = "bag-info.txt";
const APTRUST_INFO: &str = "aptrust-info.txt";
const OXUM: &str = "Payload-Oxum";

/// What a tar ends with: two blocks of zeros.
const END_BLOCKS: [u8; 1024] = [0; 1024];

#[derive(Clone, Debug)]
struct File {
    path: String,
    content: Content,
    /// Whether the manifests list it.
    is_listed: bool,
    /// Whether the tar holds it.
    is_present: bool,
}

impl File {
    fn new(path: String, content: Content) -> Self {
        Self {
            path,
            content,
            is_listed: true,
            is_present: true,
        }
    }
}

#[derive(Clone, Debug)]
struct Tag {
    file: String,
    name: String,
    value: String,
}

/// A bag to be written.
#[derive(Clone, Debug)]
#[must_use]
pub struct BagBuilder {
    name: String,
    version: String,
    files: Vec<File>,
    tags: Vec<Tag>,
    storage_option_tag: Option<(&'static str, &'static str)>,
    without: BTreeSet<String>,
    manifests: Vec<Algorithm>,
    tag_manifests: Vec<Algorithm>,
    corrupt: BTreeSet<String>,
    phantom_lines: u64,
    manifests_first: bool,
    entries: Vec<Entry>,
    ending: Vec<u8>,
}

impl BagBuilder {
    /// A bag by the BagIt standard alone, with a sha512 manifest.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: "1.0".to_owned(),
            files: Vec::new(),
            tags: Vec::new(),
            storage_option_tag: None,
            without: BTreeSet::new(),
            manifests: vec![Algorithm::Sha512],
            tag_manifests: vec![Algorithm::Sha512],
            corrupt: BTreeSet::new(),
            phantom_lines: 0,
            manifests_first: false,
            entries: Vec::new(),
            ending: END_BLOCKS.to_vec(),
        }
    }

    /// A valid bag by the APTrust profile, with md5 and sha256 manifests.
    pub fn aptrust(name: impl Into<String>) -> Self {
        let name = name.into();
        let title = format!("Papers of {name}");
        Self {
            storage_option_tag: Some((APTRUST_INFO, "Storage-Option")),
            ..Self::plain(name)
        }
        .manifests(&[Algorithm::Md5, Algorithm::Sha256])
        .tag_manifests(&[Algorithm::Md5, Algorithm::Sha256])
        .tag(BAG_INFO, "Source-Organization", "Test University")
        .tag(BAG_INFO, "Bagging-Date", "2024-01-01")
        .tag(APTRUST_INFO, "Title", title)
        .tag(APTRUST_INFO, "Access", "Institution")
        .storage_option(StorageOption::Standard)
    }

    /// A valid bag by the Beyond the Repository profile, with a sha256 manifest.
    pub fn btr(name: impl Into<String>) -> Self {
        Self {
            storage_option_tag: Some((BAG_INFO, "APTrust-Storage-Option")),
            ..Self::plain(name)
        }
        .manifests(&[Algorithm::Sha256])
        .tag_manifests(&[Algorithm::Sha256])
        .tag(BAG_INFO, "BagIt-Profile-Identifier", BTR_PROFILE)
        .tag(BAG_INFO, "Source-Organization", "Test University")
        .tag(BAG_INFO, "Bagging-Date", "2024-01-01")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key under which the bag is uploaded.
    pub fn key(&self) -> String {
        format!("{}{TAR_EXTENSION}", self.name)
    }

    /// Adds a file. Under `data/` it is payload, elsewhere a tag file. A file that the builder
    /// would write itself (`bagit.txt`, a manifest) is replaced.
    pub fn file(self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.with_file(path.into(), Content::Bytes(bytes.into()))
    }

    /// Adds a file whose bytes follow from `seed`; it takes no memory.
    pub fn generated_file(self, path: impl Into<String>, size: u64, seed: u64) -> Self {
        self.with_file(path.into(), Content::Generated { size, seed })
    }

    fn with_file(mut self, path: String, content: Content) -> Self {
        self.files.push(File::new(path, content));
        self
    }

    /// Sets a tag, in place of the first one of that name.
    pub fn tag(mut self, file: &str, name: &str, value: impl Into<String>) -> Self {
        let known = |tag: &&mut Tag| tag.file == file && tag.name == name;
        let Some(tag) = self.tags.iter_mut().find(known) else {
            return self.repeated_tag(file, name, value);
        };
        tag.value = value.into();
        self
    }

    /// Adds a tag, whether or not there is one of that name.
    pub fn repeated_tag(mut self, file: &str, name: &str, value: impl Into<String>) -> Self {
        self.tags.push(Tag {
            file: file.to_owned(),
            name: name.to_owned(),
            value: value.into(),
        });
        self
    }

    /// Leaves out a tag in every tag file.
    pub fn without_tag(mut self, name: &str) -> Self {
        self.tags.retain(|tag| tag.name != name);
        self.without.insert(name.to_owned());
        self
    }

    /// Leaves out a tag file with all its tags.
    pub fn without_tag_file(mut self, file: &str) -> Self {
        self.tags.retain(|tag| tag.file != file);
        self.without.insert(file.to_owned());
        self
    }

    /// Sets the profile's tag for the storage option; a plain bag has none.
    pub fn storage_option(self, option: StorageOption) -> Self {
        match self.storage_option_tag {
            Some((file, name)) => self.tag(file, name, option.as_str()),
            None => self,
        }
    }

    pub fn manifests(mut self, algorithms: &[Algorithm]) -> Self {
        self.manifests = algorithms.to_vec();
        self
    }

    pub fn tag_manifests(mut self, algorithms: &[Algorithm]) -> Self {
        self.tag_manifests = algorithms.to_vec();
        self
    }

    /// Puts the manifests before the payload. Payload files are then made twice.
    pub fn manifests_first(mut self) -> Self {
        self.manifests_first = true;
        self
    }

    /// Lists a wrong digest for a file, in every manifest that lists it.
    pub fn corrupt_digest(mut self, path: impl Into<String>) -> Self {
        self.corrupt.insert(path.into());
        self
    }

    /// Lists a file, and leaves it out of the tar.
    pub fn without_file_but_listed(mut self, path: &str) -> Self {
        if !self.files.iter().any(|file| file.path == path) {
            self = self.file(path, []);
        }
        for file in self.files.iter_mut().filter(|file| file.path == path) {
            file.is_present = false;
        }
        self
    }

    /// Puts a file into the tar that no manifest lists.
    pub fn extra_unlisted_file(
        mut self,
        path: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        self.files.push(File {
            is_listed: false,
            ..File::new(path.into(), Content::Bytes(bytes.into()))
        });
        self
    }

    /// Lists this many files in every payload manifest that are not there.
    pub fn phantom_lines(mut self, count: u64) -> Self {
        self.phantom_lines = count;
        self
    }

    pub fn with_fetch_txt(self) -> Self {
        self.file("fetch.txt", "https://example.edu/far.bin 12 data/far.bin\n")
    }

    pub fn without_bagit_txt(self) -> Self {
        self.without_tag_file("bagit.txt")
    }

    /// The version of BagIt that `bagit.txt` declares.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Adds any member of a tar after those of the bag. Its name is taken as it is, so a member
    /// inside the bag has the folder's name in front.
    pub fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Ends the tar at its last member, as a common bagging tool does.
    pub fn without_end_blocks(mut self) -> Self {
        self.ending.clear();
        self
    }

    /// Puts bytes after the end of the tar.
    pub fn trailing(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.ending.extend(bytes.as_ref());
        self
    }

    pub fn to_tar(&self) -> Vec<u8> {
        in_memory(|out| self.write_tar(out))
    }

    pub fn write_tar(&self, out: &mut impl Write) -> io::Result<()> {
        let mut bag = Writing::new(self, out);
        bag.directory("")?;
        for file in &self.tag_files() {
            bag.file(file)?;
        }
        if self.manifests_first {
            self.payload().try_for_each(|file| bag.list(file))?;
            bag.manifests()?;
            bag.directory("data/")?;
            self.payload().try_for_each(|file| bag.write(file))?;
        } else {
            bag.directory("data/")?;
            self.payload().try_for_each(|file| bag.file(file))?;
            bag.manifests()?;
        }
        for entry in &self.entries {
            entry.write_to(out)?;
        }
        out.write_all(&self.ending)
    }

    fn payload(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| is_payload(&file.path))
    }

    /// All files outside `data/` but the manifests, in the order of the tar.
    fn tag_files(&self) -> Vec<File> {
        let declaration = format!(
            "BagIt-Version: {}\nTag-File-Character-Encoding: UTF-8\n",
            self.version
        );
        let mut texts = vec![("bagit.txt".to_owned(), declaration)];
        for tag in self.tags.iter().chain(self.oxum().as_ref()) {
            let line = format!("{}: {}\n", tag.name, tag.value);
            match texts.iter_mut().find(|(file, _)| *file == tag.file) {
                Some((_, text)) => text.push_str(&line),
                None => texts.push((tag.file.clone(), line)),
            }
        }
        texts.retain(|(path, _)| !self.without.contains(path) && !self.holds(path));
        let own = texts
            .into_iter()
            .map(|(path, text)| File::new(path, Content::Bytes(text.into_bytes())));
        let given = self.files.iter().filter(|file| !is_payload(&file.path));
        own.chain(given.cloned()).collect()
    }

    fn holds(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Counts what the tar holds, so that a file left out or slipped in is the only mistake.
    fn oxum(&self) -> Option<Tag> {
        let given = self.tags.iter().any(|tag| tag.name == OXUM);
        if given || self.without.contains(OXUM) {
            return None;
        }
        let present = || self.payload().filter(|file| file.is_present);
        let bytes: u64 = present().map(|file| file.content.size()).sum();
        Some(Tag {
            file: BAG_INFO.to_owned(),
            name: OXUM.to_owned(),
            value: format!("{bytes}.{}", present().count()),
        })
    }
}

fn is_payload(path: &str) -> bool {
    path.starts_with("data/")
}

/// What `write` writes, in memory.
fn in_memory(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match write(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => unreachable!("writing to memory does not fail"),
    }
}

#[cfg(test)]
mod tests;
