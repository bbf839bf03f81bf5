//! The run loop that every worker shares: claim, renew, retry, stop, acknowledge.
//!
//! A worker says what its step does ([`Worker`], [`BatchWorker`]); this crate decides when it runs,
//! how it ends, and what the work item says about it. It knows pipelines, which are tables, and no
//! stage by name; and of S3 only how its errors class.

mod allocator;
mod batches;
mod calls;
mod clock;
mod ending;
mod entry;
mod gate;
mod health;
mod item_write;
mod items;
mod job;
mod lease;
mod metrics;
mod outages;
mod process;
mod protection;
mod runner;
mod services;
mod settings;
mod shutdown;
mod subject;
mod sweep;

pub use batches::{BatchWorker, Batched, Batches};
pub use clock::SystemClock;
pub use ending::Ending;
pub use entry::{Running, WorkerEntry};
pub use gate::{Gate, decide};
pub use job::{BatchDone, Completed, Final, Job, JobError, StepDone, Worker};
pub use process::{run_sweep, run_worker};
pub use protection::{AgentAddress, NoAgentAddress};
pub use runner::Runner;
pub use services::Services;
pub use settings::{ProcessSettings, StartError};
pub use shutdown::{RELEASE_LIMIT, SOFT_LIMIT, STOP_TIMEOUT, Shutdown};
pub use subject::Subject;
pub use sweep::{Sweep, SweepFailed};
