//! What is wrong with a bag, in the depositor's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a finding makes the bag invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// The rule a finding is about, stable for scripts. Serialised in `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    // The name of the bag.
    BagNameInvalid,
    BagNameTooLong,
    // The tar file as such.
    NotATar,
    TarTruncated,
    TarDamaged,
    TarEndMissing,
    TarTrailingData,
    TarMetaTooLarge,
    TarSizesDisagree,
    TarSparse,
    TarGlobalHeader,
    TarEmpty,
    // Members and their names.
    MemberNotRegular,
    MemberOutsideBag,
    MemberNameInvalid,
    MemberNameTooLong,
    MemberRepeated,
    MemberNamesCollide,
    FolderNameDiffers,
    SeveralFolders,
    TooManyMembers,
    // BagIt, RFC 8493.
    BagitTxtMissing,
    BagitTxtInvalid,
    VersionNotAllowed,
    EncodingUnknown,
    EncodingDiffers,
    TagFileInvalid,
    TagFileTooLarge,
    PayloadFolderMissing,
    FetchNotAllowed,
    FetchInvalid,
    ManifestMissing,
    ManifestNotAllowed,
    ManifestLineInvalid,
    ManifestLineTooLong,
    ManifestLineRepeated,
    FileMissing,
    FileNotInManifest,
    DigestDiffers,
    OxumDiffers,
    // The profile.
    SerializationNotAllowed,
    TagMissing,
    TagEmpty,
    TagValueIllegal,
    TagRepeated,
    // The object in the registry.
    StorageOptionForced,
    NotRecordable,
}

/// One thing that is wrong, or that the depositor should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    pub code: FindingCode,
    /// The path in the bag it is about, or empty when it is about the bag as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// A sentence in the depositor's words; no control characters.
    pub message: String,
}

/// How many errors (and, apart, warnings) are kept word for word; the rest are only counted.
const KEPT_MAX: usize = 30;

/// Findings up to a limit, and a count of the rest. Errors and warnings are limited apart, so
/// that warnings never crowd out the reason for a rejection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Finding>,
    #[serde(default, skip_serializing_if = "is_zero")]
    more_errors: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    more_warnings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Findings {
    pub fn error(&mut self, code: FindingCode, path: &str, message: impl fmt::Display) {
        self.push(Severity::Error, code, path, &message);
    }

    pub fn warning(&mut self, code: FindingCode, path: &str, message: impl fmt::Display) {
        self.push(Severity::Warning, code, path, &message);
    }

    fn push(
        &mut self,
        severity: Severity,
        code: FindingCode,
        path: &str,
        message: &dyn fmt::Display,
    ) {
        if self.of(severity).count() >= KEPT_MAX {
            match severity {
                Severity::Error => self.more_errors += 1,
                Severity::Warning => self.more_warnings += 1,
            }
            return;
        }
        self.kept.push(Finding {
            severity,
            code,
            path: printable(path),
            message: printable(&message.to_string()),
        });
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.kept
            .iter()
            .filter(move |finding| finding.severity == severity)
    }

    /// Adds what another part of the same check found.
    pub fn append(&mut self, other: Self) {
        for finding in other.kept {
            self.push(
                finding.severity,
                finding.code,
                &finding.path,
                &finding.message,
            );
        }
        self.more_errors += other.more_errors;
        self.more_warnings += other.more_warnings;
    }

    /// Whether the bag can be accepted: warnings do not count.
    pub fn is_valid(&self) -> bool {
        self.errors().next().is_none() && self.more_errors == 0
    }

    /// The findings that were kept, errors and warnings, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.kept.iter()
    }

    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.of(Severity::Error)
    }

    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.of(Severity::Warning)
    }

    pub fn error_count(&self) -> u64 {
        self.errors().count() as u64 + self.more_errors
    }

    /// The errors as a work item's note: joined by "; ", then how many more there are. As many as
    /// fit, whole, so that the count is always there and true.
    pub fn note(&self) -> String {
        let mut note = String::new();
        let mut shown = 0;
        for finding in self.errors() {
            if note.len() + finding.message.len() > NOTE_BYTES_MAX && shown > 0 {
                break;
            }
            if shown > 0 {
                note.push_str("; ");
            }
            note.push_str(&finding.message);
            shown += 1;
        }
        let more = self.error_count() - shown;
        if more > 0 {
            note = format!("{note}; and {more} more");
        }
        note
    }
}

/// Thirty findings that name two sha512 digests each fit; what a page shows stays readable.
const NOTE_BYTES_MAX: usize = 15_000;

/// The longest path or message that is kept, in characters: a hostile name may be a megabyte.
const TEXT_MAX: usize = 1_500;

/// Whether a character changes how the text around it is shown, rather than being shown.
///
/// Control characters, line and paragraph separators (some programs end a line there), and marks of
/// direction. Joiners are not among them, because names in several scripts are written with those.
pub fn is_unprintable(character: char) -> bool {
    let changes_lines = matches!(character, '\u{2028}' | '\u{2029}');
    // The whole of Bidi_Control (Unicode Standard Annex 9).
    let changes_direction = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || changes_lines || changes_direction
}

/// What [`is_unprintable`] as escapes, so that no name can forge a log line or a page.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(TEXT_MAX));
    for character in text.chars().take(TEXT_MAX) {
        if is_unprintable(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    if text.chars().nth(TEXT_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_text_around_it_is_escaped() {
        let rows = [
            ("plain.txt", "plain.txt"),
            ("\u{b7}日本\u{200d}é", "\u{b7}日本\u{200d}é"),
            ("a\nb\u{1b}[2J", "a\\u{a}b\\u{1b}[2J"),
            ("a\u{85}b\u{7f}", "a\\u{85}b\\u{7f}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            (
                "\u{61c}\u{200e}\u{200f}\u{2066}",
                "\\u{61c}\\u{200e}\\u{200f}\\u{2066}",
            ),
        ];

        for (name, expected) in rows {
            assert_eq!(printable(name), expected);
        }
    }

    #[test]
    fn thirty_errors_are_kept_and_the_rest_counted() {
        let mut findings = Findings::default();

        for n in 0..42 {
            findings.error(FindingCode::FileMissing, "", format!("error {n}"));
        }

        assert_eq!(findings.error_count(), 42);
        assert!(findings.note().ends_with("error 29; and 12 more"));
        assert!(!findings.is_valid());
    }

    #[test]
    fn a_note_that_grows_too_long_counts_what_it_leaves_out() {
        let mut findings = Findings::default();

        for n in 0..30 {
            findings.error(
                FindingCode::FileMissing,
                "",
                format!("{n}{}", "x".repeat(1_400)),
            );
        }

        let note = findings.note();
        assert!(note.len() < 17_000);
        assert!(note.ends_with("; and 20 more"), "{note}");
    }

    #[test]
    fn warnings_neither_reject_nor_crowd_out_errors() {
        let mut findings = Findings::default();

        for _ in 0..40 {
            findings.warning(FindingCode::OxumDiffers, "", "look at this");
        }
        assert!(findings.is_valid());
        findings.error(FindingCode::FileMissing, "data/a", "gone");

        assert_eq!(findings.note(), "gone");
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let mut findings = Findings::default();

        findings.error(
            FindingCode::MemberNameInvalid,
            "a\nb",
            "bad \u{202e}name\u{7}",
        );

        let finding = findings.iter().next().expect("one finding");
        assert_eq!(finding.path, "a\\u{a}b");
        assert_eq!(finding.message, "bad \\u{202e}name\\u{7}");
    }

    #[test]
    fn findings_survive_their_json_form() {
        let mut findings = Findings::default();
        findings.error(FindingCode::FileMissing, "data/a", "gone");

        let json = serde_json::to_string(&findings).expect("writes");

        assert_eq!(
            serde_json::from_str::<Findings>(&json).expect("reads"),
            findings
        );
        assert!(json.contains(r#""code":"file_missing""#), "{json}");
    }
}
