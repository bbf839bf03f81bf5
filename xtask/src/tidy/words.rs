//! Words that we do not use, because the field or plain English has a better one for the same thing.
//!
//! Cannot tell a meaning: a word that is right in another one (a lock and a turn) is not in the table.

use super::Finding;
use super::text::extension;
use super::tree::Tree;

/// What we do not say, in lower case, and what to say instead.
const WORDS: &str = "\
pulse, pulses, sign of life, signs of life: the field says heartbeat
hand back, hands back, handed back, handing back: a lease or permit is released
settle, settles, settled, settling: a message is acknowledged or released
proof, proofs: how a copy was confirmed is its verification method
stumbles, stumbled, falsifies, falsified: two readings that differ are an unstable read
whoever, whomever, somebody: name the one who acts: the caller, the depositor, another worker
stands, stand in, stand for: say is, takes the place of, or means";

const EXTENSIONS: [&str; 3] = ["rs", "md", "sql"];

/// Its last column is where the words are listed that we do not use.
const GLOSSARY: &str = "docs/GLOSSARY.md";

/// The table above and its tests have to name the words.
const ITSELF: &str = "xtask/src/tidy/words";

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        if !EXTENSIONS.contains(&extension(path)) || is_exempt(path) {
            continue;
        }
        for (line, number) in text.lines().zip(1..) {
            let words = words(without_last_column(path, line));
            let rules = WORDS.lines().filter_map(|row| row.split_once(": "));
            findings.extend(rules.filter_map(|(unused, instead)| {
                let mut unused = unused.split(", ");
                let word = unused.find(|word| words.contains(&format!(" {word} ")))?;
                let rule = format!("the word {word:?}: {instead}");
                Some(Finding::new(path, number, rule))
            }));
        }
    }
    findings
}

/// A migration that was released is never edited.
fn is_exempt(path: &str) -> bool {
    path.starts_with(ITSELF) || path.split('/').any(|folder| folder == "migrations")
}

fn without_last_column<'a>(path: &str, line: &'a str) -> &'a str {
    let row = line.trim_end().strip_suffix('|').unwrap_or_default();
    match row.rsplit_once('|') {
        Some((columns, _)) if path == GLOSSARY => columns,
        Some(_) | None => line,
    }
}

/// The words of a line in lower case, those of names in code too, each between spaces.
fn words(line: &str) -> String {
    let mut words = String::from(" ");
    let mut after_lower = false;
    for character in line.chars() {
        if !character.is_alphanumeric() || (after_lower && character.is_uppercase()) {
            words.push(' ');
        }
        if character.is_alphanumeric() {
            words.extend(character.to_lowercase());
        }
        after_lower = character.is_lowercase();
    }
    words.push(' ');
    words
}

#[cfg(test)]
mod tests;
