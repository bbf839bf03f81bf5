use super::super::tree::Tree;
use super::findings;

fn found(path: &str, text: &str) -> Vec<String> {
    let found = findings(&Tree::of(&[(path, text)]));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_word_is_found_in_prose_and_in_names() {
    let rows = [
        ("// Whoever reads this", true),
        ("// somebody's lease", true),
        ("fn sign_of_life() {}", true),
        ("struct HandBack;", true),
        ("let isSettled = 1;", true),
        ("// PROOF:", true),
        ("// a waterproof and an impulse", false),
        ("// they stand, and the hand is back", false),
        ("fn standing() {}", false),
        ("", false),
    ];

    for (line, expected) in rows {
        let found = found("shared/model/src/lib.rs", line);

        assert_eq!(!found.is_empty(), expected, "{line}: {found:?}");
    }
}

#[test]
fn a_finding_names_its_line_the_word_and_the_reason() {
    let found = found("docs/A.md", "# A\n\nThe lease's  pulse, and its proof\n");

    assert_eq!(
        found,
        [
            "docs/A.md:3: the word \"pulse\": the field says heartbeat",
            "docs/A.md:3: the word \"proof\": how a copy was confirmed is its verification method",
        ]
    );
}

#[test]
fn released_migrations_other_files_and_what_the_glossary_rejects_are_left_alone() {
    let row = "| heartbeat | a pulse of a lease | x |";
    let rejected = "| heartbeat | how a lease is kept | pulse, sign of life |";
    let rows = [
        ("registry/migrations/0001.sql", "-- pulse", false),
        ("registry/src/store/query.sql", "-- pulse", true),
        ("shared/a/Cargo.toml", "# pulse", false),
        ("docs/GLOSSARY.md", row, true),
        ("docs/GLOSSARY.md", rejected, false),
        ("docs/GLOSSARY.md", "pulse", true),
        ("docs/OTHER.md", rejected, true),
    ];

    for (path, text, expected) in rows {
        assert_eq!(!found(path, text).is_empty(), expected, "{path}: {text}");
    }
}
