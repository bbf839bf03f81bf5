//! What is fuzzed: one function for each parser that reads bytes of a depositor, and what must be true
//! of its answers whatever the bytes are.
//!
//! A target panics when a promise is broken and returns otherwise. Two callers push bytes in: the
//! tests replay the seeds, the corpus and a fixed number of changed seeds in every check; and
//! [`differential`] asks GNU tar and Python's tarfile what they make of the same tars.
//!
//! Cannot see what a wrong answer would be where the parser alone decides: the tests of `muniment-bagit`
//! say that, row by row.

mod cut;
pub mod differential;
mod manifest;
mod member_name;
pub mod mutate;
mod random;
pub mod seeds;
mod tag_file;
mod tar_reader;

pub use random::Random;
use seeds::Seed;

/// A parser and what it is fed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// That of its folder in `corpus/`.
    pub name: &'static str,
    /// Panics when the parser breaks a promise.
    pub check: fn(&[u8]),
    /// Only pushes the bytes through the parser and keeps nothing, so that its memory can be measured.
    pub parse: fn(&[u8]),
    /// The inputs to begin with.
    pub seeds: fn() -> Vec<Seed>,
    /// Changes an input; the other one is what parts may be taken from.
    pub mutate: fn(&mut Vec<u8>, &[u8], &mut Random),
}

pub const TAR_READER: Target = Target {
    name: "tar_reader",
    check: tar_reader::check,
    parse: tar_reader::parse,
    seeds: seeds::tars,
    mutate: mutate::tar,
};

pub const MANIFEST: Target = Target {
    name: "manifest",
    check: manifest::check,
    parse: manifest::parse,
    seeds: seeds::manifests,
    mutate: mutate::text,
};

pub const TAG_FILE: Target = Target {
    name: "tag_file",
    check: tag_file::check,
    parse: tag_file::parse,
    seeds: seeds::tag_files,
    mutate: mutate::text,
};

pub const MEMBER_NAME: Target = Target {
    name: "member_name",
    check: member_name::check,
    parse: member_name::parse,
    seeds: seeds::member_names,
    mutate: mutate::text,
};

pub const TARGETS: [Target; 4] = [TAR_READER, MANIFEST, TAG_FILE, MEMBER_NAME];

/// The encoding that the first byte of an input chooses, and the rest, which is the text.
fn encoding_and_text(input: &[u8]) -> (muniment_bagit::tag_file::TagEncoding, &[u8]) {
    use muniment_bagit::tag_file::TagEncoding;
    let (first, text) = input.split_first().unwrap_or((&0, &[]));
    let label = seeds::ENCODINGS.get(usize::from(*first) % seeds::ENCODINGS.len());
    let encoding = label.and_then(|label| TagEncoding::for_label(label));
    (encoding.unwrap_or(TagEncoding::UTF_8), text)
}
