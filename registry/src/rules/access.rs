//! Which roles may use which API, and whose records they see (registry contract, 1.2 and 1.3).
//!
//! Roles other than `admin` read the member API inside their own institution; everything else, every
//! write included, belongs to the admin API.

use std::fmt;
use std::str::FromStr;

use muniment_model::InstitutionId;

/// What a user may do, in the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs the installation: sees and writes everything.
    Admin,
    /// Runs a depositor's account.
    InstitutionalAdmin,
    InstitutionalUser,
    /// May do nothing.
    None,
}

impl Role {
    const ALL: [Self; 4] = [
        Self::Admin,
        Self::InstitutionalAdmin,
        Self::InstitutionalUser,
        Self::None,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::InstitutionalAdmin => "institutional_admin",
            Self::InstitutionalUser => "institutional_user",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| UnknownRole(word.to_owned()))
    }
}

/// Whom an API is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// `/admin-api/v3`
    Admin,
    /// `/member-api/v3`, where everything is read only.
    Member,
}

/// Whose records a request may see. Every read of the store takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    Institution(InstitutionId),
}

impl Scope {
    pub(crate) fn covers(self, institution: InstitutionId) -> bool {
        match self {
            Self::Everything => true,
            Self::Institution(own) => own == institution,
        }
    }
}

/// What a user of this role and institution sees in the API of an audience; `None` when the user does
/// not belong to it.
pub(crate) fn admit(role: Role, institution: InstitutionId, audience: Audience) -> Option<Scope> {
    match (role, audience) {
        (Role::Admin, Audience::Admin | Audience::Member) => Some(Scope::Everything),
        (Role::InstitutionalAdmin | Role::InstitutionalUser, Audience::Member) => {
            Some(Scope::Institution(institution))
        }
        (Role::InstitutionalAdmin | Role::InstitutionalUser, Audience::Admin)
        | (Role::None, Audience::Admin | Audience::Member) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: InstitutionId = InstitutionId(3);

    #[test]
    fn only_administrators_use_the_admin_api_and_members_see_only_their_own() {
        let own = Some(Scope::Institution(OWN));
        let all = Some(Scope::Everything);
        let rows = [
            (Role::Admin, Audience::Admin, all),
            (Role::Admin, Audience::Member, all),
            (Role::InstitutionalAdmin, Audience::Admin, None),
            (Role::InstitutionalAdmin, Audience::Member, own),
            (Role::InstitutionalUser, Audience::Admin, None),
            (Role::InstitutionalUser, Audience::Member, own),
            (Role::None, Audience::Admin, None),
            (Role::None, Audience::Member, None),
        ];

        for (role, audience, expected) in rows {
            assert_eq!(admit(role, OWN, audience), expected, "{role} {audience:?}");
        }
    }

    #[test]
    fn a_scope_covers_its_own_institution_only() {
        assert!(Scope::Everything.covers(OWN));
        assert!(Scope::Institution(OWN).covers(OWN));
        assert!(!Scope::Institution(OWN).covers(InstitutionId(4)));
    }

    #[test]
    fn roles_are_read_back_as_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Admin".parse::<Role>().is_err());
    }
}
