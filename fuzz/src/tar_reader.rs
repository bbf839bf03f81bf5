//! Target: the reader of tars.
//!
//! The input is a tar, so that every entry of the corpus can be looked at with any program for tars.

use muniment_bagit::survey::Survey;
use muniment_bagit::tar::{
    EntryKind, Event, HEADER_BYTES_MAX, Irregular, Member, TarEnd, TarFault, TarReader, TarWarning,
};
use muniment_model::Findings;

use crate::cut::{Cut, OTHERS};

const BLOCK: u64 = 512;

/// How many of a tar's members are tried as the place where an earlier reading stopped: reading the rest
/// for each of them costs the square of their number.
const RESUMED_MAX: usize = 6;

/// What the reader said, with the data of a member in one piece, however it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Member(Member),
    Data(Vec<u8>),
    Irregular(Irregular),
    MemberEnd(u64),
    End,
    Finished(TarEnd),
    Failed(TarFault),
}

pub(crate) fn check(tar: &[u8]) {
    let size = tar.len() as u64;
    let seen = read(tar);
    for cut in OTHERS {
        let other = drive(TarReader::new(size), &cut.pieces(tar));
        assert_eq!(other, seen, "cut {cut:?}");
    }
    Walk::of(tar).all(&seen);
    check_resumed(tar, &seen);
    check_inside(tar, &seen);
    check_interrupted(tar);
}

pub(crate) fn parse(tar: &[u8]) {
    let mut reader = TarReader::new(tar.len() as u64);
    for mut piece in Cut::Every(1023).pieces(tar) {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    drop(reader.finish());
}

/// What the reader says of a whole tar.
pub(crate) fn read(tar: &[u8]) -> Vec<Seen> {
    drive(TarReader::new(tar.len() as u64), &[tar])
}

fn drive(mut reader: TarReader, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let before = (rest.len(), seen.len());
            match reader.next(&mut rest) {
                Ok(None) => break,
                Ok(Some(event)) => record(&mut seen, event),
                Err(fault) => {
                    // What is refused stays refused.
                    let again = reader.next(&mut rest).map(|_| ());
                    assert_eq!(again, Err(fault.clone()), "refused, then not");
                    assert_eq!(reader.finish(), Err(fault.clone()), "refused, then not");
                    seen.push(Seen::Failed(fault));
                    return seen;
                }
            }
            let after = (rest.len(), seen.len());
            assert_ne!(before, after, "an event that took nothing and said nothing");
        }
        assert!(rest.is_empty(), "bytes of the tar were left");
    }
    seen.push(reader.finish().map_or_else(Seen::Failed, Seen::Finished));
    seen
}

fn record(seen: &mut Vec<Seen>, event: Event<'_>) {
    match (event, seen.last_mut()) {
        (Event::Data(more), Some(Seen::Data(data))) => data.extend(more),
        (Event::Data(data), _) => seen.push(Seen::Data(data.to_vec())),
        (Event::Member(member), _) => seen.push(Seen::Member(member)),
        (Event::Irregular(irregular), _) => seen.push(Seen::Irregular(irregular)),
        (Event::MemberEnd { next_offset }, _) => seen.push(Seen::MemberEnd(next_offset)),
        (Event::End, _) => seen.push(Seen::End),
    }
}

/// Goes through the events of one tar and holds each to the bytes that it is about.
struct Walk<'a> {
    tar: &'a [u8],
    survey: Survey,
    members: u64,
    /// Where the last member ended.
    end: u64,
    now: Now<'a>,
}

/// What a walk is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now<'a> {
    Between,
    /// A file or folder, with the place where it has to end and the bytes that it has to have.
    Member {
        end: u64,
        bytes: &'a [u8],
    },
    /// Where such a one ends, only the reader knows.
    Irregular,
    End,
}

impl<'a> Walk<'a> {
    fn of(tar: &'a [u8]) -> Self {
        Self {
            tar,
            survey: Survey::default(),
            members: 0,
            end: 0,
            now: Now::Between,
        }
    }

    fn all(mut self, seen: &[Seen]) {
        for event in seen {
            self.one(event);
        }
        let last = seen.last();
        assert!(matches!(last, Some(Seen::Finished(_) | Seen::Failed(_))));
    }

    fn one(&mut self, event: &Seen) {
        match event {
            Seen::Member(member) => self.member(member),
            Seen::Data(data) => {
                let is_that = matches!(self.now, Now::Member { bytes, .. } if bytes == data);
                assert!(is_that && !data.is_empty(), "other bytes than the tar's");
            }
            Seen::Irregular(irregular) => {
                self.begin(irregular.tar_offset);
                self.now = Now::Irregular;
                let mut findings = Findings::default();
                irregular.report(&mut findings);
                assert!(!findings.is_valid(), "{irregular:?} is no error");
            }
            Seen::MemberEnd(next) => {
                let is_whole = *next <= self.len() && next % BLOCK == 0 && *next > self.end;
                assert!(is_whole, "a member ends at byte {next}");
                match self.now {
                    Now::Member { end, .. } => assert_eq!(*next, end, "it ends elsewhere"),
                    Now::Irregular => {}
                    Now::Between | Now::End => unreachable!("the end of what did not begin"),
                }
                self.now = Now::Between;
                self.end = *next;
            }
            Seen::End => {
                assert_eq!(self.now, Now::Between);
                self.now = Now::End;
            }
            Seen::Finished(end) => self.finished(*end),
            Seen::Failed(fault) => {
                assert!(fault.offset() <= self.len(), "{fault}");
                let mut findings = Findings::default();
                fault.report(&mut findings);
                assert_eq!(findings.error_count(), 1, "{fault}");
            }
        }
    }

    /// Members lie in the tar one after the other.
    fn begin(&mut self, tar_offset: u64) {
        assert_eq!(self.now, Now::Between);
        assert_eq!(tar_offset, self.end, "bytes between two members");
        self.members += 1;
    }

    fn member(&mut self, member: &Member) {
        self.begin(member.tar_offset);
        let headers = member.header.len() as u64;
        assert!(headers <= HEADER_BYTES_MAX && headers.is_multiple_of(BLOCK));
        assert_eq!(member.tar_offset + headers, member.data_offset);
        assert_eq!(self.bytes(member.tar_offset, headers), member.header);
        let is_folder = member.kind == EntryKind::Directory;
        assert!(!is_folder || member.size == 0, "a folder with bytes");
        let end = member.data_offset + member.size.div_ceil(BLOCK) * BLOCK;
        assert!(end <= self.len(), "a member ends outside the tar");
        let bytes = self.bytes(member.data_offset, member.size);
        self.now = Now::Member { end, bytes };
        let mut findings = Findings::default();
        let place = self.survey.place(member, &mut findings);
        let is_root = member.place().is_ok_and(|found| found.path.is_empty());
        assert!(place.is_some() || is_root || !findings.is_valid());
    }

    fn finished(&self, end: TarEnd) {
        let is_ended = self.now == Now::End;
        assert!(
            is_ended || self.now == Now::Between,
            "the end of a member is missing"
        );
        assert_eq!(end.members, self.members);
        let rest = self.bytes(self.end, self.len() - self.end);
        let nonzero = rest.iter().position(|byte| *byte != 0);
        let nonzero = nonzero.map(|at| self.end + at as u64);
        match end.warning {
            None => {
                assert!(is_ended && rest.len() as u64 >= 2 * BLOCK);
                assert_eq!(nonzero, None, "bytes after the end without a word");
            }
            Some(TarWarning::EndMissing { offset }) => {
                assert!(!is_ended && offset == self.len());
            }
            Some(TarWarning::TrailingData { offset }) => {
                assert_eq!(nonzero, Some(offset));
                assert!(offset >= self.end + 2 * BLOCK, "the end is no end");
            }
        }
    }

    fn len(&self) -> u64 {
        self.tar.len() as u64
    }

    fn bytes(&self, from: u64, count: u64) -> &'a [u8] {
        part(self.tar, from, count)
    }
}

fn part(tar: &[u8], from: u64, count: u64) -> &[u8] {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let found = tar.get(place(from)..place(from.saturating_add(count)));
    assert!(
        found.is_some(),
        "bytes {from} and {count} more are not in the tar"
    );
    found.unwrap_or_default()
}

/// A reading that goes on at the end of a member says the same as one that never stopped.
fn check_resumed(tar: &[u8], seen: &[Seen]) {
    let size = tar.len() as u64;
    let ends = seen
        .iter()
        .zip(1..)
        .filter_map(|(event, after)| match event {
            Seen::MemberEnd(offset) => Some((*offset, after)),
            Seen::Member(_)
            | Seen::Data(_)
            | Seen::Irregular(_)
            | Seen::End
            | Seen::Finished(_)
            | Seen::Failed(_) => None,
        });
    for (offset, after) in ends.take(RESUMED_MAX) {
        let rest = part(tar, offset, size - offset);
        let resumed = drive(TarReader::resume(size, offset), &[rest]);
        let expected = seen.get(after..).unwrap_or_default();
        let counted_anew = |event: &Seen| match event {
            Seen::Finished(end) => Seen::Finished(TarEnd {
                members: 0,
                warning: end.warning,
            }),
            Seen::Member(_)
            | Seen::Data(_)
            | Seen::Irregular(_)
            | Seen::MemberEnd(_)
            | Seen::End
            | Seen::Failed(_) => event.clone(),
        };
        let one: Vec<_> = resumed.iter().map(counted_anew).collect();
        let other: Vec<_> = expected.iter().map(counted_anew).collect();
        assert_eq!(one, other, "resumed at byte {offset}");
    }
}

/// A reading that goes on inside a member says the same of all that follows.
fn check_inside(tar: &[u8], seen: &[Seen]) {
    let size = tar.len() as u64;
    let found = seen.iter().zip(1..).find_map(|(event, after)| match event {
        Seen::Member(member) if member.size > 1 => Some((member, after)),
        Seen::Member(_)
        | Seen::Data(_)
        | Seen::Irregular(_)
        | Seen::MemberEnd(_)
        | Seen::End
        | Seen::Finished(_)
        | Seen::Failed(_) => None,
    });
    let Some((member, after)) = found else {
        return;
    };
    let position = member.data_offset + member.size / 2;
    let mut reader = TarReader::resume(size, member.tar_offset);
    let mut headers = part(tar, member.tar_offset, member.header.len() as u64);
    let first = reader.next(&mut headers);
    assert!(matches!(first, Ok(Some(Event::Member(_)))), "{first:?}");
    assert!(reader.skip_to(position), "byte {position} is in the member");
    let rest = drive(reader, &[part(tar, position, size - position)]);
    let left = member.size - member.size / 2;
    let data = Seen::Data(part(tar, position, left).to_vec());
    assert_eq!(rest.first(), Some(&data));
    let events = |all: &[Seen]| all.split_last().map(|(_, events)| events.to_vec());
    // The ending counts the members that this reader has seen.
    let expected = seen.get(after + 1..).and_then(events);
    assert_eq!(rest.get(1..).and_then(events), expected);
}

/// Less than was announced is never a whole tar.
fn check_interrupted(tar: &[u8]) {
    let seen = drive(TarReader::new(tar.len() as u64 + 1), &[tar]);
    let last = seen.last();
    assert!(matches!(last, Some(Seen::Failed(_))), "{last:?}");
}
