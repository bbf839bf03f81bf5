//! `muniment validate`: the server's own verdict on a bag, before it is deposited.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use muniment_model::{Chain, Finding, Findings, Severity};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::error::CommandError;
use crate::local_bag::{self, ProfileChoice};
use crate::terminal::Terminal;

/// Checks bags as the server does, without depositing them
///
/// Each FILE is a tar, each FOLDER one bag. Exit code 0 when all are valid, else 1. What is wrong is
/// printed to standard error, warnings included; a bag with warnings only is valid.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateSettings {
    /// Tar files and bag folders
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,

    /// Rules to hold the bags to; without it, the profile that each bag names
    #[arg(long, value_enum)]
    profile: Option<Profile>,

    /// Print one JSON object per bag: path, valid, findings
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// The APTrust profile
    Aptrust,
    /// The Beyond the Repository profile
    Btr,
    /// The BagIt standard alone
    None,
}

pub(crate) async fn run(
    settings: &ValidateSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome::AllWell;
    for path in &settings.paths {
        match check(path.clone(), settings.choice()).await? {
            Ok(findings) => {
                if !findings.is_valid() {
                    outcome = Outcome::NotAll;
                }
                settings.report(path, &findings, terminal)?;
            }
            Err(fault) => {
                outcome = Outcome::NotAll;
                terminal.tell(format_args!("{}: {}", path.display(), Chain(&fault)));
            }
        }
    }
    Ok(outcome)
}

impl ValidateSettings {
    fn choice(&self) -> ProfileChoice {
        match self.profile {
            None => ProfileChoice::ByBag,
            Some(Profile::Aptrust) => ProfileChoice::Aptrust,
            Some(Profile::Btr) => ProfileChoice::Btr,
            Some(Profile::None) => ProfileChoice::None,
        }
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
            terminal.tell(format_args!("{}: {}", path.display(), sentence(finding)));
        }
        terminal.say(format_args!("{}: {}", path.display(), verdict(findings)));
        Ok(())
    }
}

type Verdict = Result<Findings, local_bag::LocalBagError>;

/// Reads and digests a whole bag, so not on a thread that others wait for.
async fn check(path: PathBuf, choice: ProfileChoice) -> Result<Verdict, CommandError> {
    let mut task = JoinSet::new();
    task.spawn_blocking(move || local_bag::validate(&path, choice));
    match task.join_next().await {
        Some(joined) => joined.map_err(CommandError::Task),
        None => unreachable!("a task was spawned"),
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

fn sentence(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("{word}: {}", finding.message)
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
    use muniment_model::FindingCode;

    use super::*;

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
