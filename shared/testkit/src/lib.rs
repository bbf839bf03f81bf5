//! What the tests of several crates share: a clock that is told the time, work records to start from,
//! and a work store that is watched or breaks when told to. A dev-dependency only.

mod clock;
pub mod records;
mod watched_store;

pub use clock::MockClock;
pub use watched_store::{BreakingStore, Moment, Watch, WatchedStore};
