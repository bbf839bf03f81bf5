//! What GNU tar and Python's tarfile find in a tar, beside what we find.
//!
//! A tar that two programs read in two ways can hide files from one of them. So of every tar one of
//! these has to be true: all three find the same members with the same bytes, or we refuse it and say
//! why. The exceptions are in [`exceptions`], each with its reason.
//!
//! The programs write nothing but to their standard output, and have a temporary folder as theirs.

mod exceptions;
mod gnu;
mod python;

use anyhow::Result;
use muniment_bagit::tar::EntryKind;
use muniment_model::{FindingCode, Findings};

pub use gnu::Gnu;
pub use python::Python;

use crate::tar_reader::{Seen, read};

/// A file or folder, as far as programs have to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Without slashes at its end: programs differ whether a folder's name has one.
    pub name: Vec<u8>,
    pub kind: Kind,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A link, a device, or what the program calls otherwise.
    Other,
}

/// What another program makes of a tar: its members, or what it says against it.
pub type Answer = Result<Vec<Found>, String>;

/// What we make of a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ours {
    Members(Vec<Found>),
    /// The findings that refuse it.
    Refused(Vec<(FindingCode, String)>),
}

/// How the three readings of one tar compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// All find this many members, and the same.
    Same(usize),
    Refused(Vec<(FindingCode, String)>),
    /// Differences that are in the table, by their names.
    Excepted(Vec<&'static str>),
    /// A tar that is neither.
    Differs(String),
}

/// Both other programs, started.
#[derive(Debug)]
pub struct Programs {
    pub gnu: Gnu,
    pub python: Python,
}

impl Programs {
    /// Fails when one of them is not installed, and says what to install: a comparison with nothing
    /// must not look like one that found nothing.
    pub fn start() -> Result<Self> {
        Ok(Self {
            gnu: Gnu::find()?,
            python: Python::start()?,
        })
    }

    /// Fails when a program could not be asked, not when it refuses the tar.
    pub fn compare(&mut self, tar: &[u8]) -> Result<Agreement> {
        let ours = match ours(tar) {
            Ours::Members(members) => members,
            Ours::Refused(findings) => return Ok(Agreement::Refused(findings)),
        };
        let answers = [
            ("GNU tar", self.gnu.read(tar)?),
            ("Python", self.python.read(tar)?),
        ];
        let mut excepted = Vec::new();
        for (program, answer) in answers {
            if answer.as_ref() == Ok(&ours) {
                continue;
            }
            match exceptions::find(program, tar, &ours, &answer) {
                Some(name) => excepted.push(name),
                None => return Ok(Agreement::Differs(difference(program, &ours, &answer))),
            }
        }
        Ok(if excepted.is_empty() {
            Agreement::Same(ours.len())
        } else {
            Agreement::Excepted(excepted)
        })
    }
}

/// The members of a tar, if a bag may have all of them.
pub fn ours(tar: &[u8]) -> Ours {
    let mut members: Vec<Found> = Vec::new();
    let mut findings = Findings::default();
    for event in read(tar) {
        match event {
            Seen::Member(member) => {
                if let Err(fault) = member.place() {
                    fault.report(&mut findings);
                }
                members.push(Found {
                    name: without_slashes(&member.raw_path).to_vec(),
                    kind: match member.kind {
                        EntryKind::Regular => Kind::File,
                        EntryKind::Directory => Kind::Folder,
                    },
                    bytes: Vec::new(),
                });
            }
            Seen::Data(data) => {
                if let Some(last) = members.last_mut() {
                    last.bytes = data;
                }
            }
            Seen::Irregular(irregular) => irregular.report(&mut findings),
            Seen::Failed(fault) => fault.report(&mut findings),
            Seen::MemberEnd(_) | Seen::End | Seen::Finished(_) => {}
        }
    }
    if findings.is_valid() {
        return Ours::Members(members);
    }
    let errors = findings.errors();
    Ours::Refused(errors.map(|one| (one.code, one.message.clone())).collect())
}

fn without_slashes(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| *byte != b'/');
    let kept = end.and_then(|end| name.get(..=end));
    kept.unwrap_or_default()
}

/// The first member that is not the same, in words.
fn difference(program: &str, ours: &[Found], answer: &Answer) -> String {
    let theirs = match answer {
        Ok(theirs) => theirs,
        Err(said) => return format!("we find {} members, {program} says: {said}", ours.len()),
    };
    let shown = |found: Option<&Found>| match found {
        Some(Found { name, kind, bytes }) => {
            format!("{kind:?} {} of {} bytes", name.escape_ascii(), bytes.len())
        }
        None => "nothing".to_owned(),
    };
    let same = ours
        .iter()
        .zip(theirs)
        .take_while(|(one, other)| one == other);
    let at = same.count();
    format!(
        "member {at} of {}: we find {}, {program} finds {}",
        ours.len(),
        shown(ours.get(at)),
        shown(theirs.get(at))
    )
}
