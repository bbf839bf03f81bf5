//! Looks at a running system from outside, as a depositor and an auditor do: by S3 and REST.
//!
//! For tests of a whole system, in one process or deployed. It knows where the system is and what it
//! has promised (worker contract, part 4), and nothing of how it works inside: the S3 client, the HTTP
//! client and the tar reader are other ones than the workers use. What is not as promised is an answer
//! ([`Differences`]), never a panic; an [`ObserverError`] means that it could not look.
//!
//! It reads, and may be asked again at any time. The only things it writes are uploads, and buckets to
//! put them into.

mod check;
mod difference;
mod error;
mod observer;
mod site;
mod tar_listing;
mod uploads;

pub use check::Expected;
pub use difference::{DIFFERENCES_MAX, Difference, Differences, Subject};
pub use error::ObserverError;
pub use observer::{Observer, Stored};
pub use site::{RegistryAccess, S3Access, Site};
pub use tar_listing::{Member, TarListing};
pub use uploads::Upload;
