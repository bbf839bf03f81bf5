//! What every worker needs beside its code: one name everywhere, and a place in the documents.

use super::Finding;
use super::tree::{File, Tree};

const BIN_FOLDER: &str = "workers/src/bin/";
const UNBUILT: &str = "workers/src/unbuilt.rs";
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
    if is_unbuilt(tree, worker) {
        return missing_of_unbuilt(tree, worker);
    }
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

/// One whose step is not built yet has a row among those, and operators are told.
fn is_unbuilt(tree: &Tree, worker: &str) -> bool {
    tree.text(UNBUILT).contains(&format!("name: \"{worker}\","))
}

fn missing_of_unbuilt(tree: &Tree, worker: &str) -> Vec<String> {
    let is_told = tree.text(OPERATIONS).contains(&format!("`{worker}`"));
    let missing = (!is_told).then(|| format!("{OPERATIONS} does not name the worker"));
    missing.into_iter().collect()
}

#[cfg(test)]
mod tests;
