//! What is found to be otherwise than promised, as a list that a test prints and a program counts.

use std::fmt;

use serde_json::Value;

/// How many differences are kept. A lost bag of a million files differs a million times; the first
/// hundred say as much.
pub const DIFFERENCES_MAX: usize = 100;

/// What a difference is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    WorkItem,
    Object,
    /// A file of the object, by its path in the bag.
    File(String),
    /// A preserved copy, by its URL.
    Copy(String),
    DepositRecord,
    Staging,
    /// The upload in its receiving bucket.
    Upload,
}

/// One thing that is not as promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub subject: Subject,
    /// Which property of it.
    pub what: &'static str,
    pub expected: Value,
    pub found: Value,
}

/// All that is not as promised; empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    list: Vec<Difference>,
    more: u64,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The first ones, [`DIFFERENCES_MAX`] at most.
    pub fn list(&self) -> &[Difference] {
        &self.list
    }

    /// How many there are beyond those in the list.
    pub fn more(&self) -> u64 {
        self.more
    }

    /// Notes a difference unless both are equal.
    pub(crate) fn compare(
        &mut self,
        subject: &Subject,
        what: &'static str,
        found: impl Into<Value>,
        expected: impl Into<Value>,
    ) {
        let (found, expected) = (found.into(), expected.into());
        if found == expected {
            return;
        }
        if self.list.len() == DIFFERENCES_MAX {
            self.more += 1;
            return;
        }
        self.list.push(Difference {
            subject: subject.clone(),
            what,
            expected,
            found,
        });
    }
}

/// One line for each.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.list {
            writeln!(f, "{difference}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more differences", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            what,
            expected,
            found,
        } = self;
        write!(f, "{subject}: {what} is {found} instead of {expected}")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkItem => f.write_str("work item"),
            Self::Object => f.write_str("object"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Copy(url) => write!(f, "copy {url}"),
            Self::DepositRecord => f.write_str("deposit record"),
            Self::Staging => f.write_str("staging bucket"),
            Self::Upload => f.write_str("upload"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed_and_the_rest_is_counted() {
        let mut differences = Differences::default();
        differences.compare(&Subject::Object, "state", "A", "A");
        assert!(differences.is_empty());

        for _ in 0..DIFFERENCES_MAX + 7 {
            differences.compare(&Subject::File("data/a".to_owned()), "size", 1, 2);
        }

        assert_eq!(differences.list().len(), DIFFERENCES_MAX);
        assert_eq!(differences.more(), 7);
        let text = differences.to_string();
        let first = text.lines().next();
        assert_eq!(first, Some("file data/a: size is 1 instead of 2"));
        assert!(text.ends_with("and 7 more differences\n"), "{text}");
    }
}
