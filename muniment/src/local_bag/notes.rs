//! What was seen of each file, in the order in which it came: a JSON line each in a temporary file
//! without a name, so that memory does not grow with the bag.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use muniment_bagit::validate::FileFacts;
use muniment_model::Digests;

use super::survey::Met;

pub(super) struct Notes {
    out: BufWriter<File>,
}

impl Notes {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            out: BufWriter::new(tempfile::tempfile()?),
        })
    }

    pub(super) fn add(&mut self, met: &Met, digests: &Digests) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &(met, digests))?;
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
            let (met, digests): (Met, Digests) = serde_json::from_str(&line)?;
            each(&FileFacts {
                path: &met.path,
                kind: met.kind,
                tar_offset: met.tar_offset,
                digests: &digests,
            });
            line.clear();
        }
        Ok(())
    }
}
