//! The users of the API, and the digests of their keys.
//!
//! Idempotent: a user is made once per e-mail address; issuing a key replaces the one before.

use muniment_model::InstitutionId;

use super::columns::{Columns, key, record};
use super::{Store, StoreError};
use crate::rules::access::Role;

/// What is known of the sender of a request before its key is compared.
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) role: Role,
    pub(crate) institution_id: InstitutionId,
    /// Empty until a key is issued.
    pub(crate) api_key_digest: String,
}

impl Store {
    /// The user who may use the API under this address; neither the user nor the institution is
    /// deactivated.
    pub(crate) async fn active_user(&self, email: &str) -> Result<Option<User>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let row = sqlx::query(
            "SELECT u.id, u.role, u.institution_id, u.api_key_digest \
             FROM users u LEFT JOIN institutions i ON i.id = u.institution_id \
             WHERE u.email = $1 AND u.deactivated_at IS NULL AND (i.id IS NULL OR i.state = 'A')",
        )
        .bind(email)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(
            record!(row => User { id, role, institution_id, api_key_digest }),
        ))
    }

    /// Makes the user, or sets role and institution of the one who has the address.
    pub(crate) async fn ensure_user(
        &self,
        email: &str,
        role: Role,
        institution: Option<InstitutionId>,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_micros();
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO users (created_at, updated_at, email, role, institution_id) \
             VALUES ($1, $1, $2, $3, $4) \
             ON CONFLICT (email) DO UPDATE SET \
             role = excluded.role, institution_id = excluded.institution_id, \
             updated_at = excluded.updated_at",
        )
        .bind(now)
        .bind(email)
        .bind(role.as_str())
        .bind(institution.and_then(|institution| key(institution.0)))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Replaces the user's key.
    pub(crate) async fn set_api_key_digest(
        &self,
        email: &str,
        digest: &str,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_micros();
        let mut transaction = self.write().await?;
        let done =
            sqlx::query("UPDATE users SET api_key_digest = $1, updated_at = $2 WHERE email = $3")
                .bind(digest)
                .bind(now)
                .bind(email)
                .execute(&mut *transaction)
                .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(transaction.commit().await?)
    }
}
