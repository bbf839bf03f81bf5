//! Brings the file to the layout of this program, in one transaction.
//!
//! SQLite's `user_version` counts the scripts that were applied. It is part of the transaction, so
//! two processes that open a new file at once make it once, and a kill in between leaves it whole.

use sqlx::{Row, SqliteConnection};

use super::write;
use crate::WorkError;

/// In order; a script that was once released is never changed.
const SCRIPTS: [&str; LAYOUT as usize] = [concat!(
    include_str!("../../migrations/0001_work.sql"),
    "PRAGMA user_version = 1;"
)];

/// The layout that this program knows.
const LAYOUT: u8 = 1;

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), WorkError> {
    let mut transaction = write(connection).await?;
    let found: i64 = sqlx::query("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?
        .try_get(0)?;
    let newer = || WorkError::NewerLayout {
        found,
        known: i64::from(LAYOUT),
    };
    let applied = usize::try_from(found).map_err(|_negative| newer())?;
    let missing = SCRIPTS.get(applied..).ok_or_else(newer)?;
    for script in missing {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
