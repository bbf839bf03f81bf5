//! Which work item is meant: by its id, or by the name of its bag where that says enough.

use std::fmt;
use std::str::FromStr;

use muniment_model::WorkItemId;
use muniment_model::registry::WorkItem;
use muniment_registry_client::{Order, PageRequest, RegistryClient, WorkItemQuery};

use crate::error::CommandError;

/// What the key of every bag ends in.
const TAR: &str = ".tar";
/// How many ids a message names. More are looked up with `muniment status`.
const NAMED_MAX: usize = 10;

/// A work item as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemName {
    Id(WorkItemId),
    Bag {
        institution: Option<String>,
        /// The key of the upload, which ends in `.tar`.
        key: String,
    },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has to be the id of a work item, or the name of a bag such as photos or test.edu/photos"
)]
pub(crate) struct NoItemName;

impl FromStr for ItemName {
    type Err = NoItemName;

    fn from_str(text: &str) -> Result<Self, NoItemName> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let id = text.parse().map_err(|_no_number| NoItemName)?;
            return Ok(Self::Id(WorkItemId(id)));
        }
        let (institution, bag) = match text.split_once('/') {
            Some((institution, bag)) => (Some(institution.to_owned()), bag),
            None => (None, text),
        };
        let bag = bag.strip_suffix(TAR).unwrap_or(bag);
        if bag.is_empty() || institution.as_ref().is_some_and(String::is_empty) {
            return Err(NoItemName);
        }
        let key = format!("{bag}{TAR}");
        Ok(Self::Bag { institution, key })
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Bag { institution, key } => {
                let bag = key.strip_suffix(TAR).unwrap_or(key);
                match institution {
                    Some(institution) => write!(f, "{institution}/{bag}"),
                    None => f.write_str(bag),
                }
            }
        }
    }
}

impl ItemName {
    /// Whether the bag of an upload is meant, with this key and of this institution.
    pub(crate) fn is_of(&self, whose: &str, upload: &str) -> bool {
        match self {
            Self::Id(_) => false,
            Self::Bag { institution, key } => {
                key == upload && institution.as_ref().is_none_or(|wanted| wanted == whose)
            }
        }
    }

    /// The item as the registry has it.
    pub(crate) async fn find(&self, registry: &RegistryClient) -> Result<WorkItem, CommandError> {
        let key = match self {
            Self::Id(id) => {
                let found = registry.work_item(*id).await;
                let found = found.map_err(CommandError::of_operator)?;
                return found.ok_or(CommandError::NoSuchItem { id: *id });
            }
            Self::Bag { key, .. } => key,
        };
        let query = WorkItemQuery {
            name: Some(key.clone()),
            order: Some(Order::Descending("id")),
            ..WorkItemQuery::default()
        };
        let listing = registry.work_items(&query, PageRequest::LONGEST).await;
        let listing = listing.map_err(CommandError::of_operator)?;
        self.only_open(listing.results)
    }

    /// The one item of that name that has not ended. `all` are the newest of that key, newest first.
    fn only_open(&self, mut all: Vec<WorkItem>) -> Result<WorkItem, CommandError> {
        if let Self::Bag {
            institution: Some(wanted),
            ..
        } = self
        {
            all.retain(|item| item.institution_identifier == *wanted);
        }
        let (mut open, ended): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|item| !item.status.is_ended());
        match (open.pop(), open.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                open.push(last);
                Err(CommandError::SeveralItems {
                    name: self.to_string(),
                    ids: named(&open),
                })
            }
            (None, _) if ended.is_empty() => Err(CommandError::NoItemOfBag {
                name: self.to_string(),
            }),
            (None, _) => Err(CommandError::NoOpenItem {
                name: self.to_string(),
                ids: named(&ended),
            }),
        }
    }
}

/// For a message: `7 (Suspended, test.edu), 3 (Failed, test.edu)`.
fn named(items: &[WorkItem]) -> String {
    let shown = items.iter().take(NAMED_MAX).map(|item| {
        let (id, status, whose) = (item.id, item.status, &item.institution_identifier);
        format!("{id} ({status}, {whose})")
    });
    let mut shown: Vec<_> = shown.collect();
    if items.len() > NAMED_MAX {
        shown.push(format!("and {} more", items.len() - NAMED_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use muniment_model::Status;

    use super::*;
    use crate::orders::tests::item;

    #[test]
    fn an_item_is_named_by_its_id_or_its_bag() {
        let bag = |institution: Option<&str>, key: &str| {
            Ok(ItemName::Bag {
                institution: institution.map(str::to_owned),
                key: key.to_owned(),
            })
        };
        let rows = [
            ("12", Ok(ItemName::Id(WorkItemId(12)))),
            ("photos", bag(None, "photos.tar")),
            ("photos.tar", bag(None, "photos.tar")),
            ("12.tar", bag(None, "12.tar")),
            ("test.edu/photos", bag(Some("test.edu"), "photos.tar")),
            ("test.edu/12", bag(Some("test.edu"), "12.tar")),
            ("99999999999999999999", Err(NoItemName)),
            ("", Err(NoItemName)),
            ("test.edu/", Err(NoItemName)),
            ("/photos", Err(NoItemName)),
            (".tar", Err(NoItemName)),
        ];

        for (text, expected) in rows {
            assert_eq!(text.parse::<ItemName>(), expected, "{text}");
        }
    }

    #[test]
    fn a_bag_names_its_one_open_item_and_else_the_ids_are_told() {
        let of = |id: i64, status, institution: &str| WorkItem {
            id: WorkItemId(id),
            status,
            institution_identifier: institution.to_owned(),
            ..item()
        };
        let (open, ended) = (Status::Suspended, Status::Failed);
        let (ours, theirs) = ("test.edu", "example.edu");
        let rows = [
            ("photos", vec![of(2, open, ours), of(1, ended, ours)], "2"),
            (
                "photos",
                vec![of(2, open, ours), of(1, open, theirs)],
                "2 (Suspended, test.edu), 1 (Suspended, example.edu)",
            ),
            (
                "example.edu/photos",
                vec![of(2, open, ours), of(1, open, theirs)],
                "1",
            ),
            ("photos", vec![of(1, ended, ours)], "1 (Failed, test.edu)"),
            (
                "example.edu/photos",
                vec![of(1, ended, ours)],
                "no work item",
            ),
        ];

        for (name, all, expected) in rows {
            let wanted: ItemName = name.parse().expect("a name");
            match wanted.only_open(all) {
                Ok(found) => assert_eq!(found.id.to_string(), expected, "{name}"),
                Err(error) => {
                    let told = error.to_string();
                    assert!(told.contains(expected), "{name}: {told}");
                }
            }
        }
    }
}
