//! S3: what the workers may do with each bucket, and nothing else.
//!
//! Every bucket is a type of its own that has only the operations its name permits: there is no
//! way to delete from a preservation bucket here. Each operation is idempotent and is repeated
//! by itself while that helps (`muniment-retry`); what then comes out is a [`StorageError`], which says
//! whether the store, the object or the request is at fault. Bytes are written with a checksum
//! that the caller recorded earlier, and a write counts only when the store has confirmed it.

mod answer;
mod bucket;
mod budget;
mod connection;
mod deletion;
mod error;
mod gate;
mod listing;
mod metadata;
mod metered;
mod multipart;
mod open_upload;
mod path_style;
mod preservation;
mod range_copy;
mod receiving;
mod records;
pub mod settings;
mod staging;
mod store;
mod stream;
mod writer;

pub use bucket::Head;
pub use budget::{BUDGET_BYTES, ByteBudget, HeldBytes, STEP_BYTES};
pub use connection::{Connections, Endpoint};
pub use deletion::Deletion;
pub use error::{Cause, Denial, ObjectAddress, Resource, StorageError};
pub use listing::{FirstParts, Listed, Listing};
pub use metadata::{METADATA_BYTES_MAX, MetadataTooLarge, user_metadata};
pub use preservation::{CopyOrder, PreservationBuckets};
pub use receiving::{DepositBucket, ReceivingBucket, ReceivingBuckets};
pub use records::RecordsBucket;
pub use settings::{
    InvalidSettings, PreservationSettings, ReceivingSettings, RecordsSettings, StagingSettings,
    TargetBucket,
};
pub use staging::StagingBucket;
pub use store::{Abilities, Store};
pub use stream::{ObjectStream, RANGE_BYTES, RANGES_AT_ONCE, TarStream};
pub use writer::{ObjectWriter, Written};
