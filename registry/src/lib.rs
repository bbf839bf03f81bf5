//! The registry: the permanent record of objects, files, digests, copies, events and work items,
//! behind a REST API.
//!
//! `api/` speaks HTTP and JSON, `rules/` decides and touches nothing, `store/` is the only place with
//! SQL. A request goes api → rules → store. Every create is idempotent by an identifier that the
//! client derives, and every write is one transaction, so a client that got no answer asks again.
//!
//! It cannot reach S3, Redis or a queue.

mod api;
mod registry;
mod rules;
mod serve;
mod store;
mod views;

pub use registry::{Database, Registry, RegistryError};
pub use rules::access::Role;
