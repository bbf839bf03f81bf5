//! One way to open, migrate, write and judge a SQLite file.
//!
//! ```text
//! Database ── open(migrations) ──> Writer ── begin ──> Transaction ── commit, or rolled back
//!     ├────── read_only ── connect, pool
//!     └────── untouched ── connect
//! ```
//!
//! **Durability.** Every connection uses WAL with `synchronous = FULL`: a commit survives a killed
//! process and a power cut.
//!
//! **One writer.** A transaction takes the write lock when it begins, so none waits for another in
//! its middle. A connection that was not seen to end its transaction is never used again.
//!
//! Idempotent: opening brings the file to the layout of this program and keeps what is there.
//!
//! It cannot serve several machines: SQLite's locks do not hold on network file systems.

mod database;
mod fault;
mod migrations;
mod writer;

pub use database::Database;
pub use fault::{SqliteFault, is_disk_full};
pub use migrations::Migration;
pub use writer::{Transaction, Writer};

/// Why a file could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database has layout {found}, this program knows up to {known}")]
    NewerLayout { found: i64, known: usize },
    #[error("migration {number} ({name}) is not the one that made this database")]
    OtherMigration { number: i64, name: &'static str },
    #[error("could not open the database")]
    Sqlite(#[from] sqlx::Error),
}
