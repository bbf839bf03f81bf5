//! Runs other programs and shows it: each command line, then how long it took.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Runs cargo in `root` with the words of `line` and `more`, its output on ours.
pub(crate) fn cargo(
    root: &Path,
    environment: &[(&str, &str)],
    line: &str,
    more: &[String],
) -> Result<()> {
    // As one would type it.
    let mut shown = format!("cargo {line}");
    for (name, value) in environment {
        shown = format!("{name}={value:?} {shown}");
    }
    for word in more {
        shown = format!("{shown} {word}");
    }
    timed(&shown, || {
        let status = Command::new("cargo")
            .args(line.split(' '))
            .args(more)
            .envs(environment.iter().copied())
            .current_dir(root)
            .status()
            .with_context(|| format!("could not start {shown}"))?;
        if !status.success() {
            bail!("failed: {shown} ({status})");
        }
        Ok(())
    })
}

/// Whether cargo knows a command that is not part of it.
pub(crate) fn is_installed(subcommand: &str) -> bool {
    Command::new("cargo")
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Prints what is about to run, and afterwards how long it took, whether it worked or not.
pub(crate) fn timed(shown: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n==> {shown}");
    let start = Instant::now();
    let result = work();
    println!("    {:.1} s", start.elapsed().as_secs_f64());
    result
}
