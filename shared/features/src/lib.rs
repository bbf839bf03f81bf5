//! Holds no code: one set of third-party features, whichever of our crates are built.
//!
//! Cargo gives a dependency the features that the selected crates ask for, so `cargo test -p X` after a
//! build of the workspace would compile tokio, serde and all that use them a second time. Every crate of
//! ours depends on this one, and its manifest asks for what the workspace as a whole asks for.
//!
//! Names no package that only some crates may use (the S3 SDK, HTTP clients, databases). xtask does not
//! depend on it: that would make the first command in a fresh clone compile a TLS implementation.
