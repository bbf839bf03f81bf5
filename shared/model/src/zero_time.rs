//! "No time" on the registry's wire is year 1, never `null` (registry contract, 2.1).
//!
//! A time whose year has not four digits cannot be written there: RFC 3339 has no way to. A tar may hold
//! any, and one odd date of a file must not make the registry refuse what was stored, so it counts as
//! none; the deposit record keeps it.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serializer};

const ZERO: &str = "0001-01-01T00:00:00Z";
const YEARS: std::ops::RangeInclusive<i32> = 0..=9_999;

pub fn serialize<S: Serializer>(time: &Option<DateTime<Utc>>, out: S) -> Result<S::Ok, S::Error> {
    match time.filter(|time| YEARS.contains(&time.year())) {
        Some(time) => out.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => out.serialize_str(ZERO),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    if text == ZERO {
        return Ok(None);
    }
    DateTime::parse_from_rfc3339(&text)
        .map(|time| Some(time.to_utc()))
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Row {
        #[serde(with = "super")]
        mtime: Option<DateTime<Utc>>,
    }

    /// The mtime of a tar's member is any number. One that the wire cannot say would have the registry
    /// refuse the file after it was stored.
    #[test]
    fn a_time_that_the_wire_cannot_say_is_none() {
        let first = DateTime::from_timestamp(-62_167_219_200, 0);
        let last = DateTime::from_timestamp(253_402_300_799, 0);
        let rows = [
            (first, first),
            (last, last),
            (DateTime::from_timestamp(-62_167_219_201, 0), None),
            (DateTime::from_timestamp(253_402_300_800, 0), None),
            (Some(DateTime::<Utc>::MIN_UTC), None),
            (Some(DateTime::<Utc>::MAX_UTC), None),
        ];

        for (mtime, expected) in rows {
            let json = serde_json::to_string(&Row { mtime }).expect("written");
            let read: Row = serde_json::from_str(&json).expect("read back");
            assert_eq!(read.mtime, expected, "{mtime:?}");
        }
    }
}
