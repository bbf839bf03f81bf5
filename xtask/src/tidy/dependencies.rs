//! Who may depend on whom: of ours on ours, and on those of others that one crate of ours wraps; and under
//! which licences and from where others come.
//!
//! Dev-dependencies are free: a test may look from above at what the program may only see from below.

use super::Finding;
use super::licences;
use super::metadata::Package;

/// Each crate of ours, and which of ours it may use, without the `muniment-` of a library. Knowledge
/// flows one way: `model`, then the shelf of crates that know nothing but it, then `runtime`, `workers`,
/// and the command that wires all of them. `features` holds no code: every crate may use it, so it is in
/// no row but its own.
const MAY_USE: [(&str, &str); 25] = [
    ("features", ""),
    ("model", ""),
    ("bagit", "model"),
    ("digest", "model"),
    ("bag-builder", "digest model"),
    ("formats", "model"),
    ("retry", ""),
    ("meter", ""),
    ("objects", "meter model retry"),
    ("work", "meter model sqlite"),
    ("registry-client", "meter model retry"),
    (
        "runtime",
        "http-server meter model objects registry-client retry work",
    ),
    (
        "workers",
        "model bagit digest formats objects registry-client runtime work",
    ),
    // Know no word of the domain.
    ("sqlite", ""),
    ("http-server", ""),
    ("registry", "http-server model sqlite"),
    // It replaces a service that is not ours, so it knows no word of the domain either.
    ("embedded-s3", "http-server sqlite"),
    // Sees what a depositor and an auditor see: it must not know how the system works inside.
    ("observer", "model digest"),
    // Goes before any service, in tests only.
    ("fault-proxy", ""),
    // Services of others, in tests only.
    ("redis-server", ""),
    ("seaweedfs", ""),
    // For tests only, so it may use what it likes.
    (
        "testkit",
        "model bag-builder bagit digest embedded-s3 fault-proxy formats meter objects registry \
         registry-client runtime work workers",
    ),
    (
        "muniment",
        "model bag-builder bagit digest embedded-s3 meter objects registry registry-client runtime work \
         workers",
    ),
    // Feeds parsers; no program uses it.
    ("fuzz", "model bag-builder bagit"),
    ("xtask", ""),
];

const FEATURES: &str = "muniment-features";
/// Crates that no crate uses but in its tests.
const FOR_TESTS: [&str; 5] = [
    "muniment-fault-proxy",
    "muniment-fuzz",
    "muniment-redis-server",
    "muniment-seaweedfs",
    "muniment-testkit",
];

/// Crates of others that only these of ours may use, and why. One without a wrapper is not used at all.
const WRAPPERS: &[(&str, &[&str], &str)] = &[
    (
        "aws-sdk-s3",
        &["muniment-objects", "muniment-observer"],
        "the S3 layer decides about checksums, conditions and retries once, for all",
    ),
    (
        "aws-sdk-ecs",
        &["muniment-runtime"],
        "only the run loop knows when a task must not be stopped",
    ),
    ("redis", &["muniment-work"], ONE_OWNER),
    (
        "reqwest",
        &["muniment-observer", "muniment-registry-client"],
        "a worker that could speak HTTP at will could reach what it must not touch",
    ),
    (
        "sqlx",
        &[
            "muniment-embedded-s3",
            "muniment-registry",
            "muniment-sqlite",
            "muniment-work",
        ],
        ONE_OWNER,
    ),
    ("openssl", &[], ONE_TLS),
    ("native-tls", &[], ONE_TLS),
];
const ONE_OWNER: &str = "each database has one owner; others ask that owner";
const ONE_TLS: &str = "one TLS implementation is enough: rustls";

/// Where others may come from.
const REGISTRY_OF_CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The table, with the names that cargo knows.
fn may_use() -> impl Iterator<Item = (String, Vec<String>)> {
    let full = |name: &str| match name {
        "muniment" | "workers" | "xtask" => name.to_owned(),
        library => format!("muniment-{library}"),
    };
    MAY_USE
        .into_iter()
        .map(move |(name, used)| (full(name), used.split_whitespace().map(full).collect()))
}

pub(super) fn findings(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let rules = origin(package).into_iter().chain(wrapped(package));
        let rules = rules.chain(flow(package, packages));
        findings.extend(rules.map(|rule| Finding::new(&package.path, 1, rule)));
    }
    findings
}

/// Where a package comes from, and its licence.
fn origin(package: &Package) -> Vec<String> {
    let name = &package.name;
    let wildcards = package.wildcards.iter();
    let mut rules: Vec<String> = wildcards
        .map(|used| format!("{name} takes any version of {used}"))
        .collect();
    if let Some(source) = &package.source
        && source != REGISTRY_OF_CRATES
    {
        rules.push(format!("{name} comes from {source}, not from crates.io"));
    }
    let licence = package.licence.as_deref().unwrap_or_default();
    if !licences::is_allowed(licence) {
        let rule = format!("{name} has a licence that is not allowed: {licence:?}");
        rules.push(rule);
    }
    rules
}

/// What a package uses that only others may.
fn wrapped(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let uses = |used: &str| package.is_built && package.uses.iter().any(|known| known == used);
    WRAPPERS
        .iter()
        .filter(|(used, wrappers, _)| uses(used) && !wrappers.contains(&name))
        .map(|(used, _, reason)| format!("{name} may not depend on {used}: {reason}"))
        .collect()
}

/// What a crate of ours uses of ours, against the table.
fn flow(package: &Package, packages: &[Package]) -> Vec<String> {
    let name = &package.name;
    if package.source.is_some() {
        return Vec::new();
    }
    let Some((_, allowed)) = may_use().find(|(listed, _)| listed == name) else {
        let table = "the table of dependencies in xtask/src/tidy/dependencies.rs";
        return vec![format!("{name} is not in {table}")];
    };
    let is_ours = |used: &String| {
        let mut ours = packages.iter().filter(|other| other.source.is_none());
        ours.any(|other| other.name == *used)
    };
    package
        .uses
        .iter()
        .filter(|used| is_ours(used) && *used != FEATURES && !allowed.contains(used))
        .map(|used| {
            if FOR_TESTS.contains(&used.as_str()) {
                format!("{used} may be a dev-dependency only")
            } else {
                format!("{name} may not depend on {used}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
