//! Who of ours may depend on whom.
//!
//! Read from the `Cargo.toml` files. Dev-dependencies are free: a test may look from above at what the
//! program may only see from below.

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

const MODEL: &str = "muniment-model";
const BAGIT: &str = "muniment-bagit";
const DIGEST: &str = "muniment-digest";
const EMBEDDED_S3: &str = "muniment-embedded-s3";
const FEATURES: &str = "muniment-features";
const FORMATS: &str = "muniment-formats";
const OBJECTS: &str = "muniment-objects";
const REGISTRY: &str = "muniment-registry";
const REGISTRY_CLIENT: &str = "muniment-registry-client";
const RUNTIME: &str = "muniment-runtime";
const TESTKIT: &str = "muniment-testkit";
const WORK: &str = "muniment-work";
const WORKERS: &str = "workers";

/// Each crate of ours, and which of ours it may use. Knowledge flows one way: `model`, then the shelf of
/// crates that know nothing but it, then `runtime`, `workers`, and the command that wires all of them.
/// `features` holds no code: every crate may use it, so it is in no row but its own.
const MAY_USE: &[(&str, &[&str])] = &[
    (FEATURES, &[]),
    (MODEL, &[]),
    (BAGIT, &[MODEL]),
    (DIGEST, &[MODEL]),
    (FORMATS, &[MODEL]),
    (OBJECTS, &[MODEL]),
    (WORK, &[MODEL]),
    (REGISTRY_CLIENT, &[MODEL]),
    (RUNTIME, &[MODEL, OBJECTS, REGISTRY_CLIENT, WORK]),
    (
        WORKERS,
        &[
            MODEL,
            BAGIT,
            DIGEST,
            FORMATS,
            OBJECTS,
            REGISTRY_CLIENT,
            RUNTIME,
            WORK,
        ],
    ),
    (REGISTRY, &[MODEL]),
    // Stands in for somebody else's service, so it knows nothing of ours.
    (EMBEDDED_S3, &[]),
    // Nobody may use it but in tests, so it may use what it likes.
    (
        TESTKIT,
        &[
            MODEL,
            BAGIT,
            DIGEST,
            EMBEDDED_S3,
            FORMATS,
            OBJECTS,
            REGISTRY,
            REGISTRY_CLIENT,
            RUNTIME,
            WORK,
            WORKERS,
        ],
    ),
    (
        "muniment",
        &[
            MODEL,
            BAGIT,
            DIGEST,
            EMBEDDED_S3,
            FORMATS,
            OBJECTS,
            REGISTRY,
            REGISTRY_CLIENT,
            RUNTIME,
            WORK,
            WORKERS,
        ],
    ),
    ("xtask", &[]),
];

/// One crate of the workspace.
struct Package<'a> {
    path: &'a str,
    text: &'a str,
    name: String,
    manifest: Table,
}

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut packages = Vec::new();
    for (path, text) in tree.texts() {
        if path != "Cargo.toml" && !path.ends_with("/Cargo.toml") {
            continue;
        }
        match text.parse::<Table>() {
            Ok(manifest) => packages.extend(package(path, text, manifest)),
            Err(cause) => {
                let rule = format!("not readable as TOML: {}", cause.message());
                findings.push(Finding::new(path, 1, rule));
            }
        }
    }
    let ours: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in &packages {
        findings.extend(of_package(package, &ours));
    }
    findings
}

/// `None` for the workspace itself, which is no package.
fn package<'a>(path: &'a str, text: &'a str, manifest: Table) -> Option<Package<'a>> {
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    Some(Package {
        path,
        text,
        name,
        manifest,
    })
}

fn of_package(package: &Package<'_>, ours: &[&str]) -> Vec<Finding> {
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == package.name) else {
        let rule = format!(
            "{} is not in the table of dependencies in xtask/src/tidy/dependencies.rs",
            package.name
        );
        return vec![Finding::new(package.path, 1, rule)];
    };
    used(&package.manifest)
        .into_iter()
        .filter(|used| ours.contains(&used.as_str()) && used != FEATURES)
        .filter(|used| !allowed.contains(&used.as_str()))
        .map(|used| {
            let rule = if used == TESTKIT {
                format!("{used} may be a dev-dependency only")
            } else {
                format!("{} may not depend on {used}", package.name)
            };
            Finding::new(package.path, line_of(package.text, &used), rule)
        })
        .collect()
}

/// The packages that a crate uses when it is built, for whatever platform.
fn used(manifest: &Table) -> Vec<String> {
    let for_platforms = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(for_platforms)
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
        .map(|(key, dependency)| {
            let renamed = dependency.get("package").and_then(Value::as_str);
            renamed.unwrap_or(key).to_owned()
        })
        .collect()
}

/// Where a dependency is first named; the first line when it cannot be told.
fn line_of(text: &str, name: &str) -> usize {
    text.lines()
        .position(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        })
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests;
