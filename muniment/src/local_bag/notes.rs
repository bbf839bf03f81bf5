//! What was seen of each file, in the order in which it came: a temporary file without a name.
//!
//! One JSON line per file, so that memory does not grow with the bag. Gone with the process.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use muniment_bagit::validate::FileFacts;
use muniment_model::{Digests, MemberKind};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    pub path: String,
    pub kind: MemberKind,
    pub tar_offset: u64,
    pub digests: Digests,
}

pub(super) struct Notes {
    out: BufWriter<File>,
}

impl Notes {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            out: BufWriter::new(tempfile::tempfile()?),
        })
    }

    pub(super) fn add(&mut self, note: &Note) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, note)?;
        self.out.write_all(b"\n")
    }

    /// All of them, from the first.
    pub(super) fn each(&mut self, each: &mut dyn FnMut(&FileFacts<'_>)) -> io::Result<()> {
        self.out.flush()?;
        let file = self.out.get_mut();
        file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(&*file);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let note: Note = serde_json::from_str(&line)?;
            each(&FileFacts {
                path: &note.path,
                kind: note.kind,
                tar_offset: note.tar_offset,
                digests: &note.digests,
            });
            line.clear();
        }
        Ok(())
    }
}
