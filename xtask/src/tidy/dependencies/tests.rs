use super::super::tree::Tree;
use super::{MAY_USE, MODEL, TESTKIT, findings};

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\n\n{rest}")
}

/// The findings about `rest`, in the manifest of `name`, as `line: rule`.
fn broken(name: &str, rest: &str) -> Vec<String> {
    let others: Vec<(String, String)> = MAY_USE
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, _)| (format!("{other}/Cargo.toml"), manifest(other, "")))
        .collect();
    let this = manifest(name, rest);
    let mut files: Vec<(&str, &str)> = others
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    files.push(("this/Cargo.toml", &this));
    findings(&Tree::of(&files))
        .into_iter()
        .map(|finding| format!("{}: {}", finding.line, finding.rule))
        .collect()
}

#[test]
fn knowledge_flows_one_way() {
    let rows = [
        ("muniment-bagit", "dependencies", "muniment-model", true),
        ("muniment-bagit", "dependencies", "muniment-digest", false),
        ("muniment-model", "dependencies", "muniment-bagit", false),
        ("muniment-runtime", "dependencies", "muniment-work", true),
        ("muniment-work", "dependencies", "muniment-runtime", false),
        ("workers", "dependencies", "muniment-runtime", true),
        ("workers", "dependencies", "muniment-registry", false),
        ("muniment-registry", "dependencies", "muniment-work", false),
        (
            "muniment-embedded-s3",
            "dependencies",
            "muniment-model",
            false,
        ),
        (
            "muniment-embedded-s3",
            "dev-dependencies",
            "muniment-model",
            true,
        ),
        ("muniment", "dependencies", "workers", true),
        ("muniment", "dependencies", "muniment-testkit", false),
        ("workers", "dev-dependencies", "muniment-testkit", true),
        ("workers", "build-dependencies", "muniment-testkit", false),
        ("xtask", "dependencies", "toml", true),
        ("muniment-model", "dependencies", "muniment-features", true),
        ("muniment-features", "dependencies", "muniment-model", false),
    ];

    for (name, kind, used, accepted) in rows {
        let found = broken(name, &format!("[{kind}]\n{used}.workspace = true\n"));
        assert_eq!(found.is_empty(), accepted, "{name}, {kind}: {used}");
    }
}

#[test]
fn every_way_to_write_a_dependency_is_read() {
    let rows = [
        "[dependencies]\nworkers.workspace = true\n",
        "[dependencies]\nworkers = { path = \"../workers\" }\n",
        "[dependencies.workers]\npath = \"../workers\"\n",
        "[dependencies]\nalias = { package = \"workers\", path = \"../workers\" }\n",
        "[target.'cfg(unix)'.dependencies]\nworkers.workspace = true\n",
    ];

    for rest in rows {
        let found = broken("muniment-runtime", rest);
        assert_eq!(found.len(), 1, "{rest}");
    }
}

#[test]
fn a_finding_points_at_its_line() {
    let found = broken(
        "workers",
        "[dependencies]\nmuniment-model.workspace = true\nmuniment-testkit.workspace = true\n",
    );

    assert_eq!(found, ["6: muniment-testkit may be a dev-dependency only"]);
}

#[test]
fn a_crate_outside_the_table_is_found() {
    let found = broken("muniment-novelty", "");

    assert_eq!(found.len(), 1);
}

#[test]
fn a_broken_manifest_is_a_finding_and_the_workspace_is_none() {
    let tree = Tree::of(&[
        ("Cargo.toml", "[workspace]\nmembers = []\n"),
        ("a/Cargo.toml", "[package\n"),
    ]);

    let found = findings(&tree);

    assert_eq!(found.len(), 1);
    assert!(found.iter().all(|finding| finding.path == "a/Cargo.toml"));
}

#[test]
fn no_two_crates_use_each_other_and_nobody_uses_the_testkit() {
    for (index, (name, used)) in MAY_USE.iter().enumerate() {
        assert!(!used.contains(&TESTKIT), "{name}");
        for (other, theirs) in MAY_USE.iter().skip(index) {
            let both = used.contains(other) && theirs.contains(name);
            assert!(!both, "{name} and {other}");
        }
    }
    assert!(
        MAY_USE
            .iter()
            .any(|(name, used)| *name == MODEL && used.is_empty())
    );
}
