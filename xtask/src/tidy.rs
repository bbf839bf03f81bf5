//! The house rules that no lint knows.
//!
//! Every rule is a pure function of the project's files, or of what cargo says about its packages, so that
//! tests hand it projects that never were on a disk.
//! Cannot change a file: it says where a rule is broken and leaves the rest to a person.

mod dependencies;
mod licences;
mod metadata;
mod rows;
mod text;
mod tree;
mod words;
mod workers;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use tree::Tree;

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    rule: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Prints every place where a rule is broken, and fails if there is one.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let packages = metadata::read(root)?;
    let mut findings = text::findings(&tree);
    findings.extend(dependencies::findings(&packages));
    findings.extend(rows::findings(&tree));
    findings.extend(words::findings(&tree));
    findings.extend(workers::findings(&tree));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            let (files, packages) = (tree.files.len(), packages.len());
            println!("tidy: {files} files, {packages} packages, nothing found");
            Ok(())
        }
        count => bail!("failed: tidy ({count} found)"),
    }
}
