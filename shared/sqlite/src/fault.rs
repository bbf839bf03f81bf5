//! What an error of the database means to its caller, decided by result codes, never by text.

use sqlx::error::DatabaseError;

// The primary result codes of SQLite ("Result and Error Codes"): the low byte of an extended one.
const SQLITE_PERM: u32 = 3;
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_NOMEM: u32 = 7;
const SQLITE_READONLY: u32 = 8;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_PROTOCOL: u32 = 15;
/// An extended one: the index of the log could not grow. "The underlying filesystem volume is out of
/// space", by the same page, and so answers a disk that was full when the file was opened.
const SQLITE_IOERR_SHMSIZE: u32 = SQLITE_IOERR | (19 << 8);

/// Whether there is no room to write: one of the ways in which a database is [`SqliteFault::Unusable`],
/// and the one that an operator ends by making room.
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(code_of)
        .is_some_and(means_full)
}

const fn means_full(code: u32) -> bool {
    primary(code) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE
}

fn code_of(error: &dyn DatabaseError) -> Option<u32> {
    error.code().and_then(|code| code.parse().ok())
}

/// The low byte of an extended result code.
const fn primary(code: u32) -> u32 {
    code & 0xff
}

/// What is wrong, in the words a caller acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqliteFault {
    /// Others hold the database for longer than a write takes. May work in a moment.
    Busy,
    /// The disk is full, failing, read-only or gone, or memory is. Nothing works until that ends.
    Unusable,
    /// A unique index or a primary key has this value already.
    NotUnique,
    /// The row names another that does not exist.
    Dangling,
    /// Anything else. The same call will be refused again.
    Refused,
}

impl SqliteFault {
    pub fn of(error: &sqlx::Error) -> Self {
        if let Some(error) = error.as_database_error() {
            return Self::of_answer(error);
        }
        // Not an answer of SQLite. The enum is not exhaustive and not ours: what is not named here
        // is a statement or a row that is wrong.
        if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) {
            Self::Busy
        } else if matches!(error, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) {
            Self::Unusable
        } else {
            Self::Refused
        }
    }

    fn of_answer(error: &dyn DatabaseError) -> Self {
        if error.is_unique_violation() {
            return Self::NotUnique;
        }
        if error.is_foreign_key_violation() {
            return Self::Dangling;
        }
        match code_of(error).map(primary) {
            Some(SQLITE_BUSY | SQLITE_LOCKED | SQLITE_PROTOCOL) => Self::Busy,
            Some(
                SQLITE_PERM | SQLITE_NOMEM | SQLITE_READONLY | SQLITE_IOERR | SQLITE_FULL
                | SQLITE_CANTOPEN,
            ) => Self::Unusable,
            Some(_) | None => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4874 is what a file in WAL mode answers that is opened on a tmpfs without room.
    #[test]
    fn a_full_disk_has_two_codes_and_other_faults_of_a_disk_have_others() {
        let rows = [
            ("SQLITE_FULL", 13, true),
            ("SQLITE_IOERR_SHMSIZE", 4874, true),
            ("SQLITE_IOERR", 10, false),
            ("SQLITE_IOERR_WRITE", 778, false),
            ("SQLITE_CANTOPEN", 14, false),
        ];

        for (name, code, full) in rows {
            assert_eq!(means_full(code), full, "{name}");
        }
    }
}
