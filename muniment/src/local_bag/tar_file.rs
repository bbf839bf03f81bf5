//! Reads a bag in a tar file, once, from front to back.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use muniment_bagit::survey::{self, BagMember};
use muniment_bagit::tar::{Event, Member, TarFault, TarReader};
use muniment_digest::FanOut;
use muniment_model::{Findings, MemberKind};

use super::identity::Identity;
use super::survey::{Met, Source, Survey};
use super::{BytesRead, CHUNK_BYTES, LocalBagError};

/// The findings alone when the tar cannot be read to its end: then nothing more can be said of the bag.
pub(super) fn survey(
    path: &Path,
    identity: Option<Identity>,
    seen: &BytesRead,
) -> Result<Result<Survey, Findings>, LocalBagError> {
    let failed = LocalBagError::read(path);
    let mut file = File::open(path).map_err(&failed)?;
    let size = file.metadata().map_err(&failed)?.len();
    let mut reader = TarReader::new(size);
    let mut visit = Visit {
        survey: Survey::new(Source::Tar(path.to_owned()), identity)?,
        places: survey::Survey::default(),
        current: None,
    };
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(&failed)?;
        if read == 0 {
            break;
        }
        seen.add(read);
        let mut input = buffer.get(..read).unwrap_or_default();
        loop {
            match reader.next(&mut input) {
                Ok(Some(event)) => visit.event(event)?,
                Ok(None) => break,
                Err(fault) => return Ok(Err(visit.findings_with(&fault))),
            }
        }
    }
    match reader.finish() {
        Ok(end) => end.report(&mut visit.survey.received.findings),
        Err(fault) => return Ok(Err(visit.findings_with(&fault))),
    }
    let folder = visit.places.folder().unwrap_or_default();
    folder.clone_into(&mut visit.survey.received.folder);
    Ok(Ok(visit.survey))
}

struct Visit {
    survey: Survey,
    places: survey::Survey,
    /// The file whose bytes are passing.
    current: Option<(Met, FanOut)>,
}

impl Visit {
    fn event(&mut self, event: Event<'_>) -> Result<(), LocalBagError> {
        match event {
            Event::Member(member) => {
                self.survey.count_payload(&member.raw_path);
                self.member(&member)?;
            }
            Event::Data(bytes) => {
                if let Some((_, digests)) = &mut self.current {
                    digests.update_split(bytes);
                }
            }
            Event::Irregular(irregular) => {
                self.survey.count_payload(&irregular.raw_path);
                irregular.report(&mut self.survey.received.findings);
            }
            Event::MemberEnd { .. } => {
                if let Some((met, digests)) = self.current.take() {
                    self.survey.add_file(&met, &digests.finish())?;
                }
            }
            Event::End => {}
        }
        Ok(())
    }

    fn member(&mut self, member: &Member) -> Result<(), LocalBagError> {
        let findings = &mut self.survey.received.findings;
        let Some(BagMember { path, kind }) = self.places.place(member, findings) else {
            return Ok(());
        };
        if !self.survey.has_room_for(path) {
            return Ok(());
        }
        if kind == MemberKind::Directory {
            return self.survey.add_folder(path);
        }
        let met = Met {
            path: path.to_owned(),
            kind,
            size: member.size,
            tar_offset: member.tar_offset,
            data_offset: member.data_offset,
        };
        self.current = Some((met, FanOut::new()));
        Ok(())
    }

    fn findings_with(self, fault: &TarFault) -> Findings {
        let mut findings = self.survey.received.findings;
        fault.report(&mut findings);
        findings
    }
}
