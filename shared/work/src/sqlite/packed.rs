//! A run of file records as the file has it: JSON, packed with zstd.
//!
//! Packed, the records of a batch are a third of their JSON. Each stage writes them anew, and SQLite writes all
//! bytes twice, to its log and then into the file. Runs of a version before are JSON as it is, and stay.

use std::io::{self, Read as _};

use sqlx::FromRow;
use zstd::bulk;
use zstd::stream::read::Decoder;

use crate::WorkError;

/// The fastest: records hold digests, on which a higher level finds nothing more.
const LEVEL: i32 = 1;
/// Five hundred records whose paths are as long as a tar can hold them do not come near to it.
const JSON_BYTES_MAX: u64 = 256 << 20;

/// A row's records, as they are stored.
#[derive(Debug, FromRow)]
pub(super) struct StoredRun {
    is_packed: bool,
    records: Vec<u8>,
}

/// What [`StoredRun`] is read from.
macro_rules! columns {
    () => {
        "typeof(records) = 'blob' AS is_packed, records"
    };
}

pub(super) use columns;

impl StoredRun {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The JSON. `what` names the records in errors.
    pub(super) fn unpack(&self, what: impl Fn() -> String) -> Result<String, WorkError> {
        let json = if self.is_packed {
            unpack(&self.records)
        } else {
            Ok(self.records.clone())
        };
        let json = json.and_then(|json| String::from_utf8(json).map_err(io::Error::other));
        json.map_err(|_damaged| WorkError::Foreign { what: what() })
    }
}

pub(super) fn pack(json: &str) -> Result<Vec<u8>, WorkError> {
    bulk::compress(json.as_bytes(), LEVEL).map_err(|error| WorkError::Refused {
        source: error.into(),
    })
}

fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    Decoder::new(packed)?
        .take(JSON_BYTES_MAX)
        .read_to_end(&mut json)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(records: Vec<u8>) -> StoredRun {
        StoredRun {
            is_packed: true,
            records,
        }
    }

    fn unpacked(run: &StoredRun) -> Result<String, String> {
        let unpacked = run.unpack(|| "the file records of item 12".to_owned());
        unpacked.map_err(|error| error.to_string())
    }

    #[test]
    fn packed_records_and_those_of_a_version_before_are_read_alike() {
        let json = r#"[{"path": "data/ä.txt"}]"#;

        let now = packed(pack(json).expect("packs"));
        let before = StoredRun {
            is_packed: false,
            records: json.as_bytes().to_vec(),
        };

        assert_eq!(unpacked(&now), Ok(json.to_owned()));
        assert_eq!(unpacked(&before), Ok(json.to_owned()));
    }

    #[test]
    fn damaged_records_are_named_whatever_is_wrong_with_them() {
        let whole = pack(&"[1, 2, 3]".repeat(100)).expect("packs");
        let cut = whole.split_at(whole.len() / 2).0.to_vec();
        let no_text = bulk::compress(&[0xff], LEVEL).expect("packs");

        for records in [cut, no_text, b"[]".to_vec(), Vec::new()] {
            let said = unpacked(&packed(records)).expect_err("damaged");
            assert!(said.contains("holds the file records of item 12"), "{said}");
        }
    }
}
