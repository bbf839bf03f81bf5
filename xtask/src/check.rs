//! What CI asks for, as commands.
//!
//! Nothing here sets incremental compilation or compiler flags: cargo keeps what was built with others
//! apart, so a check on a laptop would compile everything of ours a second time.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, is_installed, timed};
use crate::{needs, servers, tidy};

/// Everything, cheapest first, so that most failures show within a minute. Ends at the first.
pub(crate) fn check(root: &Path) -> Result<()> {
    let run = |line| cargo(root, &[], line, &[]);
    timed("everything", || {
        run("fmt --all --check")?;
        timed("cargo xtask tidy", || tidy::tidy(root))?;
        run("clippy --workspace --all-targets --locked -- -D warnings")?;
        // Before the tests, so that the last summary on the screen is that of all tests.
        run("test --doc --workspace --locked")?;
        test(root, &[])?;
        let strictly = [("RUSTDOCFLAGS", "-D warnings")];
        cargo(root, &strictly, "doc --workspace --no-deps --locked", &[])
    })
}

/// The tests of the whole workspace, or those that `arguments` choose, and before them what they run on.
pub(crate) fn test(root: &Path, arguments: &[String]) -> Result<()> {
    needs::get();
    servers::fetch(root)?;
    let line = match (is_installed("nextest"), arguments.is_empty()) {
        (true, true) => "nextest run --locked --workspace",
        (true, false) => "nextest run --locked",
        (false, true) => "test --locked --workspace",
        (false, false) => "test --locked",
    };
    cargo(root, &[], line, arguments)
}

/// The bench program.
pub(crate) fn bench(root: &Path, arguments: &[String]) -> Result<()> {
    cargo(
        root,
        &[],
        "run --release -p muniment --example bench --",
        arguments,
    )
}
