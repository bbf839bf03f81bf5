//! Whose message is next: one order in virtual time per queue, round-robin over institutions.
//!
//! Each claim moves its institution one step of virtual time behind the one it was served at. An
//! institution that was idle joins at the present time: it has saved up nothing, and it waits for
//! no backlog of others. Within an institution, messages go in the order of their publishing.
//!
//! Big work is kept from filling all workers: while small work is ready, it is claimed only if
//! less than half of what is leased is big. With nothing leased there is nothing to keep free, so
//! both kinds go by their times, and a single worker never leaves big work behind for good.

use muniment_model::InstitutionId;

use super::{Entry, Leased, State};

impl State {
    /// When the institution is served next, and never in the past.
    pub(crate) fn next_service_of(&self, institution: InstitutionId) -> u64 {
        let own = self
            .served_next
            .get(&institution)
            .copied()
            .unwrap_or_default();
        own.max(self.head.virtual_time)
    }
}

/// The ready entry that is claimed next.
pub(crate) fn next_ready<'a>(
    state: &State,
    ready: impl Iterator<Item = &'a Entry>,
    leased: Leased,
) -> Option<&'a Entry> {
    let (big, small): (Vec<&Entry>, Vec<&Entry>) = ready.partition(|entry| entry.message.is_big());
    let first = |entries: Vec<&'a Entry>| {
        entries.into_iter().min_by_key(|entry| {
            let institution = entry.message.institution;
            (state.next_service_of(institution), institution, entry.seq)
        })
    };
    if small.is_empty() {
        return first(big);
    }
    let big_may_go = leased.all == 0 || leased.big * 2 < leased.all;
    let allowed = if big_may_go {
        first(small).into_iter().chain(first(big)).collect()
    } else {
        small
    };
    first(allowed)
}
