//! What was seen of each file, in the order in which it came: a JSON line each in a temporary file
//! without a name, so that memory does not grow with the bag.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use muniment_bagit::validate::{FileFacts, WantedMembers};
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

    /// `digests` are `None` of a folder.
    pub(super) fn add(&mut self, met: &Met, digests: Option<&Digests>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &(met, digests))?;
        self.out.write_all(b"\n")
    }

    /// Gives all of them to the check, from the first.
    pub(super) fn give(&mut self, members: &mut WantedMembers<'_>) -> io::Result<()> {
        self.out.flush()?;
        let file = self.out.get_mut();
        file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(&*file);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let (met, digests): (Met, Option<Digests>) = serde_json::from_str(&line)?;
            match &digests {
                Some(digests) => {
                    members.add(&FileFacts {
                        path: &met.path,
                        kind: met.kind,
                        tar_offset: met.tar_offset,
                        digests,
                    });
                }
                None => members.add_folder(&met.path),
            }
            line.clear();
        }
        Ok(())
    }
}
