//! The names of records in errors.

use muniment_model::{BatchNumber, WorkItemId};

pub(crate) fn object(item: WorkItemId) -> String {
    format!("the object record of item {item}")
}

pub(crate) fn checkpoint(item: WorkItemId) -> String {
    format!("the checkpoint of item {item}")
}

pub(crate) fn files(item: WorkItemId, batch: BatchNumber) -> String {
    format!("the file records of item {item}, batch {batch}")
}
