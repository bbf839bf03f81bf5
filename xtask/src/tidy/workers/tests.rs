use super::super::tree::Tree;
use super::findings;

const BIN: (&str, &str) = ("workers/src/bin/apt_queue.rs", "");
const MODULE: (&str, &str) = ("workers/src/apt_queue.rs", "");
const OPERATIONS: (&str, &str) = ("docs/OPERATIONS.md", "# Operations\n\n## `apt_queue`\n");
const ARCHITECTURE: (&str, &str) = ("docs/ARCHITECTURE.md", "Then `apt_queue` sweeps.\n");

fn rules(files: &[(&str, &str)]) -> Vec<String> {
    findings(&Tree::of(files))
        .into_iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn a_worker_with_everything_is_accepted() {
    assert!(rules(&[BIN, MODULE, OPERATIONS, ARCHITECTURE]).is_empty());
}

#[test]
fn each_thing_a_worker_lacks_is_named() {
    let found = rules(&[BIN]);

    assert_eq!(
        found,
        [
            "the worker has no module workers/src/apt_queue.rs",
            "docs/OPERATIONS.md has no section \"## apt_queue\"",
            "docs/ARCHITECTURE.md does not name the worker",
        ]
    );
}

/// `apt_queue` is the beginning of another worker's name.
#[test]
fn a_longer_name_is_not_taken_for_a_shorter_one() {
    let operations = ("docs/OPERATIONS.md", "## apt_queue_fixity\n");
    let architecture = ("docs/ARCHITECTURE.md", "`apt_queue_fixity`\n");

    assert_eq!(rules(&[BIN, MODULE, operations, architecture]).len(), 2);
}

#[test]
fn a_worker_that_is_not_built_has_its_row_and_operators_are_told() {
    let unbuilt = ("workers/src/unbuilt.rs", "    name: \"apt_queue\",\n");
    let told = ("docs/OPERATIONS.md", "`apt_queue` is not built yet.\n");

    let found = rules(&[BIN, unbuilt]);

    assert_eq!(found, ["docs/OPERATIONS.md does not name the worker"]);
    assert!(rules(&[BIN, unbuilt, told]).is_empty());
}
