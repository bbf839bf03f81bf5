//! Which request gets which fault, and which requests there have been.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::watch;

use crate::head::Seen;
use crate::watch::Watch;

/// How many requests are kept to be looked at: some 10 MB, and more than one test makes.
pub const SEEN_MAX: usize = 10_000;

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and no body instead of being carried out.
    Status {
        status: StatusCode,
        /// Rounded up to whole seconds, which is what the header can say.
        retry_after: Option<Duration>,
    },
    /// Passed on after this time.
    Delay(Duration),
    /// Passed on when the proxy is healed, and not before: for what has to happen in between.
    Hold,
    /// The connection is reset after this many bytes of the body. The client may have received fewer:
    /// a reset overtakes what is still in buffers.
    ResetAfter(u64),
    /// The connection closes after exactly this many bytes of the body, though more are promised.
    TruncateAfter(u64),
    /// The answer says that its body has this many bytes at most, and has no more.
    Shorten(u64),
    /// The lowest bit of the body's byte at this position is the other one. A shorter body is unchanged.
    FlipBit(u64),
    /// As [`Fault::FlipBit`], of the body that the client sends.
    FlipSentBit(u64),
    /// Carried out by the server, and the answer never arrives.
    DropAnswer,
    /// Carried out by the server twice, one after the other; the second answer arrives.
    Double,
    /// The answer loses the headers whose names begin with this.
    WithoutHeaders(&'static str),
    /// The body says the second word wherever it says the first, which must be as long.
    Rename(&'static str, &'static str),
    /// The answer has one more header, with this name and value.
    WithHeader(&'static str, &'static str),
}

impl Fault {
    pub fn status(status: StatusCode) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }

    /// A 503.
    pub fn unavailable(retry_after: Option<Duration>) -> Self {
        Self::Status {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after,
        }
    }
}

/// How many of the matching requests a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Next(u32),
    Always,
}

impl Times {
    /// Whether there was one left to take.
    fn take(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Next(left) => {
                let taken = left.checked_sub(1);
                *left = taken.unwrap_or_default();
                taken.is_some()
            }
        }
    }
}

/// Requests by their method and a part of their path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    method: Option<Method>,
    part: String,
}

impl Requests {
    pub fn any() -> Self {
        Self {
            method: None,
            part: String::new(),
        }
    }

    pub fn of(method: Method) -> Self {
        Self {
            method: Some(method),
            part: String::new(),
        }
    }

    /// Those among them whose path and query, as sent, contain `part`.
    #[must_use]
    pub fn containing(self, part: &str) -> Self {
        Self {
            part: part.to_owned(),
            ..self
        }
    }

    fn matches(&self, seen: &Seen) -> bool {
        let of_method = self
            .method
            .as_ref()
            .is_none_or(|method| *method == seen.method);
        of_method && seen.target.contains(&self.part)
    }
}

#[derive(Default)]
pub(crate) struct State {
    inner: Mutex<Inner>,
    watch: Option<Arc<dyn Watch>>,
}

impl Debug for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[derive(Debug, Default)]
struct Inner {
    plans: Vec<Plan>,
    seen: VecDeque<Seen>,
    counts: HashMap<Method, u64>,
    healed: watch::Sender<()>,
}

#[derive(Debug)]
struct Plan {
    requests: Requests,
    times: Times,
    fault: Fault,
}

impl State {
    pub(crate) fn watched(watch: Arc<dyn Watch>) -> Self {
        Self {
            watch: Some(watch),
            ..Self::default()
        }
    }

    pub(crate) fn watch(&self) -> Option<&dyn Watch> {
        self.watch.as_deref()
    }

    pub(crate) fn plan(&self, requests: Requests, times: Times, fault: Fault) {
        self.lock().plans.push(Plan {
            requests,
            times,
            fault,
        });
    }

    pub(crate) fn heal(&self) {
        let mut inner = self.lock();
        inner.plans.clear();
        inner.healed.send_replace(());
    }

    /// To be asked for before [`Self::take`]: it hears of each healing from then on.
    pub(crate) fn healings(&self) -> watch::Receiver<()> {
        self.lock().healed.subscribe()
    }

    pub(crate) fn seen(&self, requests: &Requests) -> Vec<Seen> {
        let inner = self.lock();
        let matching = inner.seen.iter().filter(|seen| requests.matches(seen));
        matching.cloned().collect()
    }

    pub(crate) fn count(&self, method: &Method) -> u64 {
        self.lock().counts.get(method).copied().unwrap_or_default()
    }

    /// Records a request and says what shall happen to it.
    pub(crate) fn take(&self, seen: Seen) -> Option<Fault> {
        let mut inner = self.lock();
        let fault = inner
            .plans
            .iter_mut()
            .find_map(|plan| {
                (plan.requests.matches(&seen) && plan.times.take()).then_some(&plan.fault)
            })
            .cloned();
        inner.plans.retain(|plan| plan.times != Times::Next(0));
        *inner.counts.entry(seen.method.clone()).or_default() += 1;
        if inner.seen.len() == SEEN_MAX {
            inner.seen.pop_front();
        }
        inner.seen.push_back(seen);
        fault
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
