//! `muniment completions`: what a shell has to know to complete the words of a command line.
//!
//! Made from the same declarations as `--help`, so it knows every command and option.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::terminal::Terminal;
use crate::{Muniment, Outcome};

/// Prints a script that makes a shell complete commands and options
///
/// Write it where the shell looks for such scripts, and open a new shell:
///
///   bash  ~/.local/share/bash-completion/completions/muniment
///   zsh   _muniment in a folder of $fpath
///   fish  ~/.config/fish/completions/muniment.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionsSettings {
    /// The shell that it is for
    shell: Shell,
}

pub(crate) fn run(settings: &CompletionsSettings, terminal: &Terminal) -> Outcome {
    terminal.say_lines(script(settings.shell).trim_end());
    Outcome::AllWell
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Muniment::command(), "muniment", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn the_script_of_each_shell_knows_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Muniment::command().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell} has no {name}");
            }
            assert!(script.contains("instance"), "{shell} has no option");
        }
    }

    #[test]
    fn a_script_is_printed_as_it_is() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            let stays = |one: char| !muniment_model::is_unprintable(one);
            let layout = |one: char| matches!(one, '\n' | '\t');
            assert!(
                script.chars().all(|one| stays(one) || layout(one)),
                "{shell}"
            );
        }
    }
}
