//! The files of the project: what git tracks, and what it would track if it were added.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Every file of the project, sorted by path.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

#[derive(Debug)]
pub(super) struct File {
    /// From the root, with `/` between its parts.
    pub(super) path: String,
    /// `None` when it is not text.
    pub(super) text: Option<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let paths = tracked(root).map_or_else(|| walked(root), Ok)?;
        let mut files = Vec::new();
        for path in paths {
            match fs::read(root.join(&path)) {
                Ok(bytes) => {
                    let text = String::from_utf8(bytes).ok();
                    let text = text.filter(|text| !text.contains('\0'));
                    files.push(File { path, text });
                }
                // Deleted, and the deletion is not yet committed.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(cause).with_context(|| format!("could not read {path}")),
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of the file at `path`, empty when there is none.
    pub(super) fn text(&self, path: &str) -> &str {
        self.get(path)
            .and_then(|file| file.text.as_deref())
            .unwrap_or_default()
    }

    /// Files that are text, with it.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| File {
                path: (*path).to_owned(),
                text: Some((*text).to_owned()),
            })
            .collect();
        Self { files }
    }
}

/// What git knows or would take. `None` outside a repository, or without git.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args("ls-files --cached --others --exclude-standard -z".split(' '))
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let list = String::from_utf8_lossy(&output.stdout);
    Some(list.split_terminator('\0').map(str::to_owned).collect())
}

/// Everything in the folder but what is built there: for a source archive without its repository.
fn walked(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .with_context(|| format!("could not list {}/{folder}", root.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}{name}");
            if !entry.file_type()?.is_dir() {
                paths.push(path);
            } else if name != ".git" && name != "target" {
                folders.push(format!("{path}/"));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
