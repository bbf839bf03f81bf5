//! What SQLite's answers mean for the work.

use muniment_sqlite::{OpenError, SqliteFault};

use crate::WorkError;

impl From<sqlx::Error> for WorkError {
    fn from(error: sqlx::Error) -> Self {
        let fault = SqliteFault::of(&error);
        let source = error.into();
        match fault {
            SqliteFault::Busy => Self::Busy { source },
            SqliteFault::Unusable => Self::Unusable { source },
            SqliteFault::NotUnique | SqliteFault::Dangling | SqliteFault::Refused => {
                Self::Refused { source }
            }
        }
    }
}

impl From<OpenError> for WorkError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NewerLayout { found, known } => Self::NewerLayout { found, known },
            OpenError::OtherMigration { .. } => Self::Foreign {
                what: error.to_string(),
            },
            OpenError::Sqlite(error) => error.into(),
        }
    }
}
