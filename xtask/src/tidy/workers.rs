//! What every worker needs beside its code: one name everywhere, and a place in the documents.

use super::Finding;
use super::tree::Tree;

const BIN_FOLDER: &str = "workers/src/bin/";
const OPERATIONS: &str = "docs/OPERATIONS.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix(BIN_FOLDER)?.strip_suffix(".rs")?;
            Some((file.path.as_str(), name))
        })
        .flat_map(|(path, worker)| {
            missing(tree, worker)
                .into_iter()
                .map(|rule| Finding::new(path, 1, rule))
        })
        .collect()
}

fn missing(tree: &Tree, worker: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let module = format!("workers/src/{worker}.rs");
    if tree.get(&module).is_none() {
        missing.push(format!("the worker has no module {module}"));
    }
    let heading = format!("## {worker}");
    if !tree
        .text(OPERATIONS)
        .lines()
        .any(|line| line.replace('`', "").trim_end() == heading)
    {
        missing.push(format!("{OPERATIONS} has no section {heading:?}"));
    }
    let is_named = tree
        .text(ARCHITECTURE)
        .split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .any(|word| word == worker);
    if !is_named {
        missing.push(format!("{ARCHITECTURE} does not name the worker"));
    }
    missing
}

#[cfg(test)]
mod tests;
