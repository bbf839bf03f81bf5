//! `muniment validate`: the server's own verdict on a bag, before it is deposited.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use muniment_model::{Chain, Finding, Findings, Severity};
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::{interval, timeout};

use crate::Outcome;
use crate::bag_path::BagPath;
use crate::error::CommandError;
use crate::local_bag::{self, BytesRead, ProfileChoice, Terms};
use crate::terminal::{BYTES_BAR, Terminal, one_line};

/// Checks bags as the server does, without depositing them
///
/// Each FILE is a tar. A FOLDER without a bagit.txt that holds tar files is those, as for `muniment
/// deposit`; any other one is a bag. Exit code 0 when all are valid, else 1. What is wrong is
/// printed to standard error, warnings included; a bag with warnings only is valid. Needs no
/// installation, and no keys.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateSettings {
    /// Tar files, bag folders, folders of tar files
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,

    /// Rules to hold the bags to; without it, the profile that each bag names
    #[arg(long, value_enum)]
    profile: Option<ProfileChoice>,

    /// Whose bags these will be: an institution's identifier and the bag's name leave less room for
    /// the paths of its files [default: one of 53 bytes, the longest there is]
    #[arg(long, value_name = "IDENTIFIER", value_parser = NonEmptyStringValueParser::new())]
    institution: Option<String>,

    /// Print one JSON object per bag: path, valid, findings; and error for one without a verdict, such
    /// as a file that cannot be read
    #[arg(long)]
    json: bool,
}

/// Work that takes longer is watched: a person who sees nothing for longer thinks that it hangs.
const WATCHED_AFTER: Duration = Duration::from_secs(2);
/// As smooth as a person can tell.
const DRAWN_EVERY: Duration = Duration::from_millis(100);
/// A folder's size is known when it has been read.
const FOLDER_BAR: &str = "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec}";

pub(crate) async fn run(
    settings: &ValidateSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome::AllWell;
    let terms = Arc::new(settings.terms());
    for path in &settings.bags() {
        let checked = check(path, &terms, terminal).await;
        if !checked.as_ref().is_ok_and(Findings::is_valid) {
            outcome = Outcome::NotAll;
        }
        settings.report(path, &checked, terminal)?;
    }
    Ok(outcome)
}

/// The findings of one bag; the error when there is no verdict, in words.
async fn check(path: &Path, terms: &Arc<Terms>, terminal: &Terminal) -> Result<Findings, String> {
    let read = Arc::new(BytesRead::default());
    let (bag, with, counted) = (path.to_owned(), Arc::clone(terms), Arc::clone(&read));
    // Reads and digests a whole bag, so not on a thread that others wait for.
    let checking = spawn_blocking(move || local_bag::validate(&bag, &with, &counted));
    match watched(checking, path, &read, terminal).await {
        Ok(checked) => checked.map_err(|error| Chain(&error).to_string()),
        Err(died) => Err(Chain(&CommandError::Task(died)).to_string()),
    }
}

/// Waits for a check. When it takes long, a bar says how far it is.
async fn watched<T>(
    check: impl Future<Output = T>,
    path: &Path,
    read: &BytesRead,
    terminal: &Terminal,
) -> T {
    let mut check = pin!(check);
    if let Ok(checked) = timeout(WATCHED_AFTER, &mut check).await {
        return checked;
    }
    let size = path.metadata().ok().filter(Metadata::is_file);
    let bar = match size.map(|file| file.len()) {
        Some(size) => terminal.bar(size, BYTES_BAR),
        None => terminal.bar(0, FOLDER_BAR),
    };
    bar.set_message(one_line(path.display()));
    let mut ticks = interval(DRAWN_EVERY);
    let checked = loop {
        tokio::select! {
            checked = &mut check => break checked,
            _ = ticks.tick() => bar.set_position(read.so_far()),
        }
    };
    bar.finish_and_clear();
    checked
}

impl ValidateSettings {
    fn terms(&self) -> Terms {
        Terms {
            profile: self.profile.unwrap_or(ProfileChoice::ByBag),
            institution: self.institution.clone(),
        }
    }

    /// The arguments, and in the place of a folder of tars its tars. What cannot be looked at stays:
    /// the check says why.
    fn bags(&self) -> Vec<PathBuf> {
        let of_argument = |path: &PathBuf| match BagPath::of(path) {
            Ok(BagPath::Tars(tars)) => tars,
            Ok(BagPath::File | BagPath::Bag | BagPath::Neither) | Err(_) => vec![path.clone()],
        };
        self.paths.iter().flat_map(of_argument).collect()
    }

    fn report(
        &self,
        path: &Path,
        checked: &Result<Findings, String>,
        terminal: &Terminal,
    ) -> Result<(), CommandError> {
        if self.json {
            terminal.say(json_line(path, checked)?);
            return Ok(());
        }
        let path = path.display();
        let findings = match checked {
            Ok(findings) => findings,
            Err(error) => {
                terminal.tell(format_args!("{path}: {error}"));
                return Ok(());
            }
        };
        for finding in findings.iter() {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            terminal.tell(format_args!("{path}: {word}: {}", finding.message));
        }
        terminal.say(format_args!("{path}: {}", verdict(findings)));
        Ok(())
    }
}

/// One line for each argument, also when nothing can be said of it, so that a script can count them.
fn json_line(path: &Path, checked: &Result<Findings, String>) -> Result<String, CommandError> {
    #[derive(Serialize)]
    struct Line<'a> {
        path: String,
        valid: bool,
        findings: Vec<&'a Finding>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    let findings = checked.as_ref().ok();
    let line = Line {
        path: path.display().to_string(),
        valid: findings.is_some_and(Findings::is_valid),
        findings: findings.into_iter().flat_map(Findings::iter).collect(),
        error: checked.as_ref().err().map(String::as_str),
    };
    serde_json::to_string(&line).map_err(CommandError::Json)
}

fn verdict(findings: &Findings) -> String {
    let shown = findings.errors().count() as u64;
    match findings.error_count() {
        0 => "valid".to_owned(),
        1 => "not valid: 1 error".to_owned(),
        count if count == shown => format!("not valid: {count} errors"),
        count => format!("not valid: {count} errors, {shown} of them shown"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Parser as _};
    use muniment_model::FindingCode;

    use super::*;
    use crate::up::INSTITUTION_BYTES_MAX;

    #[test]
    fn help_says_which_institution_is_assumed() {
        let command = ValidateSettings::augment_args(clap::Command::new("validate"));
        let help = command.clone().render_help().to_string();

        let assumed = format!("one of {INSTITUTION_BYTES_MAX} bytes");

        assert!(help.contains(&assumed), "{help}");
    }

    #[test]
    fn a_folder_of_tars_is_its_tars() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            validate: ValidateSettings,
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["b.tar", "a.tar", "notes.txt"] {
            std::fs::write(at(name), "").expect("writes");
        }
        let cli = Cli::parse_from([Path::new("validate"), folder.path(), &at("gone.tar")]);

        let bags = cli.validate.bags();

        assert_eq!(bags, [at("a.tar"), at("b.tar"), at("gone.tar")]);
    }

    #[test]
    fn a_json_line_has_the_promised_members() {
        let mut findings = Findings::default();
        findings.error(FindingCode::FileMissing, "data/a", "gone");

        let line = json_line(Path::new("a.tar"), &Ok(findings)).expect("writes");

        assert_eq!(
            line,
            r#"{"path":"a.tar","valid":false,"findings":[{"severity":"error","code":"file_missing","path":"data/a","message":"gone"}]}"#
        );
    }

    #[test]
    fn the_verdict_counts_errors_and_not_warnings() {
        let mut findings = Findings::default();
        findings.warning(FindingCode::OxumDiffers, "", "look at this");
        assert_eq!(verdict(&findings), "valid");

        findings.error(FindingCode::FileMissing, "", "gone");
        assert_eq!(verdict(&findings), "not valid: 1 error");

        for _ in 0..40 {
            findings.error(FindingCode::FileMissing, "", "gone");
        }
        assert_eq!(verdict(&findings), "not valid: 41 errors, 30 of them shown");
    }
}
