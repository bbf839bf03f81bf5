//! The closed words of the registry's records.
//!
//! Not among them: what a filter of a list is compared with. A word that no record has finds none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::pipeline::{UnknownWord, words};

words! {
    /// Whether a record is in use. Rows are never removed.
    #[derive(Default)]
    RecordState for "a state" {
        /// What an institution is when it is made; objects and files have to say.
        #[default]
        Active = "A",
        /// Of an institution: deactivated.
        Deleted = "D",
    }
}

words! {
    /// The part that a depositor has in the consortium.
    #[derive(Default)]
    InstitutionKind for "a kind of institution" {
        /// The institution that runs the installation has no kind.
        #[default]
        Unspecified = "",
        Member = "MemberInstitution",
        /// An associate of a member.
        Subscription = "SubscriptionInstitution",
    }
}

words! {
    /// Who may see an object, as its depositor says. Kept and shown; the registry shows an object
    /// inside its own institution only, whatever the word.
    #[derive(Default)]
    Access for "an access right" {
        Consortia = "consortia",
        /// Of a bag that does not say.
        #[default]
        Institution = "institution",
        Restricted = "restricted",
    }
}

words! {
    /// The types of PREMIS events that the contract's registry accepts.
    EventType for "an event type" {
        AccessAssignment = "access assignment",
        Creation = "creation",
        Deletion = "deletion",
        MessageDigestCalculation = "message digest calculation",
        FixityCheck = "fixity check",
        IdentifierAssignment = "identifier assignment",
        Ingestion = "ingestion",
        Replication = "replication",
        Validation = "validation",
    }
}

words! {
    /// How what a PREMIS event tells of came out.
    EventOutcome for "an outcome of an event" {
        Success = "Success",
        Failure = "Failure",
        /// What fixity checks of the original send and what its alerts look for.
        Failed = "Failed",
    }
}
