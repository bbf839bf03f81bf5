//! Objects in classes that have to be restored before they can be read. Pure: reads nothing, writes
//! nothing.
//!
//! A restore gives a cold object a copy that can be read from some hours later until some days later. The
//! object stays in its class. Here the copy takes no space: it is the object's own bytes.

use std::time::Duration;

use s3s::dto::{StorageClass, Tier};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How long it takes until a cold object can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thaw {
    /// The longest that S3 names for the class and the tier: between 5 minutes and 48 hours.
    #[default]
    AsOnS3,
    /// This long for all of them.
    Within(Duration),
}

/// When the restored copy can be read, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restore {
    pub ready_micros: i64,
    pub expires_micros: i64,
}

/// Where a cold object is between being asked for and being gone again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warmth {
    Cold,
    Thawing,
    Warm,
}

/// What a restore request is about.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub days: u32,
    pub tier: Tier,
    pub thaw: Thaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ColdFault {
    #[error("the object has to be restored before it can be read")]
    Unreadable,
    #[error("only objects in GLACIER and DEEP_ARCHIVE are restored")]
    NotCold,
    #[error("the object is being restored")]
    Thawing,
    #[error("the retrieval tier is not one for this storage class")]
    Tier,
}

/// Whether objects of the class have to be restored. The default class is said by saying none.
pub(crate) fn is_cold(class: Option<&str>) -> bool {
    matches!(
        class,
        Some(StorageClass::GLACIER | StorageClass::DEEP_ARCHIVE)
    )
}

impl Restore {
    pub(crate) fn warmth(restore: Option<Self>, now_micros: i64) -> Warmth {
        match restore {
            Some(restore) if now_micros < restore.ready_micros => Warmth::Thawing,
            Some(restore) if now_micros < restore.expires_micros => Warmth::Warm,
            Some(_) | None => Warmth::Cold,
        }
    }
}

/// Refuses to read what is cold.
pub(crate) fn check_readable(
    class: Option<&str>,
    restore: Option<Restore>,
    now_micros: i64,
) -> Result<(), ColdFault> {
    if is_cold(class) && Restore::warmth(restore, now_micros) != Warmth::Warm {
        return Err(ColdFault::Unreadable);
    }
    Ok(())
}

/// What a restore request makes of an object: a new copy of one that is cold, a new date for the copy
/// that is there.
pub(crate) fn restore(
    class: Option<&str>,
    current: Option<Restore>,
    wanted: &Wanted,
    now_micros: i64,
) -> Result<Restore, ColdFault> {
    if !is_cold(class) {
        return Err(ColdFault::NotCold);
    }
    let takes = takes(class, &wanted.tier).ok_or(ColdFault::Tier)?;
    let ready_micros = match (Restore::warmth(current, now_micros), current) {
        (Warmth::Thawing, _) => return Err(ColdFault::Thawing),
        (Warmth::Warm, Some(current)) => current.ready_micros,
        (Warmth::Warm | Warmth::Cold, _) => {
            let takes = match wanted.thaw {
                Thaw::AsOnS3 => takes,
                Thaw::Within(limit) => limit,
            };
            now_micros.saturating_add(micros(takes))
        }
    };
    let kept_from = ready_micros.max(now_micros);
    Ok(Restore {
        ready_micros,
        expires_micros: expiry(kept_from, wanted.days),
    })
}

fn takes(class: Option<&str>, tier: &Tier) -> Option<Duration> {
    match (class?, tier.as_str()) {
        (StorageClass::GLACIER, Tier::EXPEDITED) => Some(5 * MINUTE),
        (StorageClass::GLACIER, Tier::STANDARD) => Some(5 * HOUR),
        (StorageClass::GLACIER, Tier::BULK) | (StorageClass::DEEP_ARCHIVE, Tier::STANDARD) => {
            Some(12 * HOUR)
        }
        (StorageClass::DEEP_ARCHIVE, Tier::BULK) => Some(48 * HOUR),
        _ => None,
    }
}

/// So many days later, and on to the next midnight.
fn expiry(from_micros: i64, days: u32) -> i64 {
    let day = micros(DAY);
    let end = from_micros.saturating_add(day.saturating_mul(i64::from(days)));
    end.div_euclid(day).saturating_add(1).saturating_mul(day)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD: Option<&str> = Some(StorageClass::GLACIER);

    #[test]
    fn an_object_is_readable_from_ready_until_expired() {
        let asked_for = Some(Restore {
            ready_micros: 10,
            expires_micros: 20,
        });
        let rows = [
            ("warm class", None, None, 0, true),
            ("instant", Some(StorageClass::GLACIER_IR), None, 0, true),
            ("cold", COLD, None, 0, false),
            ("thawing", COLD, asked_for, 9, false),
            ("ready", COLD, asked_for, 10, true),
            ("still there", COLD, asked_for, 19, true),
            ("expired", COLD, asked_for, 20, false),
            ("deep", Some(StorageClass::DEEP_ARCHIVE), None, 0, false),
        ];

        for (name, class, restore, now_micros, expected) in rows {
            let readable = check_readable(class, restore, now_micros).is_ok();
            assert_eq!(readable, expected, "{name}");
        }
    }

    #[test]
    fn each_class_has_its_tiers() {
        let hours = |count: u64| Some(HOUR * u32::try_from(count).unwrap());
        let rows = [
            (StorageClass::GLACIER, Tier::EXPEDITED, Some(5 * MINUTE)),
            (StorageClass::GLACIER, Tier::STANDARD, hours(5)),
            (StorageClass::GLACIER, Tier::BULK, hours(12)),
            (StorageClass::DEEP_ARCHIVE, Tier::EXPEDITED, None),
            (StorageClass::DEEP_ARCHIVE, Tier::STANDARD, hours(12)),
            (StorageClass::DEEP_ARCHIVE, Tier::BULK, hours(48)),
            (StorageClass::GLACIER, "Sometime", None),
        ];

        for (class, tier, expected) in rows {
            let wanted = Wanted {
                days: 1,
                tier: Tier::from(tier.to_owned()),
                thaw: Thaw::AsOnS3,
            };
            let begun = restore(Some(class), None, &wanted, 0);
            let ready = begun.map(|begun| begun.ready_micros);
            assert_eq!(
                ready,
                expected.map(micros).ok_or(ColdFault::Tier),
                "{class} {tier}"
            );
        }
    }

    #[test]
    fn a_copy_goes_at_the_midnight_after_its_days() {
        let day = micros(DAY);

        assert_eq!(expiry(0, 1), 2 * day);
        assert_eq!(expiry(day - 1, 1), 2 * day);
        assert_eq!(expiry(day, 2), 4 * day);
        assert!(expiry(i64::MAX, u32::MAX) > 0, "no overflow");
    }
}
