//! Runs other programs where everybody can see it: each command line, then how long it took.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// One call of cargo.
pub(crate) struct Cargo<'a> {
    pub(crate) arguments: Vec<&'a str>,
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

impl<'a> Cargo<'a> {
    /// Splits `line` at its spaces.
    pub(crate) fn line(line: &'a str) -> Self {
        Self {
            arguments: line.split(' ').collect(),
            environment: &[],
        }
    }

    pub(crate) fn with(mut self, more: &'a [String]) -> Self {
        self.arguments.extend(more.iter().map(String::as_str));
        self
    }

    /// As one would type it.
    fn shown(&self) -> String {
        let mut words: Vec<String> = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        words.push("cargo".to_owned());
        words.extend(self.arguments.iter().map(|word| (*word).to_owned()));
        words.join(" ")
    }

    /// Runs it in `root`, with its output on ours.
    pub(crate) fn run(&self, root: &Path) -> Result<()> {
        let shown = self.shown();
        timed(&shown, || {
            let status = Command::new("cargo")
                .args(&self.arguments)
                .envs(self.environment.iter().copied())
                .current_dir(root)
                .status()
                .with_context(|| format!("could not start {shown}"))?;
            if !status.success() {
                bail!("failed: {shown} ({status})");
            }
            Ok(())
        })
    }
}

/// Whether cargo knows a command that not everybody has installed.
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
