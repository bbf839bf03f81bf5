//! What an installation is, kept for as long as it exists.
//!
//! Idempotent: the first value of a setting stays.

use muniment_model::Namespace;
use uuid::Uuid;

use super::{Store, StoreError};

const NAMESPACE: &str = "namespace";

impl Store {
    /// The namespace of this installation, made when it is first asked for: when the registry is
    /// opened for the first time.
    pub(crate) async fn namespace(&self) -> Result<Namespace, StoreError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(NAMESPACE)
        .bind(Uuid::new_v4().to_string())
        .execute(&mut *transaction)
        .await?;
        let value: String = sqlx::query_scalar("SELECT value FROM settings WHERE name = $1")
            .bind(NAMESPACE)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let uuid = value.parse().map_err(|_not_uuid| StoreError::Corrupt {
            column: "settings.value",
            value,
        })?;
        Ok(Namespace(uuid))
    }
}
