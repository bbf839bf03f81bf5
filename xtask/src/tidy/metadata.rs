//! What cargo says about the packages that the project is built from: asked once, read here only.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What is built and shipped, and what developers sit at. Others would be downloaded only to be looked at.
const PLATFORMS: [&str; 3] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
];

#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its manifest when it is one of ours, from the root; else the lock file, which names it.
    pub(super) path: String,
    pub(super) licence: Option<String>,
    /// `None` for a folder on this machine.
    pub(super) source: Option<String>,
    /// Whether anything of ours uses it outside of tests.
    pub(super) is_built: bool,
    /// The packages that it is built with: not those of its tests.
    pub(super) uses: Vec<String>,
    /// What it asks for in any version.
    pub(super) wildcards: Vec<String>,
}

/// Every package in the graph with all features, those of tests too.
pub(super) fn read(root: &Path) -> Result<Vec<Package>> {
    let mut command = Command::new("cargo");
    command.args("metadata --format-version 1 --locked --all-features".split(' '));
    for platform in PLATFORMS {
        command.args(["--filter-platform", platform]);
    }
    let output = command.current_dir(root).output();
    let output = output.context("could not start cargo metadata")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("failed: cargo metadata: {said}");
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    packages(&metadata).context("cargo metadata lacks a field that tidy reads")
}

/// `None` when a field is missing: a rule must not pass because it saw nothing.
pub(super) fn packages(metadata: &Value) -> Option<Vec<Package>> {
    let root = metadata["workspace_root"].as_str()?;
    let mut packages = HashMap::new();
    for package in metadata["packages"].as_array()? {
        packages.insert(package["id"].as_str()?, package_of(package, root)?);
    }
    let mut built_with = HashMap::new();
    for node in metadata["resolve"]["nodes"].as_array()? {
        let used = node["deps"].as_array()?.iter().filter(|used| {
            let kinds = used["dep_kinds"].as_array();
            kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
        });
        let used: Option<Vec<_>> = used.map(|used| used["pkg"].as_str()).collect();
        let used = used?;
        let names = used.iter().map(|id| Some(packages.get(id)?.name.clone()));
        let names = names.collect::<Option<_>>()?;
        let id = node["id"].as_str()?;
        packages.get_mut(id)?.uses = names;
        built_with.insert(id, used);
    }
    let members = metadata["workspace_members"].as_array()?.iter();
    let mut open = members.map(Value::as_str).collect::<Option<Vec<_>>>()?;
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut packages.get_mut(id)?.is_built, true) {
            open.extend(built_with.get(id)?);
        }
    }
    Some(packages.into_values().collect())
}

fn package_of(package: &Value, root: &str) -> Option<Package> {
    let manifest = package["manifest_path"].as_str()?;
    let source = package["source"].as_str().map(str::to_owned);
    let path = match manifest.strip_prefix(root) {
        Some(path) if source.is_none() => path.trim_start_matches('/'),
        _ => "Cargo.lock",
    };
    let any_version = package["dependencies"].as_array()?.iter();
    let any_version = any_version.filter(|used| used["req"] == "*" && !used["source"].is_null());
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        path: path.to_owned(),
        licence: package["license"].as_str().map(str::to_owned),
        wildcards: any_version
            .map(|used| Some(used["name"].as_str()?.to_owned()))
            .collect::<Option<_>>()?,
        source,
        ..Package::default()
    })
}

#[cfg(test)]
mod tests;
