//! What the tests of several crates share: a clock that is told the time, work records to start from,
//! and a work store that breaks when told to. A dev-dependency only.

mod breaking_store;
mod clock;
pub mod records;

pub use breaking_store::{BreakingStore, Moment};
pub use clock::MockClock;
