//! What is away, as far as this process knows, and how long the work that needs it rests.
//!
//! An outage pauses its own dependency and no other. The first time it is met, the messages that
//! need it rest for [`PAUSE_FIRST`]; each further time twice as long, up to [`PAUSE_MAX`]. When a
//! pause is over, one job looks whether the dependency is back, and the others rest a while longer.
//! What a message needs is known before its job begins for the registry, which every work item is
//! asked of, and for what the last job of the same subject in this process has met. Other messages
//! begin; those that need nothing that is away are not held up by it.
//!
//! Not kept anywhere: another process, or the next one, finds out by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muniment_model::Dependency;
use muniment_work::{Message, Subject};
use tokio::time::Instant;
use tracing::{error, info};

/// The first pause: longer than the retries within a job, which have just failed.
const PAUSE_FIRST: Duration = Duration::from_secs(10);
/// The longest: work goes on within a minute after an outage.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How long others rest while one job looks whether a dependency is back.
const PROBE_DELAY: Duration = Duration::from_secs(10);
/// A job that looks for longer has come further than the outage: longer than all the tries of one
/// request to a store that is silent.
const PROBE_MAX: Duration = Duration::from_mins(5);
/// How many subjects are remembered with what they need. One that is forgotten begins, meets the
/// outage and is remembered again.
const SUBJECTS_MAX: usize = 10_000;
/// After so many jobs in a row that met an outage, every job of the worker may need what is away.
const IN_A_ROW_MIN: u32 = 4;

/// Of one process: shared by all of its workers.
#[derive(Debug, Default)]
pub(crate) struct Outages(Mutex<HashMap<Dependency, Pause>>);

#[derive(Debug)]
struct Pause {
    length: Duration,
    until: Instant,
    /// Since when a job looks whether the dependency is back.
    probed_since: Option<Instant>,
}

impl Pause {
    fn is_probed(&self, now: Instant) -> bool {
        self.probed_since
            .is_some_and(|since| since + PROBE_MAX > now)
    }
}

/// Whether work that needs a dependency may begin.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    Begin,
    /// As the one that looks whether the dependency is back.
    Probe(Probe<'a>),
    Rest(Duration),
}

impl Outages {
    /// Notes that a job has met an outage. Answers how long its message rests.
    pub(crate) fn meet(&self, dependency: &Dependency) -> Duration {
        let now = Instant::now();
        let mut pauses = self.lock();
        // One that nobody has met for so long is over, whether or not anybody looked.
        pauses.retain(|_, pause| pause.until + PAUSE_MAX > now);
        let length = match pauses.get(dependency) {
            // Begun before the pause.
            Some(pause) if pause.until > now => return pause.until - now,
            Some(pause) => (pause.length * 2).min(PAUSE_MAX),
            None => PAUSE_FIRST,
        };
        let pause = Pause {
            length,
            until: now + length,
            probed_since: None,
        };
        pauses.insert(dependency.clone(), pause);
        error!(%dependency, pause = ?length, "a service is away; what needs it waits");
        length
    }

    /// Asked before work begins that needs the dependency.
    pub(crate) fn turn(&self, dependency: &Dependency) -> Turn<'_> {
        let now = Instant::now();
        match self.lock().get_mut(dependency) {
            None => Turn::Begin,
            Some(pause) if pause.until > now => Turn::Rest(pause.until - now),
            Some(pause) if pause.is_probed(now) => Turn::Rest(PROBE_DELAY),
            Some(pause) if pause.probed_since.is_some() => Turn::Begin,
            Some(pause) => {
                pause.probed_since = Some(now);
                Turn::Probe(Probe {
                    outages: self,
                    dependency: dependency.clone(),
                })
            }
        }
    }

    pub(crate) fn is_away(&self, dependency: &Dependency) -> bool {
        let now = Instant::now();
        let pauses = self.lock();
        pauses
            .get(dependency)
            .is_some_and(|pause| pause.until + PAUSE_MAX > now)
    }

    /// Notes that the dependency has answered.
    pub(crate) fn is_back(&self, dependency: &Dependency) {
        if self.lock().remove(dependency).is_some() {
            info!(%dependency, "a service is back");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Dependency, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one job that looks whether a dependency is back. Dropped, it leaves that to another.
#[derive(Debug)]
pub(crate) struct Probe<'a> {
    outages: &'a Outages,
    dependency: Dependency,
}

impl Probe<'_> {
    /// The job came further than the outage.
    pub(crate) fn is_back(&self) {
        self.outages.is_back(&self.dependency);
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(pause) = self.outages.lock().get_mut(&self.dependency) {
            pause.probed_since = None;
        }
    }
}

/// Of a subject, the planner or all of its batches: each batch needs what the others need.
type Part = (Subject, bool);

fn part_of(message: &Message) -> Part {
    (message.subject, message.batch.is_some())
}

/// What the jobs of one worker have met lately.
#[derive(Debug, Default)]
pub(crate) struct Met(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    needs: HashMap<Part, Dependency>,
    in_a_row: u32,
}

impl Met {
    /// What the last job of this kind could not go on without.
    pub(crate) fn need_of(&self, message: &Message) -> Option<Dependency> {
        self.lock().needs.get(&part_of(message)).cloned()
    }

    pub(crate) fn outage(&self, message: &Message, dependency: &Dependency) {
        let mut lately = self.lock();
        lately.in_a_row = lately.in_a_row.saturating_add(1);
        if lately.needs.len() >= SUBJECTS_MAX {
            lately.needs.clear();
        }
        lately.needs.insert(part_of(message), dependency.clone());
    }

    pub(crate) fn no_outage(&self, message: &Message) {
        let mut lately = self.lock();
        lately.in_a_row = 0;
        lately.needs.remove(&part_of(message));
    }

    /// Whether the worker does one job at a time until one of them meets no outage.
    pub(crate) fn only_outages(&self) -> bool {
        self.lock().in_a_row >= IN_A_ROW_MIN
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
