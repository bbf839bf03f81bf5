//! What a bag will be called where it is preserved, as far as that can be known before it is deposited.
//!
//! Institution and bag are part of what each copy of a file says about itself, so they leave less room
//! for the paths of its files, and Receive judges the paths by what is left.

use muniment_bagit::member::check_identity;
use muniment_model::{FindingCode, Findings, ObjectIdentifier};

use crate::up::INSTITUTION_BYTES_MAX;

/// Institution and bag.
pub(super) struct Identity {
    institution: String,
    object: ObjectIdentifier,
    /// Whether no institution was named, and the one with the longest identifier is assumed: then what
    /// is accepted here is accepted of everybody.
    is_assumed: bool,
}

impl Identity {
    pub(super) fn new(institution: Option<&str>, bag_name: &str) -> Self {
        let longest = || "x".repeat(INSTITUTION_BYTES_MAX);
        let name = institution.map_or_else(longest, str::to_owned);
        Self {
            object: ObjectIdentifier::new(&name, bag_name),
            institution: name,
            is_assumed: institution.is_none(),
        }
    }

    /// The object's identifier, when the institution is known.
    pub(super) fn object(&self) -> Option<&str> {
        (!self.is_assumed).then(|| self.object.as_str())
    }

    /// Whether copies can carry the path of this member. If not, that is a finding.
    pub(super) fn has_room_for(&self, path: &str, findings: &mut Findings) -> bool {
        let Err(fault) = check_identity(&self.institution, &self.object, path) else {
            return true;
        };
        if self.is_assumed {
            let message = format_args!(
                "{fault} (with an institution identifier of {INSTITUTION_BYTES_MAX} bytes, the longest \
                 there is: name yours with --institution)"
            );
            findings.error(FindingCode::MemberNameTooLong, fault.name(), message);
        } else {
            fault.report(findings);
        }
        false
    }
}
