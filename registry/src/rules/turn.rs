//! Whose turn an object has: one open work item per object from Reingest Check on, the oldest first
//! (architecture, section 6).
//!
//! Two items may ask at once; the store asks this rule inside the write transaction, and a unique
//! index stands behind it, so of two answers at most one is "taken".

use chrono::{DateTime, Utc};
use muniment_model::{Stage, WorkItemId};

/// An open work item for the object in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) id: WorkItemId,
    pub(crate) bag_date: Option<DateTime<Utc>>,
    pub(crate) stage: Stage,
    /// Whether it has the turn already.
    pub(crate) holds: bool,
}

impl Contender {
    /// An item that a worker of another make moved on without asking works on the object all the
    /// same. Cleanup is left out: a rejected item gets there without ever touching the object.
    fn occupies(&self) -> bool {
        self.holds || UNASKED.contains(&self.stage)
    }

    fn is_older_than(&self, other: &Self) -> bool {
        (self.bag_date, self.id) < (other.bag_date, other.id)
    }
}

/// Stages at which an item works on its object whether or not it asked for the turn.
pub(crate) const UNASKED: [Stage; 5] = [
    Stage::CopyToStaging,
    Stage::FormatIdentification,
    Stage::Store,
    Stage::StorageValidation,
    Stage::Record,
];

/// The item that has the object's turn now: `me`, or the one that `me` waits for. `others` are open
/// items for the same object; those that neither occupy it nor wait for it do not matter.
pub(crate) fn holder(me: &Contender, others: &[Contender]) -> WorkItemId {
    if me.holds {
        return me.id;
    }
    if let Some(occupant) = others.iter().find(|other| other.occupies()) {
        return occupant.id;
    }
    others
        .iter()
        .filter(|other| other.stage == Stage::ReingestCheck && other.is_older_than(me))
        .min_by_key(|other| (other.bag_date, other.id))
        .map_or(me.id, |oldest| oldest.id)
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
    fn who_has_the_turn_or_works_on_the_object_is_waited_for() {
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
                "cleaning up with the turn",
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
