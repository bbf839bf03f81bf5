//! Where the members of one tar belong: which folder is the bag, and what each member is to it.
//!
//! Pass one and the `muniment` command ask here, so that both accept the same tars in the same
//! words. Pure: the same members in the same order give the same answers, and a reading that is
//! resumed goes on with the folder it had.
//!
//! It cannot see two members with one path: the validator does.

use muniment_model::{FindingCode, Findings, MemberKind};

use crate::member::kind_of;
use crate::tar::{EntryKind, Member};

/// The folder at the top of a tar, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    folder: Option<String>,
}

/// A member that is part of the bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BagMember<'a> {
    /// The path in the bag, never empty.
    pub path: &'a str,
    pub kind: MemberKind,
}

impl Survey {
    /// Goes on where an earlier reading stopped. An empty name is none.
    pub fn resume(folder: Option<String>) -> Self {
        Self {
            folder: folder.filter(|name| !name.is_empty()),
        }
    }

    /// The bag's folder; `None` until a member has named it.
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    /// Says what a member is to the bag. `None` for one to pass over: the root of the tar, the
    /// bag's folder itself, and whatever cannot be part of the bag, which is a finding.
    pub fn place<'a>(
        &mut self,
        member: &'a Member,
        findings: &mut Findings,
    ) -> Option<BagMember<'a>> {
        let place = match member.place() {
            Ok(place) => place,
            Err(fault) => {
                fault.report(findings);
                return None;
            }
        };
        // `./` names no folder: what follows may be in any one.
        if place.folder.is_empty() {
            return None;
        }
        let bag = self.folder.get_or_insert_with(|| place.folder.to_owned());
        if bag != place.folder {
            let other = place.folder;
            let name = match place.path {
                "" => other,
                path => path,
            };
            let message = format_args!("The tar holds more than one folder: {bag} and {other}");
            findings.error(FindingCode::SeveralFolders, name, message);
            return None;
        }
        if place.path.is_empty() {
            return None;
        }
        let kind = match member.kind {
            EntryKind::Directory => MemberKind::Directory,
            EntryKind::Regular => kind_of(place.path),
        };
        Some(BagMember {
            path: place.path,
            kind,
        })
    }
}

#[cfg(test)]
mod tests;
