//! `muniment renew-key`: ends the keys of a depositor, or the operator's, and makes new ones.
//!
//! Keys are read when the system starts, so it has to be stopped, which the lock of the folder makes
//! sure of. `instance.json` comes first and has the truth; the depositor's file follows it, be it at the
//! next start. Repeating it makes other keys again.

use crate::Outcome;
use crate::data_folder::DataSettings;
use crate::error::CommandError;
use crate::terminal::Terminal;
use crate::up::depositor;
use crate::up::instance::Instance;
use crate::up::lock::FolderLock;

/// Makes new keys for a depositor or the operator; the old ones are refused from then on
///
/// For a key that is in wrong hands, or for a depositor who is to have none any more: just do not give the
/// new ones out. Stop `muniment up` before, and start it after. Keys to an S3 store elsewhere (`muniment up --s3`) are
/// renewed there: give the operator's new ones to the next `muniment up`.
#[derive(Debug, clap::Args)]
pub(crate) struct RenewKeySettings {
    /// Institution whose depositor gets new keys, to S3 and to the registry
    #[arg(value_name = "DOMAIN", required_unless_present = "operator")]
    institution: Option<String>,

    /// The operator gets new keys, to S3 and to the registry
    #[arg(long, conflicts_with = "institution")]
    operator: bool,

    #[command(flatten)]
    data: DataSettings,
}

pub(crate) fn run(
    settings: &RenewKeySettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let folder = settings.data.folder()?;
    // A folder without a muniment is told before a lock is made in it.
    Instance::read(&folder)?;
    let _lock = FolderLock::take(&folder)?;
    let mut instance = Instance::read(&folder)?;
    let file = if let Some(wanted) = &settings.institution {
        if !instance.renew_depositor(wanted) {
            return Err(instance.client().unknown(wanted));
        }
        depositor::file(&folder, wanted)
    } else {
        instance.renew_operator();
        Instance::file(&folder)
    };
    instance.write(&folder)?;
    depositor::write_all(&instance, &folder)?;
    let file = file.display();
    if instance.is_elsewhere() {
        terminal.say(format_args!("the new key to the registry is in {file}"));
        terminal.tell(format_args!(
            "the keys to S3 are those of the store at {}, which alone can renew them",
            instance.s3.endpoint
        ));
    } else {
        terminal.say(format_args!("the new keys are in {file}"));
    }
    Ok(Outcome::AllWell)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::up::depositor::ClientAccess;
    use crate::up::instance::tests::{example, example_elsewhere};

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        settings: RenewKeySettings,
    }

    #[test]
    fn one_depositor_has_new_keys_and_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = example();
        before.write(folder.path()).expect("writes");

        renew(folder.path(), "test.edu").expect("renews");

        let after = Instance::read(folder.path()).expect("reads");
        let [renewed, other] = &after.institutions[..] else {
            panic!("two institutions");
        };
        let old = &before.institutions[0];
        assert_ne!(renewed.s3_access_key, old.s3_access_key);
        assert_ne!(renewed.s3_secret_key, old.s3_secret_key);
        assert_ne!(renewed.api_key, old.api_key);
        assert!(*other == before.institutions[1] && after.s3 == before.s3);
        let file = depositor::file(folder.path(), "test.edu");
        let given = ClientAccess::read(&file).expect("reads");
        assert_eq!(given.s3.access_key, renewed.s3_access_key);
    }

    #[test]
    fn the_operator_has_new_keys_and_no_depositor() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = example();
        before.write(folder.path()).expect("writes");

        renew(folder.path(), "--operator").expect("renews");

        let after = Instance::read(folder.path()).expect("reads");
        assert_ne!(after.s3.access_key, before.s3.access_key);
        assert_ne!(after.registry.api_key, before.registry.api_key);
        assert!(after.institutions == before.institutions);
    }

    #[test]
    fn keys_to_a_store_elsewhere_are_not_ours_to_renew() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = example_elsewhere();
        before.write(folder.path()).expect("writes");

        renew(folder.path(), "test.edu").expect("renews");
        renew(folder.path(), "--operator").expect("renews");

        let after = Instance::read(folder.path()).expect("reads");
        assert!(after.s3 == before.s3);
        assert!(after.institutions[0].s3_access_key.is_empty());
        assert_ne!(
            after.institutions[0].api_key,
            before.institutions[0].api_key
        );
        assert_ne!(after.registry.api_key, before.registry.api_key);
    }

    #[test]
    fn nothing_is_renewed_under_a_running_system_or_for_a_stranger() {
        let folder = tempfile::tempdir().expect("a folder");
        example().write(folder.path()).expect("writes");

        let stranger = renew(folder.path(), "nowhere.edu").expect_err("an error");
        let lock = FolderLock::take(folder.path()).expect("is free");
        let running = renew(folder.path(), "test.edu").expect_err("an error");

        assert!(matches!(stranger, CommandError::UnknownInstitution { .. }));
        assert!(matches!(running, CommandError::Lock(_)), "{running:?}");
        let after = Instance::read(folder.path()).expect("reads");
        assert!(after == example());
        drop(lock);
    }

    fn renew(folder: &std::path::Path, what: &str) -> Result<Outcome, CommandError> {
        let data = folder.to_str().expect("its name");
        let cli = Cli::try_parse_from(["renew-key", "--data", data, what]).expect("parses");
        run(&cli.settings, &Terminal::default())
    }
}
