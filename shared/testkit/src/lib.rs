//! What the tests of several crates share: a clock that is told the time, and work records to start
//! from. A dev-dependency only.
//!
//! Bags for tests are built by `muniment_bagit::build`, which the demonstration uses as well.

mod clock;
pub mod records;

pub use clock::MockClock;
