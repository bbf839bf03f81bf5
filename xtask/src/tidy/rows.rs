//! The rows of the fault matrix that ingest is held to: each is on its page and has a test whose name begins
//! with it, and the page names no test that is not there.
//!
//! Cannot tell whether a test shows what its row asks for.

use std::collections::BTreeSet;

use super::Finding;
use super::text::extension;
use super::tree::Tree;

const PAGE: &str = "docs/FAULT_MATRIX.md";

const ROWS: &str = "s2 s3 s4 s5 s6 s7 s8 s9 z1 z2 z3 z4 z5 z6 z7 z8 z9 z10 z11 z12 z13 z14 z15 z16 z19 z20 \
     r1 r2 r3 r4 r5";

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let sources = tree.texts().filter(|(path, _)| extension(path) == "rs");
    let tests: BTreeSet<&str> = sources.flat_map(|(_, text)| functions(text)).collect();
    let page = tree.text(PAGE);
    let mut findings = Vec::new();
    for row in ROWS.split(' ') {
        let cell = format!("| {} |", row.to_uppercase());
        let mut lines = page.lines().zip(1..);
        let line = lines.find(|(text, _)| text.starts_with(&cell));
        let number = line.map_or(1, |(_, number)| number);
        if line.is_none() {
            let rule = format!("the row {} is missing", row.to_uppercase());
            findings.push(Finding::new(PAGE, number, rule));
        }
        if !tests.iter().any(|test| is_of(row, test)) {
            let rule = format!("no test has a name that begins with {row}_");
            findings.push(Finding::new(PAGE, number, rule));
        }
    }
    for (line, number) in page.lines().zip(1..) {
        let named = line.split('`').skip(1).step_by(2);
        let missing = named.filter(|word| is_of_a_row(word) && !tests.contains(word));
        findings.extend(
            missing.map(|test| Finding::new(PAGE, number, format!("there is no test {test}"))),
        );
    }
    findings
}

fn is_of_a_row(name: &str) -> bool {
    ROWS.split(' ').any(|row| is_of(row, name))
}

fn is_of(row: &str, name: &str) -> bool {
    let rest = name.strip_prefix(row);
    rest.is_some_and(|rest| rest.starts_with('_'))
}

/// The names of the functions that a source defines.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (before, after) = line.split_once("fn ")?;
        let is_definition = before
            .split_whitespace()
            .all(|word| ["pub", "pub(crate)", "pub(super)", "async"].contains(&word));
        let (name, _) = after.split_once('(')?;
        is_definition.then_some(name)
    })
}

#[cfg(test)]
mod tests;
