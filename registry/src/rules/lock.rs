//! Which work item has the lock of an object: one open item per object from Reingest Check on, the
//! oldest first (architecture, section 6).
//!
//! The lock is a fence for recording, too. A worker that was thought dead may wake up after its item
//! has ended and another item has recorded a later upload, so an item that once had a lock records
//! only while it has it. One that goes on after its ending has its lock again before it works on the
//! object, or is refused.
//!
//! Two items may ask at once. The store asks this rule inside the write transaction, and a unique
//! index backs it, so that at most one of them is told that it has the lock.

use chrono::{DateTime, Utc};
use muniment_model::{Stage, WorkItemId};

use super::RuleError;

/// An open work item for the object in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) id: WorkItemId,
    pub(crate) bag_date: Option<DateTime<Utc>>,
    pub(crate) stage: Stage,
    /// Whether it has the lock already.
    pub(crate) holds: bool,
}

impl Contender {
    /// Workers of the original move an item on without asking for the lock; it works on the object
    /// all the same. Cleanup is left out: a rejected item reaches it without touching the object.
    fn occupies(&self) -> bool {
        self.holds || UNASKED.contains(&self.stage)
    }

    fn is_older_than(&self, other: &Self) -> bool {
        (self.bag_date, self.id) < (other.bag_date, other.id)
    }
}

/// Stages at which an item works on its object whether or not it has asked for the lock.
pub(crate) const UNASKED: [Stage; 5] = [
    Stage::CopyToStaging,
    Stage::FormatIdentification,
    Stage::Store,
    Stage::StorageValidation,
    Stage::Record,
];

/// The item that has the object's lock now: `asking`, or the one that it has to wait for. `others` are
/// open items for the same object; those that neither work on it nor wait for it do not matter.
pub(crate) fn holder(asking: &Contender, others: &[Contender]) -> WorkItemId {
    if asking.holds {
        return asking.id;
    }
    if let Some(occupant) = others.iter().find(|other| other.occupies()) {
        return occupant.id;
    }
    others
        .iter()
        .filter(|other| other.stage == Stage::ReingestCheck && other.is_older_than(asking))
        .min_by_key(|other| (other.bag_date, other.id))
        .map_or(asking.id, |oldest| oldest.id)
}

/// The object whose lock an item takes again when it goes on at this stage after its ending: the last one
/// that it had. At an earlier stage it goes on without, and asks at Reingest Check; at Cleanup it works on
/// no object.
pub(crate) fn to_take_again<'a>(stage: Stage, holds: &str, last_lock: &'a str) -> Option<&'a str> {
    let goes_without = !holds.is_empty() || last_lock.is_empty() || !UNASKED.contains(&stage);
    (!goes_without).then_some(last_lock)
}

/// An ingest that is about to record something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorder {
    pub(crate) id: WorkItemId,
    /// The object whose lock it has now; empty for none.
    pub(crate) holds: String,
    /// Whether it ever had a lock. Workers of the original never ask for one and record without.
    pub(crate) had_lock: bool,
}

impl Recorder {
    fn without_lock(&self, object: &str) -> RuleError {
        RuleError::WithoutLock {
            item: self.id,
            object: object.to_owned(),
        }
    }
}

/// Whether the ingest may record the object as a whole.
pub(crate) fn may_record(recorder: &Recorder, object: &str) -> Result<(), RuleError> {
    if !recorder.had_lock || recorder.holds == object {
        return Ok(());
    }
    Err(recorder.without_lock(object))
}

/// Whether the ingest may record files of the object: it must also be the one that recorded the
/// object last, since its files are counted for that one.
pub(crate) fn may_record_files(
    recorder: &Recorder,
    object: &str,
    recorded_by: WorkItemId,
) -> Result<(), RuleError> {
    may_record(recorder, object)?;
    if !recorder.had_lock || recorder.id == recorded_by {
        return Ok(());
    }
    Err(recorder.without_lock(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: i64, day: i64, stage: Stage) -> Contender {
        Contender {
            id: WorkItemId(id),
            bag_date: DateTime::from_timestamp(day * 86_400, 0),
            stage,
            holds: false,
        }
    }

    fn holding(item: Contender) -> Contender {
        Contender {
            holds: true,
            ..item
        }
    }

    #[test]
    fn the_oldest_open_item_at_reingest_check_goes_first() {
        let me = item(10, 5, Stage::ReingestCheck);
        let rows = [
            ("alone", me, vec![], 10),
            ("older waits", me, vec![item(9, 4, Stage::ReingestCheck)], 9),
            (
                "younger waits",
                me,
                vec![item(9, 6, Stage::ReingestCheck)],
                10,
            ),
            (
                "same date, lower id",
                me,
                vec![item(9, 5, Stage::ReingestCheck)],
                9,
            ),
            (
                "same date, higher id",
                me,
                vec![item(11, 5, Stage::ReingestCheck)],
                10,
            ),
            (
                "the oldest of several",
                me,
                vec![
                    item(3, 4, Stage::ReingestCheck),
                    item(7, 2, Stage::ReingestCheck),
                ],
                7,
            ),
            (
                "older but not there yet",
                me,
                vec![item(9, 4, Stage::Validate)],
                10,
            ),
        ];

        for (name, asking, others, expected) in rows {
            assert_eq!(holder(&asking, &others), WorkItemId(expected), "{name}");
        }
    }

    #[test]
    fn an_item_that_goes_on_at_its_object_takes_its_last_lock_again() {
        let bag = "test.edu/a";
        let rows = [
            (Stage::Record, "", bag, Some(bag)),
            (Stage::CopyToStaging, "", bag, Some(bag)),
            (Stage::Record, bag, bag, None),
            (Stage::Record, "", "", None),
            (Stage::Receive, "", bag, None),
            (Stage::ReingestCheck, "", bag, None),
            (Stage::Cleanup, "", bag, None),
        ];

        for (stage, holds, last, expected) in rows {
            assert_eq!(to_take_again(stage, holds, last), expected, "{stage}");
        }
    }

    #[test]
    fn an_item_that_had_a_lock_records_only_while_it_has_it() {
        let recorder = |holds: &str, had_lock| Recorder {
            id: WorkItemId(7),
            holds: holds.to_owned(),
            had_lock,
        };
        let rows = [
            ("never asked", recorder("", false), 8, true, true),
            ("has the lock", recorder("test.edu/a", true), 7, true, true),
            (
                "has the lock, another recorded the object",
                recorder("test.edu/a", true),
                8,
                true,
                false,
            ),
            ("had the lock", recorder("", true), 7, false, false),
            (
                "has another lock",
                recorder("test.edu/ab", true),
                7,
                false,
                false,
            ),
        ];

        for (name, asking, recorded_by, object, files) in rows {
            let bag = "test.edu/a";
            assert_eq!(may_record(&asking, bag).is_ok(), object, "{name}");
            let answer = may_record_files(&asking, bag, WorkItemId(recorded_by));
            assert_eq!(answer.is_ok(), files, "{name}");
        }
    }

    #[test]
    fn an_item_that_has_the_lock_or_works_on_the_object_is_waited_for() {
        let me = item(10, 5, Stage::ReingestCheck);
        let rows = [
            (
                "a younger one holds",
                me,
                vec![holding(item(12, 9, Stage::Store))],
                12,
            ),
            (
                "the holder asks again",
                holding(me),
                vec![item(9, 4, Stage::ReingestCheck)],
                10,
            ),
            (
                "moved on without asking",
                me,
                vec![item(12, 9, Stage::Store)],
                12,
            ),
            (
                "rejected and cleaning up",
                me,
                vec![item(9, 4, Stage::Cleanup)],
                10,
            ),
            (
                "cleaning up with the lock",
                me,
                vec![holding(item(9, 4, Stage::Cleanup))],
                9,
            ),
        ];

        for (name, asking, others, expected) in rows {
            assert_eq!(holder(&asking, &others), WorkItemId(expected), "{name}");
        }
    }
}
