//! Who may ask: the one key pair. An unknown key is told apart from a wrong secret, as S3 does.

use async_trait::async_trait;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::Credentials;

pub(super) struct Keys(pub Credentials);

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.access_key {
            return Ok(SecretKey::from(self.0.secret_key.clone()));
        }
        let message = "the access key is not one of this endpoint";
        Err(S3Error::with_message(
            S3ErrorCode::InvalidAccessKeyId,
            message,
        ))
    }
}
