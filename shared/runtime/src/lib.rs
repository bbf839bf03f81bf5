//! The run loop that every worker shares: claim, renew, retry, stop, settle.
//!
//! A worker says what its stage does ([`Worker`], [`BatchWorker`]); this crate decides when it
//! runs, how it ends, and what the work item says about it. Nothing here knows S3.

mod batches;
mod clock;
mod ending;
mod gate;
mod item_writes;
mod job;
mod process;
mod runner;
mod settings;
mod shutdown;
mod sweep;

pub use batches::{BatchWorker, Batched, Work};
pub use clock::SystemClock;
pub use ending::{Ending, ending_of};
pub use gate::{Gate, decide};
pub use job::{Completed, Final, Job, JobError, JobSpec, Step, Worker};
pub use process::{run_sweep_process, run_worker};
pub use runner::{Runner, Services};
pub use settings::{RuntimeSettings, StartError};
pub use shutdown::{RELEASE_LIMIT, SOFT_LIMIT, STOP_TIMEOUT, Shutdown, pause};
pub use sweep::{Sweep, keep_sweeping};
