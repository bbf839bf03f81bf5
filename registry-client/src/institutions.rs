//! Institutions: read only, made at set-up.

use muniment_model::registry::{Institution, Listing};

use crate::exchange::{Call, segment};
use crate::paging::PageRequest;
use crate::{ClientError, RegistryClient};

/// A hundred thousand institutions. A list that goes on after that does not end.
const PAGES_MAX: u32 = 100;

impl RegistryClient {
    /// All of them, by name.
    pub async fn institutions(&self) -> Result<Vec<Institution>, ClientError> {
        let path = "institutions";
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let request = PageRequest {
                page,
                ..PageRequest::LONGEST
            };
            let mut listing: Listing<Institution> = self.page(path, Vec::new(), request).await?;
            all.append(&mut listing.results);
            if listing.next.is_empty() {
                return Ok(all);
            }
        }
        Err(ClientError::Endless {
            call: Call::get(path).name(),
        })
    }

    /// The institution with this identifier, `test.edu`.
    pub async fn institution(&self, identifier: &str) -> Result<Option<Institution>, ClientError> {
        let path = format!("institutions/show/{}", segment(identifier));
        self.fetch_if_any(&Call::get(path)).await
    }
}
