//! Authentication and authorisation of requests (registry contract, 1.1 to 1.3).
//!
//! A key is 128 random bits, so its SHA-256 is all that needs to be kept: there is no dictionary to
//! try it against, and stretching it would only make every request slower. A reader of the digests
//! could read everything else in the same database, so a secret beside them would add nothing. Digests
//! are compared in constant time, and an unknown address is compared too.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use muniment_model::InstitutionId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::App;
use super::error::ApiError;
use crate::rules::access::{Audience, Scope, admit};

const USER_HEADER: &str = "x-pharos-api-user";
const KEY_HEADER: &str = "x-pharos-api-key";

/// Contract 1.1: 16 random bytes as 32 hexadecimal digits.
const KEY_BYTES: usize = 16;

/// The sender of a request that was authorised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) scope: Scope,
}

impl Caller {
    /// Refuses a record of another institution.
    pub(super) fn may_see(self, institution: InstitutionId) -> Result<(), ApiError> {
        if self.scope.covers(institution) {
            Ok(())
        } else {
            Err(ApiError::Forbidden {
                institution,
                audience: Audience::Member,
            })
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    /// Only an authorised request has a caller, so a route outside the two APIs cannot read anything.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get()
            .copied()
            .ok_or(ApiError::Unauthenticated)
    }
}

/// Lets a request pass whose sender belongs to the audience of the API.
pub(super) async fn authorise(
    State((app, audience)): State<(App, Audience)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (email, key) = credentials(request.headers())?;
    let user = app.store.active_user(&email).await?;
    // An absent user or key has the empty digest, which no key has.
    let known = user
        .as_ref()
        .map(|user| user.api_key_digest.clone())
        .unwrap_or_default();
    let same: bool = digest_of(&key).as_bytes().ct_eq(known.as_bytes()).into();
    let user = user.filter(|_| same).ok_or(ApiError::Unauthenticated)?;
    let scope = admit(user.role, user.institution_id, audience).ok_or(ApiError::Forbidden {
        institution: match audience {
            Audience::Admin => InstitutionId(0),
            Audience::Member => user.institution_id,
        },
        audience,
    })?;
    tracing::debug!(user = user.id, path = request.uri().path(), "request");
    request.extensions_mut().insert(Caller { scope });
    Ok(next.run(request).await)
}

fn credentials(headers: &HeaderMap) -> Result<(String, String), ApiError> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    text(USER_HEADER)
        .zip(text(KEY_HEADER))
        .ok_or(ApiError::Unauthenticated)
}

/// A key that no user has had.
pub(crate) fn new_key() -> String {
    hex::encode(rand::random::<[u8; KEY_BYTES]>())
}

/// What is kept of a key.
pub(crate) fn digest_of(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_32_hexadecimal_digits_and_differ() {
        let (one, other) = (new_key(), new_key());

        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}
