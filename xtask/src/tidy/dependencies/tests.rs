use super::super::metadata::Package;
use super::{FOR_TESTS, REGISTRY_OF_CRATES, WRAPPERS, findings, may_use};

fn package(name: &str, uses: &[&str]) -> Package {
    Package {
        name: name.to_owned(),
        path: format!("{name}/Cargo.toml"),
        licence: Some("MIT".to_owned()),
        is_built: true,
        uses: uses.iter().map(|used| (*used).to_owned()).collect(),
        ..Package::default()
    }
}

fn foreign(name: &str, uses: &[&str]) -> Package {
    Package {
        path: "Cargo.lock".to_owned(),
        source: Some(REGISTRY_OF_CRATES.to_owned()),
        ..package(name, uses)
    }
}

/// The rules that `this` breaks, in a project that has every crate of the table.
fn broken(this: Package) -> Vec<String> {
    let others = may_use().filter(|(name, _)| *name != this.name);
    let mut packages: Vec<_> = others.map(|(name, _)| package(&name, &[])).collect();
    packages.push(this);
    let found = findings(&packages).into_iter();
    found.map(|finding| finding.to_string()).collect()
}

#[test]
fn knowledge_flows_one_way() {
    let rows = [
        ("muniment-bagit", "muniment-model", true),
        ("muniment-bagit", "muniment-digest", false),
        ("muniment-model", "muniment-bagit", false),
        ("muniment-runtime", "muniment-work", true),
        ("muniment-work", "muniment-runtime", false),
        ("workers", "muniment-runtime", true),
        ("workers", "muniment-registry", false),
        ("muniment-registry", "muniment-work", false),
        ("muniment-embedded-s3", "muniment-model", false),
        ("muniment", "workers", true),
        ("muniment", "muniment-testkit", false),
        ("muniment", "muniment-fault-proxy", false),
        ("workers", "muniment-testkit", false),
        ("muniment-observer", "muniment-model", true),
        ("muniment-observer", "workers", false),
        ("xtask", "serde_json", true),
        ("muniment-model", "muniment-features", true),
        ("muniment-features", "muniment-model", false),
    ];

    for (name, used, accepted) in rows {
        let found = broken(package(name, &[used]));

        assert_eq!(found.is_empty(), accepted, "{name}: {used}, {found:?}");
    }
}

#[test]
fn only_a_wrapper_uses_what_it_wraps() {
    let rows = [
        ("muniment-objects", "aws-sdk-s3", true),
        ("workers", "aws-sdk-s3", false),
        ("muniment-runtime", "aws-sdk-ecs", true),
        ("muniment-registry-client", "reqwest", true),
        ("muniment-work", "reqwest", false),
        ("muniment-work", "redis", true),
        ("muniment-work", "sqlx", true),
        ("muniment-objects", "sqlx", false),
        ("muniment-objects", "openssl", false),
        ("muniment-objects", "native-tls", false),
    ];

    for (name, used, accepted) in rows {
        let found = broken(package(name, &[used]));

        assert_eq!(found.is_empty(), accepted, "{name}: {used}, {found:?}");
    }
}

#[test]
fn a_crate_of_others_brings_in_nothing_that_is_wrapped_unless_for_tests() {
    let built = foreign("webhooks", &["reqwest", "muniment-model"]);
    let for_tests = Package {
        is_built: false,
        ..foreign("webhooks", &["reqwest"])
    };

    let found = broken(built);

    let [found] = found.as_slice() else {
        panic!("one finding, not {found:?}")
    };
    assert!(found.starts_with("Cargo.lock:1: webhooks may not depend on reqwest"));
    assert_eq!(broken(for_tests), [""; 0]);
}

#[test]
fn others_come_from_crates_io_under_a_licence_that_is_allowed() {
    let git = Package {
        source: Some("git+https://example.org/a#1".to_owned()),
        ..foreign("a", &[])
    };
    let copyleft = Package {
        licence: Some("GPL-3.0".to_owned()),
        ..foreign("a", &[])
    };
    let silent = Package {
        licence: None,
        is_built: false,
        ..foreign("a", &[])
    };
    let loose = Package {
        wildcards: vec!["b".to_owned()],
        ..foreign("a", &[])
    };
    let rows = [
        (foreign("a", &["b"]), None),
        (
            git,
            Some("a comes from git+https://example.org/a#1, not from crates.io"),
        ),
        (
            copyleft,
            Some("a has a licence that is not allowed: \"GPL-3.0\""),
        ),
        (silent, Some("a has a licence that is not allowed: \"\"")),
        (loose, Some("a takes any version of b")),
    ];

    for (package, expected) in rows {
        let expected = expected.map(|rule| format!("Cargo.lock:1: {rule}"));

        assert_eq!(broken(package), Vec::from_iter(expected));
    }
}

#[test]
fn a_crate_outside_the_table_is_found() {
    let found = broken(package("muniment-novelty", &[]));

    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn no_two_crates_use_each_other_and_only_tests_use_what_is_for_tests() {
    let table: Vec<_> = may_use().collect();
    for (index, (name, used)) in table.iter().enumerate() {
        let is_for_tests = FOR_TESTS.contains(&name.as_str());
        assert!(
            is_for_tests || !used.iter().any(|used| FOR_TESTS.contains(&used.as_str())),
            "{name}"
        );
        for (other, theirs) in table.iter().skip(index) {
            let both = used.contains(other) && theirs.contains(name);
            assert!(!both, "{name} and {other}");
        }
    }
    assert!(
        table
            .iter()
            .any(|(name, used)| *name == "muniment-model" && used.is_empty())
    );
}

#[test]
fn every_wrapper_is_listed_once() {
    let mut names: Vec<_> = WRAPPERS.iter().map(|(name, _, _)| name).collect();
    names.sort_unstable();
    names.dedup();

    assert_eq!(names.len(), WRAPPERS.len());
}
