//! The crate as its users see it, on real files.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not the helpers beside them"
)]

mod faults;
mod kit;
mod migrations;
mod untouched;
mod writer;
