//! BagIt: bytes in, findings out. Reads tars, manifests, tag files and profiles.
//!
//! Nothing here does I/O of its own, waits, or reads a clock: callers push bytes and get values, so
//! the same code serves a worker, the command line and a fuzzer.

pub mod census;
pub mod manifest;
pub mod member;
pub mod profile;
pub mod survey;
pub mod tag_file;
pub mod tar;
pub mod validate;
