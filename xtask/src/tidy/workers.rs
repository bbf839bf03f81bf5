//! What every worker needs beside its code: one name everywhere, and a place in the documents.

use super::Finding;
use super::tree::{File, Tree};

const BIN_FOLDER: &str = "workers/src/bin/";
const OPERATIONS: &str = "docs/OPERATIONS.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for File { path, .. } in &tree.files {
        let name = path.strip_prefix(BIN_FOLDER);
        if let Some(worker) = name.and_then(|name| name.strip_suffix(".rs")) {
            let missing = missing(tree, worker).into_iter();
            findings.extend(missing.map(|rule| Finding::new(path, 1, rule)));
        }
    }
    findings
}

fn missing(tree: &Tree, worker: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let module = format!("workers/src/{worker}.rs");
    if tree.get(&module).is_none() {
        missing.push(format!("the worker has no module {module}"));
    }
    let heading = format!("## {worker}");
    let mut lines = tree.text(OPERATIONS).lines();
    if !lines.any(|line| line.replace('`', "").trim_end() == heading) {
        missing.push(format!("{OPERATIONS} has no section {heading:?}"));
    }
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut words = tree
        .text(ARCHITECTURE)
        .split(|character| !is_part(character));
    if !words.any(|word| word == worker) {
        missing.push(format!("{ARCHITECTURE} does not name the worker"));
    }
    missing
}

#[cfg(test)]
mod tests;
