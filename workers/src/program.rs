//! A worker by its name: how one file can be all of them.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use muniment_runtime::WorkerEntry;

use crate::unbuilt::{self, Unbuilt};

/// One of the seventeen workers.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    Built(&'static WorkerEntry),
    Unbuilt(&'static Unbuilt),
}

impl Program {
    /// All seventeen: those that are built first.
    pub fn all() -> impl Iterator<Item = Self> {
        let built = crate::all().iter().map(Self::Built);
        built.chain(unbuilt::all().iter().map(Self::Unbuilt))
    }

    pub fn named(name: &OsStr) -> Option<Self> {
        Self::all().find(|program| program.name() == name)
    }

    /// The worker that a file is called by which the process was started: a link to `muniment`.
    pub fn called(file: &OsStr) -> Option<Self> {
        Self::named(Path::new(file).file_name()?)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Built(worker) => worker.name,
            Self::Unbuilt(worker) => worker.name,
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::Built(worker) => worker.about,
            Self::Unbuilt(worker) => worker.about,
        }
    }

    pub const fn is_built(self) -> bool {
        matches!(self, Self::Built(_))
    }

    /// Runs it as the process's only worker. The first of the arguments is what it was called.
    pub fn main(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        match self {
            Self::Built(worker) => worker.main(arguments),
            Self::Unbuilt(worker) => worker.main(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_seventeen_workers_with_names_of_their_own() {
        let mut names: Vec<_> = Program::all().map(Program::name).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), 17);
    }

    #[test]
    fn a_worker_is_known_by_the_name_of_its_file() {
        let rows = [
            ("/usr/bin/ingest_recorder", Some("ingest_recorder")),
            ("bag_restorer", Some("bag_restorer")),
            ("/usr/bin/muniment", None),
            ("/ingest_recorder/muniment", None),
            ("ingest_recorder_2", None),
            ("", None),
        ];

        for (file, expected) in rows {
            let program = Program::called(OsStr::new(file));

            assert_eq!(program.map(Program::name), expected, "{file}");
        }
    }
}
