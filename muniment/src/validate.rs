//! `muniment validate`: the server's own verdict on a bag, before it is deposited.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::NonEmptyStringValueParser;
use muniment_model::{Chain, Finding, Findings, Severity};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::Outcome;
use crate::bag_path::BagPath;
use crate::error::CommandError;
use crate::local_bag::{self, ProfileChoice, Terms};
use crate::terminal::Terminal;

/// Checks bags as the server does, without depositing them
///
/// Each FILE is a tar. A FOLDER without a bagit.txt that holds tar files is those, as for `muniment
/// deposit`; any other one is a bag. Exit code 0 when all are valid, else 1. What is wrong is
/// printed to standard error, warnings included; a bag with warnings only is valid.
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

    /// Print one JSON object per bag: path, valid, findings
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(
    settings: &ValidateSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome::AllWell;
    let terms = Arc::new(settings.terms());
    for path in &settings.bags() {
        let (bag, terms) = (path.clone(), Arc::clone(&terms));
        // Reads and digests a whole bag, so not on a thread that others wait for.
        let checked = spawn_blocking(move || local_bag::validate(&bag, &terms)).await;
        match checked.map_err(CommandError::Task)? {
            Ok(findings) => {
                if !findings.is_valid() {
                    outcome = Outcome::NotAll;
                }
                settings.report(path, &findings, terminal)?;
            }
            Err(error) => {
                outcome = Outcome::NotAll;
                terminal.tell(format_args!("{}: {}", path.display(), Chain(&error)));
            }
        }
    }
    Ok(outcome)
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
        findings: &Findings,
        terminal: &Terminal,
    ) -> Result<(), CommandError> {
        if self.json {
            terminal.say(json_line(path, findings)?);
            return Ok(());
        }
        for finding in findings.iter() {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            terminal.tell(format_args!(
                "{}: {word}: {}",
                path.display(),
                finding.message
            ));
        }
        terminal.say(format_args!("{}: {}", path.display(), verdict(findings)));
        Ok(())
    }
}

fn json_line(path: &Path, findings: &Findings) -> Result<String, CommandError> {
    #[derive(Serialize)]
    struct Line<'a> {
        path: String,
        valid: bool,
        findings: Vec<&'a Finding>,
    }
    let line = Line {
        path: path.display().to_string(),
        valid: findings.is_valid(),
        findings: findings.iter().collect(),
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

        let line = json_line(Path::new("a.tar"), &findings).expect("writes");

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
