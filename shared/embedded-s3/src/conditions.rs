//! Decides which precondition of a request fails, if any. Pure: reads nothing, writes nothing.
//!
//! Writes are checked by the writer, in the transaction that would change the key, so two writers
//! that both ask for "only when it is not there" cannot both win.

use s3s::dto::{ETagCondition, Timestamp};

/// What a write or a delete demands of the object that is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

/// What a read, or the source of a copy, demands of the object.
#[expect(
    clippy::struct_field_names,
    reason = "the names of the headers are what everybody knows them by"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConditionFault {
    #[error("at least one of the preconditions does not hold")]
    Failed,
    #[error("the object is not modified")]
    NotModified,
    #[error("the precondition names an object, and there is none")]
    Absent,
    #[error("a write takes If-None-Match with * only")]
    Unsupported,
}

/// Whether a write may go ahead, given the `ETag` of the object there now.
pub(crate) fn check_write(
    current: Option<&str>,
    conditions: &WriteConditions,
) -> Result<(), ConditionFault> {
    match &conditions.if_none_match {
        Some(ETagCondition::ETag(_)) => return Err(ConditionFault::Unsupported),
        Some(ETagCondition::Any) if current.is_some() => return Err(ConditionFault::Failed),
        Some(ETagCondition::Any) | None => {}
    }
    match (&conditions.if_match, current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(ConditionFault::Absent),
        (Some(condition), Some(etag)) if matches(condition, etag) => Ok(()),
        (Some(_), Some(_)) => Err(ConditionFault::Failed),
    }
}

/// Whether a read may go ahead. A tag, where given, outranks the date of the same sense.
///
/// `modified` is in whole seconds, as the dates in the conditions are.
pub(crate) fn check_read(
    etag: &str,
    modified: &Timestamp,
    conditions: &ReadConditions,
) -> Result<(), ConditionFault> {
    if let Some(condition) = &conditions.if_match {
        if !matches(condition, etag) {
            return Err(ConditionFault::Failed);
        }
    } else if let Some(date) = &conditions.if_unmodified_since
        && modified > date
    {
        return Err(ConditionFault::Failed);
    }
    if let Some(condition) = &conditions.if_none_match {
        if matches(condition, etag) {
            return Err(ConditionFault::NotModified);
        }
    } else if let Some(date) = &conditions.if_modified_since
        && modified <= date
    {
        return Err(ConditionFault::NotModified);
    }
    Ok(())
}

/// Like [`check_read`], for the source of a copy: there is no "not modified", only "failed".
pub(crate) fn check_source(
    etag: &str,
    modified: &Timestamp,
    conditions: &ReadConditions,
) -> Result<(), ConditionFault> {
    check_read(etag, modified, conditions).map_err(|fault| match fault {
        ConditionFault::NotModified | ConditionFault::Failed => ConditionFault::Failed,
        ConditionFault::Absent | ConditionFault::Unsupported => fault,
    })
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use s3s::dto::ETag;

    use super::*;

    #[test]
    fn writes_follow_the_table() {
        let none = WriteConditions::default;
        let absent_only = || WriteConditions {
            if_none_match: Some(ETagCondition::Any),
            ..none()
        };
        let only = |condition| WriteConditions {
            if_match: Some(condition),
            ..none()
        };
        let not_tag = WriteConditions {
            if_none_match: Some(tag("a")),
            ..none()
        };
        let rows = [
            ("plain, absent", None, none(), Ok(())),
            ("plain, present", Some("a"), none(), Ok(())),
            ("if absent, absent", None, absent_only(), Ok(())),
            (
                "if absent, present",
                Some("a"),
                absent_only(),
                Err(ConditionFault::Failed),
            ),
            ("if match, equal", Some("a"), only(tag("a")), Ok(())),
            (
                "if match, other",
                Some("b"),
                only(tag("a")),
                Err(ConditionFault::Failed),
            ),
            (
                "if match, absent",
                None,
                only(tag("a")),
                Err(ConditionFault::Absent),
            ),
            (
                "if any, present",
                Some("a"),
                only(ETagCondition::Any),
                Ok(()),
            ),
            (
                "if any, absent",
                None,
                only(ETagCondition::Any),
                Err(ConditionFault::Absent),
            ),
            (
                "if none match with a tag",
                None,
                not_tag,
                Err(ConditionFault::Unsupported),
            ),
        ];

        for (name, current, conditions, expected) in rows {
            assert_eq!(check_write(current, &conditions), expected, "{name}");
        }
    }

    #[test]
    fn reads_follow_the_table() {
        let none = ReadConditions::default;
        let matching = |condition| ReadConditions {
            if_match: Some(condition),
            ..none()
        };
        let differing = |condition| ReadConditions {
            if_none_match: Some(condition),
            ..none()
        };
        let since = |seconds| ReadConditions {
            if_modified_since: Some(at(seconds)),
            ..none()
        };
        let until = |seconds| ReadConditions {
            if_unmodified_since: Some(at(seconds)),
            ..none()
        };
        let tag_outranks_date = ReadConditions {
            if_match: Some(tag("a")),
            if_unmodified_since: Some(at(1)),
            ..none()
        };
        let rows = [
            ("none", none(), Ok(())),
            ("match", matching(tag("a")), Ok(())),
            ("match any", matching(ETagCondition::Any), Ok(())),
            (
                "match other",
                matching(tag("b")),
                Err(ConditionFault::Failed),
            ),
            ("differs", differing(tag("b")), Ok(())),
            (
                "does not differ",
                differing(tag("a")),
                Err(ConditionFault::NotModified),
            ),
            ("modified since", since(9), Ok(())),
            (
                "not modified since",
                since(10),
                Err(ConditionFault::NotModified),
            ),
            ("unmodified since", until(10), Ok(())),
            ("modified after all", until(9), Err(ConditionFault::Failed)),
            ("tag outranks date", tag_outranks_date, Ok(())),
        ];

        for (name, conditions, expected) in rows {
            assert_eq!(check_read("a", &at(10), &conditions), expected, "{name}");
        }
    }

    #[test]
    fn the_source_of_a_copy_is_never_merely_unmodified() {
        let conditions = ReadConditions {
            if_none_match: Some(tag("a")),
            ..ReadConditions::default()
        };

        let verdict = check_source("a", &at(10), &conditions);

        assert_eq!(verdict, Err(ConditionFault::Failed));
    }

    fn tag(value: &str) -> ETagCondition {
        ETagCondition::ETag(ETag::Strong(value.to_owned()))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}
