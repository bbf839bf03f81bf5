//! What CI asks for, as commands.
//!
//! Nothing here sets incremental compilation or compiler flags: cargo keeps what was built with others
//! apart, so a check on a laptop would compile everything of ours a second time.

use std::path::Path;

use anyhow::Result;

use crate::command::{Cargo, is_installed, timed};
use crate::tidy;

/// Everything, cheapest first, so that most failures show within a minute. Ends at the first.
pub(crate) fn check(root: &Path) -> Result<()> {
    timed("everything", || {
        Cargo::line("fmt --all --check").run(root)?;
        timed("cargo xtask tidy", || tidy::tidy(root))?;
        Cargo::line("clippy --workspace --all-targets --locked -- -D warnings").run(root)?;
        // Before the tests, so that the last summary anybody reads is that of all tests.
        Cargo::line("test --doc --workspace --locked").run(root)?;
        test(root, &[])?;
        Cargo {
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
            ..Cargo::line("doc --workspace --no-deps --locked")
        }
        .run(root)?;
        dependencies(root)
    })
}

/// The tests of the whole workspace, or those that `arguments` choose.
pub(crate) fn test(root: &Path, arguments: &[String]) -> Result<()> {
    let runner = if is_installed("nextest") {
        "nextest run --locked"
    } else {
        "test --locked"
    };
    let command = Cargo::line(runner);
    if arguments.is_empty() {
        command.with(&["--workspace".to_owned()]).run(root)
    } else {
        command.with(arguments).run(root)
    }
}

/// Licences, who may depend on what, and where it comes from. Its advisories need a network that not every
/// machine has, so they are left out.
fn dependencies(root: &Path) -> Result<()> {
    if is_installed("deny") {
        return Cargo::line("deny --locked check --hide-inclusion-graph licenses bans sources")
            .run(root);
    }
    println!("\n==> cargo deny is not installed: licences and dependencies are not checked");
    Ok(())
}

/// The bench program.
pub(crate) fn bench(root: &Path, arguments: &[String]) -> Result<()> {
    Cargo::line("run --release -p muniment --example bench --")
        .with(arguments)
        .run(root)
}
