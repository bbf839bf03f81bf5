use serde_json::json;

use super::{Package, packages};

fn package_named<'a>(packages: &'a [Package], name: &str) -> &'a Package {
    let found = packages.iter().find(|package| package.name == name);
    found.expect("a package")
}

fn metadata() -> serde_json::Value {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    let package = |name: &str, source, path: &str| {
        json!({
            "id": format!("{name}#1"), "name": name, "source": source, "license": "MIT",
            "manifest_path": format!("/{path}/Cargo.toml"),
            "dependencies": [
                { "name": "loose", "req": "*", "source": source },
                { "name": "ours", "req": "*", "source": null },
            ],
        })
    };
    let node = |name: &str, deps: &[(&str, &[Option<&str>])]| {
        let deps: Vec<_> = deps
            .iter()
            .map(|(used, kinds)| {
                let kinds: Vec<_> = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
                json!({ "pkg": format!("{used}#1"), "dep_kinds": kinds })
            })
            .collect();
        json!({ "id": format!("{name}#1"), "deps": deps })
    };
    json!({
        "workspace_root": "/root-of-it",
        "workspace_members": ["ours#1"],
        "packages": [
            package("ours", None, "root-of-it/shared/ours"),
            package("plain", Some(registry), "cache/plain"),
            package("deeper", Some(registry), "cache/deeper"),
            package("testing", Some(registry), "cache/testing"),
            package("both", Some(registry), "cache/both"),
        ],
        "resolve": { "nodes": [
            node("ours", &[
                ("plain", &[None]),
                ("testing", &[Some("dev")]),
                ("both", &[Some("dev"), Some("build")]),
            ]),
            node("plain", &[("deeper", &[None])]),
            node("deeper", &[]),
            node("testing", &[("deeper", &[None])]),
            node("both", &[]),
        ] },
    })
}

#[test]
fn what_only_tests_use_is_not_built() {
    let packages = packages(&metadata()).expect("complete");

    let mut built: Vec<_> = packages.iter().filter(|package| package.is_built).collect();
    built.sort_by_key(|package| &package.name);
    let names: Vec<_> = built.iter().map(|package| &package.name).collect();
    assert_eq!(names, ["both", "deeper", "ours", "plain"]);
    assert_eq!(package_named(&packages, "ours").uses, ["plain", "both"]);
    assert_eq!(package_named(&packages, "testing").uses, ["deeper"]);
}

#[test]
fn ours_are_found_at_their_manifest_and_others_in_the_lock_file() {
    let packages = packages(&metadata()).expect("complete");

    let ours = package_named(&packages, "ours");
    assert_eq!(ours.path, "shared/ours/Cargo.toml");
    assert!(ours.wildcards.is_empty());
    let plain = package_named(&packages, "plain");
    assert_eq!(plain.path, "Cargo.lock");
    assert_eq!(plain.wildcards, ["loose"]);
}

#[test]
fn metadata_that_lacks_a_field_is_not_taken_for_an_empty_project() {
    let missing = [
        "/workspace_root",
        "/workspace_members",
        "/packages",
        "/packages/0/name",
        "/packages/0/manifest_path",
        "/packages/0/dependencies",
        "/resolve/nodes",
        "/resolve/nodes/0/deps",
        "/resolve/nodes/0/deps/0/pkg",
    ];

    for field in missing {
        let mut metadata = metadata();
        metadata.pointer_mut(field).expect("a field").take();

        assert!(packages(&metadata).is_none(), "{field}");
    }
}
