//! Programs that the tests ask and that Rust does not bring along.
//!
//! Installs what is missing where it may: as root, with apt-get. Elsewhere it says what to install. It never
//! fails by itself: the tests that need a program fail without it, and say so.

use std::process::{Command, Stdio};

/// One of the commands has to begin its answer with `says`.
struct Need {
    commands: &'static [&'static str],
    says: &'static str,
    package: &'static str,
    what: &'static str,
}

const NEEDS: [Need; 3] = [
    Need {
        commands: &["tar --version", "gtar --version"],
        says: "tar (GNU tar)",
        package: "tar",
        what: "GNU tar, as tar or gtar",
    },
    Need {
        commands: &["python3 -I -m tarfile --help"],
        says: "usage: ",
        package: "python3",
        what: "Python 3 with its module tarfile, as python3",
    },
    Need {
        commands: &["redis-server --version"],
        says: "Redis server v=",
        package: "redis-server",
        what: "Redis 7, as redis-server",
    },
];

/// Installs what is missing, or says that it is.
pub(crate) fn get() {
    let missing = NEEDS.iter().filter(|need| !is_there(need));
    let missing: Vec<&Need> = missing.collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if answer("id -u").trim_end() == "0" && install(&packages) {
        return;
    }
    for need in missing {
        println!(
            "The tests need {}, which is not there (Debian: apt-get install {})",
            need.what, need.package
        );
    }
}

fn is_there(need: &Need) -> bool {
    let mut commands = need.commands.iter();
    commands.any(|command| answer(command).starts_with(need.says))
}

/// What a command says; nothing when it fails or is not there.
fn answer(command: &str) -> String {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// Whether apt-get is there and did it.
fn install(packages: &[&str]) -> bool {
    let apt_get = |words: &[&str]| {
        println!("\n==> apt-get {}", words.join(" "));
        let status = Command::new("apt-get")
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&["update"]) && apt_get(&[&install, packages].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_noticed() {
        let need = |commands, says| Need {
            commands,
            says,
            package: "",
            what: "",
        };

        assert!(is_there(&need(&["cargo --version"], "cargo ")));
        assert!(is_there(&need(
            &["no-such-program", "cargo --version"],
            "cargo "
        )));
        assert!(!is_there(&need(&["cargo --version"], "tar (GNU tar)")));
        assert!(!is_there(&need(&["no-such-program"], "x")));
    }
}
