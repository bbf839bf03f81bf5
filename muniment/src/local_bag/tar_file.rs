//! Reads a bag in a tar file, once, from front to back.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use muniment_bagit::survey;
use muniment_bagit::tar::{EntryKind, Event, Member, TarFault, TarReader};
use muniment_digest::FanOut;
use muniment_model::Findings;

use super::survey::{Met, Source, Survey};
use super::{CHUNK_BYTES, LocalBagError};

/// `None` when the tar cannot be read to its end: then nothing more can be said of the bag.
pub(super) fn survey(
    path: &Path,
    findings: &mut Findings,
) -> Result<Option<Survey>, LocalBagError> {
    let failed = |source| LocalBagError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut reader = TarReader::new(size);
    let mut visit = Visit {
        survey: Survey::new(Source::Tar(path.to_owned()), "")?,
        places: survey::Survey::default(),
        current: None,
    };
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        let mut input = buffer.get(..read).unwrap_or_default();
        loop {
            match reader.next(&mut input) {
                Ok(Some(event)) => visit.event(event, findings)?,
                Ok(None) => break,
                Err(fault) => return Ok(unreadable(&fault, findings)),
            }
        }
    }
    match reader.finish() {
        Ok(end) => end.report(findings),
        Err(fault) => return Ok(unreadable(&fault, findings)),
    }
    let folder = visit.places.folder().unwrap_or_default();
    visit.survey.set_folder(folder);
    Ok(Some(visit.survey))
}

fn unreadable(fault: &TarFault, findings: &mut Findings) -> Option<Survey> {
    fault.report(findings);
    None
}

struct Visit {
    survey: Survey,
    places: survey::Survey,
    /// The file whose bytes are passing, with its path in the bag.
    current: Option<(Member, String, FanOut)>,
}

impl Visit {
    fn event(&mut self, event: Event<'_>, findings: &mut Findings) -> Result<(), LocalBagError> {
        match event {
            Event::Member(member) => self.member(member, findings),
            Event::Data(bytes) => {
                if let Some((_, _, digests)) = &mut self.current {
                    digests.update_split(bytes);
                }
            }
            Event::Irregular(irregular) => irregular.report(findings),
            Event::MemberEnd { .. } => {
                if let Some((member, path, digests)) = self.current.take() {
                    let met = Met {
                        path: &path,
                        size: member.size,
                        tar_offset: member.tar_offset,
                        data_offset: member.data_offset,
                    };
                    self.survey.add_file(&met, digests.finish())?;
                }
            }
            Event::End => {}
        }
        Ok(())
    }

    fn member(&mut self, member: Member, findings: &mut Findings) {
        let Some(placed) = self.places.place(&member, findings) else {
            return;
        };
        let path = placed.path.to_owned();
        match member.kind {
            EntryKind::Directory => self.survey.add_folder(&path),
            EntryKind::Regular => self.current = Some((member, path, FanOut::new())),
        }
    }
}
