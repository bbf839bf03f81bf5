//! Lists, page by page.

use muniment_model::registry::{BATCH_MAX, Listing};
use serde::de::DeserializeOwned;

use crate::exchange::Call;
use crate::{ClientError, RegistryClient};

/// One page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Counts from 1.
    pub page: u32,
    /// 1 to 1,000.
    pub per_page: u32,
}

const _: () = assert!(PageRequest::LONGEST.per_page as usize == BATCH_MAX);

impl PageRequest {
    /// The longest first page.
    pub const LONGEST: Self = Self {
        page: 1,
        per_page: 1_000,
    };
}

/// A column to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending(&'static str),
    Descending(&'static str),
}

impl Order {
    pub(crate) fn parameter(&self) -> String {
        match self {
            Self::Ascending(column) => format!("{column}__asc"),
            Self::Descending(column) => format!("{column}__desc"),
        }
    }
}

impl RegistryClient {
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        mut query: Vec<(&'static str, String)>,
        page: PageRequest,
    ) -> Result<Listing<T>, ClientError> {
        query.push(("page", page.page.to_string()));
        query.push(("per_page", page.per_page.to_string()));
        let call = Call::get(path).with_query(query);
        self.fetch(&call).await
    }
}
