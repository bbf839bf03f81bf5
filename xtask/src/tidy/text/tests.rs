use super::super::tree::{File, Tree};
use super::{BIN_LINES_MAX, LINES_MAX, findings};

/// The rules broken by one file, as `line: rule`.
fn broken(path: &str, text: &str) -> Vec<String> {
    findings(&Tree::of(&[(path, text)]))
        .into_iter()
        .map(|finding| format!("{}: {}", finding.line, finding.rule))
        .collect()
}

fn module(lines: usize) -> String {
    format!("//! What it does.\n{}", "\n".repeat(lines - 1))
}

#[test]
fn a_file_may_have_as_many_lines_as_the_limit_and_no_more() {
    let rows = [
        ("a/src/lib.rs", LINES_MAX, None),
        (
            "a/src/lib.rs",
            LINES_MAX + 1,
            Some("501: 501 lines, a file has at most 500"),
        ),
        (
            "a/src/lib/tests.rs",
            LINES_MAX + 1,
            Some("501: 501 lines, a file has at most 500"),
        ),
        ("docs/a.md", LINES_MAX + 1, None),
        ("workers/src/bin/a.rs", BIN_LINES_MAX, None),
        (
            "workers/src/bin/a.rs",
            BIN_LINES_MAX + 1,
            Some("41: 41 lines, a worker's binary has at most 40"),
        ),
    ];

    for (path, lines, expected) in rows {
        let found = broken(path, &module(lines));
        assert_eq!(found, Vec::from_iter(expected), "{path}, {lines} lines");
    }
}

#[test]
fn a_module_begins_with_its_header() {
    let rows = [
        ("a/src/lib.rs", "//! What it does.\n", true),
        ("a/src/main.rs", "fn main() {}\n", false),
        ("a/src/empty.rs", "", false),
        ("a/src/late.rs", "\n//! What it does.\n", false),
        ("a/examples/bench.rs", "fn main() {}\n", false),
        ("a/src/lib/tests.rs", "use super::*;\n", true),
        ("a/tests/it.rs", "mod help;\n", true),
        ("a/tests/it/help.rs", "use workers;\n", true),
        ("a/src/contests.rs", "fn main() {}\n", false),
        ("README.md", "# Muniment\n", true),
    ];

    for (path, text, accepted) in rows {
        assert_eq!(broken(path, text).is_empty(), accepted, "{path}");
    }
}

#[test]
fn a_reminder_names_its_issue() {
    let word = concat!("TO", "DO");
    let other = concat!("FIX", "ME");
    let rows = [
        ("a.rs", format!("// {word}: later"), false),
        ("a.rs", format!("// {word} #12: later"), true),
        ("a.rs", format!("// {word}(#12): later"), true),
        ("a.rs", format!("#[cfg(test)] // {word}"), false),
        ("a.rs", format!("let {word}S = 1;"), true),
        ("a.rs", format!("let {}_x = 1;", word.to_lowercase()), true),
        ("a.toml", format!("# {other} soon"), false),
        ("a.sql", format!("-- {other} soon"), false),
        ("docs/a.md", format!("No {word} without a number."), true),
    ];

    for (path, line, accepted) in rows {
        let text = format!("//! What it does.\n{line}\n");
        assert_eq!(broken(path, &text).is_empty(), accepted, "{path}: {line}");
    }
}

#[test]
fn paths_of_a_machine_are_found_where_a_path_begins() {
    let rows = [
        (format!("see {}anna/bags", "/home/"), false),
        (format!("data = \"{}anna\"", "/Users/"), false),
        (format!("path={}x", concat!("/ro", "ot/")), false),
        (format!("C:{}anna", "\\Users\\"), false),
        ("https://example.edu/home/anna".to_owned(), true),
        ("data/home/anna".to_owned(), true),
        ("DIR/root/x and ../home/x".to_owned(), true),
        ("the folder /home/ itself".to_owned(), true),
        ("/etc/passwd".to_owned(), true),
    ];

    for (line, accepted) in rows {
        let found = broken("docs/a.md", &format!("{line}\n"));
        assert_eq!(found.is_empty(), accepted, "{line}");
    }
}

#[test]
fn data_files_are_not_tracked() {
    let rows = [
        ("a/state.sqlite", false),
        ("a/state.db-wal", false),
        ("dump.rdb", false),
        ("a.db/readme", true),
        ("db", true),
        ("a/schema.sql", true),
    ];

    for (path, accepted) in rows {
        let tree = Tree {
            files: vec![File {
                path: path.to_owned(),
                text: None,
            }],
        };
        assert_eq!(findings(&tree).is_empty(), accepted, "{path}");
    }
}
