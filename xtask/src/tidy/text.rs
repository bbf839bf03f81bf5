//! Rules about single files: length, header, reminders, what does not belong in a repository.

use super::Finding;
use super::tree::Tree;

/// A file that is longer is not read in one sitting. Aim below 400.
const LINES_MAX: usize = 500;

/// Wiring has no room for decisions.
const BIN_LINES_MAX: usize = 40;

const BIN_FOLDER: &str = "workers/src/bin/";

/// Databases and their companions: what a run leaves behind, never what a project is made of.
const DATA_EXTENSIONS: [&str; 7] = [
    "sqlite",
    "sqlite3",
    "sqlite-wal",
    "sqlite-shm",
    "db",
    "db-wal",
    "rdb",
];

/// Where a reminder is searched: in code, not in prose about it.
const CODE_EXTENSIONS: [&str; 5] = ["rs", "toml", "sql", "sh", "lua"];

/// Written in two parts so that this file does not break its own rule.
const REMINDERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Where the folders of a person's machine begin. In two parts for the same reason.
const HOMES: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    "\\Users\\",
];

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let data = tree
        .files
        .iter()
        .filter(|file| DATA_EXTENSIONS.contains(&extension(&file.path)))
        .map(|file| Finding::new(&file.path, 1, "a data file is tracked"));
    let texts = tree.texts().flat_map(|(path, text)| of_text(path, text));
    data.chain(texts).collect()
}

fn of_text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if extension(path) == "rs" {
        findings.extend(length(path, text));
        findings.extend(header(path, text));
    }
    for (line, number) in text.lines().zip(1..) {
        if CODE_EXTENSIONS.contains(&extension(path))
            && let Some(word) = reminder_without_issue(line)
        {
            let rule = format!("{word} without the number of an issue, as in {word} #12");
            findings.push(Finding::new(path, number, rule));
        }
        if let Some(home) = home_folder(line) {
            let rule = format!("a path of one machine ({home}...)");
            findings.push(Finding::new(path, number, rule));
        }
    }
    findings
}

pub(super) fn extension(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn length(path: &str, text: &str) -> Option<Finding> {
    let (limit, kind) = if path.starts_with(BIN_FOLDER) {
        (BIN_LINES_MAX, "a worker's binary")
    } else {
        (LINES_MAX, "a file")
    };
    let count = text.lines().count();
    (count > limit).then(|| {
        let rule = format!("{count} lines, {kind} has at most {limit}");
        Finding::new(path, limit + 1, rule)
    })
}

/// Tests need no header: the module they test has one.
fn header(path: &str, text: &str) -> Option<Finding> {
    let is_test = path
        .split('/')
        .any(|part| ["tests", "tests.rs"].contains(&part));
    let rule = "no header: a module begins with //! and what it does in one line";
    (!is_test && !text.starts_with("//!")).then(|| Finding::new(path, 1, rule))
}

fn reminder_without_issue(line: &str) -> Option<&'static str> {
    let is_word_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut after_hashes = line.split('#').skip(1);
    let has_issue =
        after_hashes.any(|after| after.starts_with(|first: char| first.is_ascii_digit()));
    let mut words = line.split(|character| !is_word_part(character));
    let found = words.find_map(|word| REMINDERS.into_iter().find(|reminder| *reminder == word));
    found.filter(|_| !has_issue)
}

/// The first part of a home folder, where a path begins, not inside a longer one or a URL.
fn home_folder(line: &str) -> Option<&'static str> {
    HOMES.into_iter().find(|home| {
        line.match_indices(home).any(|(at, _)| {
            let (before, rest) = line.split_at(at);
            let drive = home.starts_with('\\');
            let inside =
                before.ends_with(|last: char| last.is_alphanumeric() || "._-/*}".contains(last));
            let name = rest.strip_prefix(home).unwrap_or_default();
            (drive || !inside) && name.starts_with(char::is_alphanumeric)
        })
    })
}

#[cfg(test)]
mod tests;
