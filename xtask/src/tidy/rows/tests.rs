use super::super::tree::Tree;
use super::{PAGE, ROWS, findings};

const SOURCE: &str = "muniment/tests/it/matrix.rs";

fn page() -> String {
    let line = |row: &str| format!("| {} | holds | `{row}_holds` |\n", row.to_uppercase());
    ROWS.split(' ').map(line).collect()
}

fn tests() -> String {
    let line = |row: &str| format!("    async fn {row}_holds() {{}}\n");
    ROWS.split(' ').map(line).collect()
}

fn found(page: &str, tests: &str) -> Vec<String> {
    let found = findings(&Tree::of(&[(PAGE, page), (SOURCE, tests)]));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_page_with_all_rows_and_their_tests_is_accepted() {
    assert_eq!(found(&page(), &tests()), [""; 0]);
}

#[test]
fn a_row_without_test_is_named() {
    let without = [
        ("async fn s2_holds", "// fn s2_holds"),
        ("async fn s2_holds", "let s2_holds = || ("),
        ("async fn s2_holds", "async fn s20_holds"),
    ];

    for (from, to) in without {
        let found = found(&page(), &tests().replace(from, to));
        assert_eq!(
            found,
            [
                "docs/FAULT_MATRIX.md:1: no test has a name that begins with s2_",
                "docs/FAULT_MATRIX.md:1: there is no test s2_holds",
            ],
            "{to}"
        );
    }
}

#[test]
fn a_row_that_is_not_on_the_page_is_named() {
    let found = found(&page().replace("| S3 |", "| T3 |"), &tests());

    assert_eq!(found, ["docs/FAULT_MATRIX.md:1: the row S3 is missing"]);
}

#[test]
fn a_test_that_is_not_there_is_named_with_its_line() {
    let renamed = tests().replace("s4_holds", "s4_holds_well");

    let found = found(&page(), &renamed);

    assert_eq!(found, ["docs/FAULT_MATRIX.md:3: there is no test s4_holds"]);
}
