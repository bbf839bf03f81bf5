//! The registry over HTTP, one file per resource.
//!
//! Every call has a time limit, is idempotent and is repeated a few times while that helps
//! (`muniment-retry`): creates go by identifiers that the caller derives, updates of work items
//! carry their version, and an operator's order that was carried out is known by what it left. The waits
//! between repetitions end when the client is told to stop.
//!
//! It cannot delete anything, and holds no cache: what it answers is what the registry said.

mod error;
mod exchange;
mod files;
mod institutions;
mod objects;
mod orders;
mod paging;
mod settings;
mod work_items;

pub use error::ClientError;
pub use exchange::RegistryClient;
pub use files::FileQuery;
pub use paging::{Order, PageRequest};
pub use settings::RegistrySettings;
pub use work_items::{LockAnswer, MadeItem, OpenItems, WorkItemQuery};
